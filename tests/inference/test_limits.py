"""What `scripts/limits.py` says of made-up tables."""

import csv
import json

import numpy as np
import pytest

from dmf_cli.datasets.input_spec import InputSpec
from tests.docs.scripts import load

limits = load("limits")

#              lesion, predicted, overlap
FOUND = [(100, 100, 100), (100, 150, 100), (400, 200, 200), (900, 900, 450)]
MISSED = [(50, 0, 0), (60, 40, 0)]
NOTHING = [(0, 30, 0), (0, 0, 0)]


def _run(folder, test, train=(), epoch=3):
    (folder / "metrics").mkdir(parents=True)
    for split, rows in (("test", test), ("train", train)):
        if rows:
            with (folder / f"metrics/{split}_per_image.csv").open("w", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(["id", "lesion_pixels", "predicted_pixels", "overlap_pixels"])
                writer.writerows([f"{split}{i}", *row] for i, row in enumerate(rows))
    (folder / "status.json").write_text(json.dumps({"epochs": 4, "best": {"epoch": epoch}}))
    return folder


def _tables(text):
    """Heading -> rows of cells, without the line under the head."""
    tables = {}
    for part in text.split("\n## ")[1:]:
        rows = [line.strip("| ").split(" | ") for line in part.splitlines() if line.startswith("|")]
        tables[part.splitlines()[0]] = {row[0]: row[1:] for row in rows if row[0] != "---"}
    return tables


def test_the_parts_of_what_is_lost_add_up_to_one_minus_the_mean(tmp_path):
    run = _run(tmp_path / "a", [*FOUND, *MISSED, *NOTHING])
    rows = _tables(limits.report([run], data=False))["Where the Dice is lost"]
    dice = [1, 0.8, 2 / 3, 0.5, 0, 0, 0]  # the last image has no Dice
    assert float(rows["all"][2]) == pytest.approx(1 - np.mean(dice), abs=6e-4)
    assert sum(float(row[2]) for row in list(rows.values())[1:-1]) == pytest.approx(
        1 - np.mean(dice), abs=2e-3
    )
    assert rows["lesions missed (Dice 0)"] == ["2", "28.6%", f"{2 / 7:.3f}"]
    assert rows["false alarms (no lesion, Dice 0)"] == ["1", "14.3%", f"{1 / 7:.3f}"]
    assert rows["lesions found, pixels too many"][2] == f"{(0.2 + 0.25) / 7:.3f}"
    assert rows["lesions found, pixels too few"][2] == f"{(1 / 3 + 0.25) / 7:.3f}"


def test_small_lesions_stand_first_and_missed_ones_are_counted(tmp_path):
    run = _run(tmp_path / "a", [*FOUND, *MISSED, *NOTHING])
    rows = list(_tables(limits.report([run], data=False))["By size of the lesion"].items())[1:]
    assert rows == [
        ("small: 50 to 60 pixels", ["2", "0.000", "2 (100.0%)", "-", "-", "-"]),
        ("middle: 100 to 100 pixels", ["2", "0.900", "0 (0.0%)", "0.900", "-", "-"]),
        ("large: 400 to 900 pixels", ["2", "0.583", "0 (0.0%)", "0.583", "-", "-"]),
    ]


def test_folds_are_one_table_and_training_images_a_bound(tmp_path):
    first = _run(tmp_path / "a", [*FOUND, *MISSED], train=[(10, 10, 10)])
    second = _run(tmp_path / "b", NOTHING, train=[(10, 10, 5)], epoch=4)
    text = limits.report([first, second], data=False)
    rows = _tables(text)["Bounds"]
    assert rows["test images"] == [f"{(1 + 0.8 + 2 / 3 + 0.5) / 7:.3f}"]
    assert rows["the same without missed lesions"] == [f"{(1 + 0.8 + 2 / 3 + 0.5) / 5:.3f}"]
    assert rows["the same without false alarms too"] == [f"{(1 + 0.8 + 2 / 3 + 0.5) / 4:.3f}"]
    assert rows["training images"] == ["0.750"]
    assert rows["epochs kept"] == ["3 of 4, 4 of 4"]
    assert "split=train" not in text


def test_without_a_scored_image_it_says_what_to_do(tmp_path):
    with pytest.raises(SystemExit, match="dmf eval"):
        limits.report([_run(tmp_path / "a", NOTHING[1:])], data=False)


@pytest.mark.parametrize("resize", ["stretch", "letterbox"])
def test_a_truth_loses_what_the_size_of_the_network_cannot_show(resize):
    label = np.zeros((64, 96), np.uint8)
    label[20:44, 30:70] = 1
    small = np.zeros((64, 96), np.uint8)
    small[30:33, 40:43] = 2
    exact = InputSpec((64, 96), resize)
    coarse = InputSpec((16, 16), resize)
    assert limits.bounds(label, exact) == (1, 1)
    large, little = limits.bounds(label, coarse), limits.bounds(small, coarse)
    assert 0.85 < large[0] < 1
    assert little[0] < large[0]
    assert limits.bounds(np.where(label, 1, 255).astype(np.uint8), exact) == (1, 1)
