"""What is compared when nobody says: the mean over classes where all runs have several."""

import csv

import pytest

from dmf_cli.comparison.compare import compare

# Union found in both; the second setting never finds the malignant class.
CLASSES = {"benign": [0.8, 0.7, 0.9, 0.8], "malignant": [0.7, 0.6, 0.5, 0.6]}


def with_classes(folder, malignant, mean):
    """Adds the columns of each class, and those of `mean` as of now."""
    file = folder / "metrics/test_per_image.csv"
    with file.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    for number, row in enumerate(rows):
        row["class.background.dice"] = 0.99
        row["class.benign.dice"] = CLASSES["benign"][number % 4]
        row["class.malignant.dice"] = malignant * CLASSES["malignant"][number % 4]
        if mean:
            row["mean.dice"] = (row["class.benign.dice"] + row["class.malignant.dice"]) / 2
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize("mean", [True, False])
@pytest.mark.parametrize("metric", [None, "dice", "mean.dice"])
def test_of_several_classes_their_mean_also_of_runs_of_version_0_1(finished, tmp_path, mean, metric):
    for weighting, malignant in (("fixed", 1.0), ("var", 0.0)):
        for seed in range(2):
            run = finished(f"{weighting}{seed}", [0.8, 0.7, 0.9, 0.8] * 3, weighting, seed)
            with_classes(run, malignant, mean)
    compared = compare([tmp_path / "sweep"], metric=metric)
    assert compared.metric == "mean.dice"
    means = {row.group.name: row.mean.mean for row in compared.rows}
    assert means["weighting=fixed"] == pytest.approx(0.7)
    assert means["weighting=var"] == pytest.approx(0.4)


def test_of_one_class_or_of_both_kinds_of_runs_the_foreground(finished, tmp_path):
    for seed in range(2):
        finished(f"a{seed}", [0.8, 0.7, 0.9], "fixed", seed)
        finished(f"b{seed}", [0.7, 0.6, 0.9], "var", seed)
    assert compare([tmp_path / "sweep"]).metric == "foreground.dice"
    with_classes(tmp_path / "sweep/a0", 1.0, True)
    assert compare([tmp_path / "sweep"]).metric == "foreground.dice"
    assert compare([tmp_path / "sweep"], metric="dice").metric == "foreground.dice"
