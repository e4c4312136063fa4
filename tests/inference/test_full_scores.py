"""``metrics=full`` from masks to tables: on a dataset in memory, what is scored is known to the pixel."""

import io
import math

import numpy as np
import pytest

from dmf_cli import metrics
from dmf_cli.datasets.base import Dataset, Sample
from dmf_cli.metrics.summary import jsonable
from tests.inference.scoring import evaluated

SHAPES = [(16, 16), (20, 16), (12, 24), (16, 16), (16, 18), (30, 16), (16, 16)]


class Squares(Dataset):
    """One square an image, none in the third; the images show where a network shall find something."""

    name, channels = "squares", 1

    def __init__(self, classes=("background", "lesion"), spacing=None):
        self.classes, self.spacing = classes, spacing
        self.ids = tuple(f"s/{i}" for i in range(len(SHAPES)))
        self.strata = ("all",) * len(SHAPES)

    def load(self, index):
        label, shown = np.zeros((2, *SHAPES[index]), np.uint8)
        if index != 2:
            label[2:8, 3:9] = len(self.classes) - 1
        if index not in (2, 3):  # image 3 is missed
            shown[2 + index : 8 + index, 3:9] = 255
        if index == 5:  # a second component that is no lesion
            shown[20:22, 10:12] = 200
        return Sample(shown[..., None], label)

    def fingerprint(self):
        return "squares"


def seen(x):
    return x[..., :1] * 0.9 + 0.05


def score(full=metrics.Full(), dataset=None, predict=seen, **options):  # noqa: B008
    dataset = dataset or Squares()
    given = {"image_size": 48, "batch_size": 3, "full": full, **options}
    return evaluated(predict, dataset, range(len(dataset)), **given)


@pytest.mark.parametrize("size", [1, 3, 7])
@pytest.mark.parametrize("classes", [("background", "lesion"), ("background", "benign", "malignant")])
def test_no_figure_depends_on_the_batch_size(size, classes):
    def several(x):
        return np.concatenate([0.95 - 0.9 * x, 0.03 + 0 * x, 0.02 + 0.9 * x], axis=-1)

    options = {"dataset": Squares(classes, (0.2, 0.1)), "predict": seen if len(classes) == 2 else several}
    one, other = score(batch_size=size, **options), score(batch_size=4, **options)
    assert jsonable(one.rows) == jsonable(other.rows)
    assert jsonable(one.summary) == jsonable(other.summary)
    assert one.summary["foreground"]["hd95_mm"]["mean"] > 0


def test_figures_of_an_image_are_those_of_its_masks():
    result = score(image_size=16, dataset=Squares(spacing=(0.5, 0.25)))
    row = result.rows[0]
    assert row["foreground.hd95"] == row["foreground.assd"] == 0.0
    assert row["foreground.nsd"] == row["foreground.nsd_mm"] == row["foreground.lesion_sensitivity"] == 1.0
    assert row["foreground.ece"] == pytest.approx(0.05, abs=1e-6)
    two_lower = result.rows[6]  # moved down by 6 pixels: separate, at the corner of the image
    assert two_lower["foreground.hd95"] == 6.0
    assert two_lower["foreground.hd95_mm"] == 3.0
    assert result.rows[5]["foreground.lesion_fp"] >= 1


def test_a_missed_lesion_counts_and_an_image_without_one_does_not():
    figures = score().summary["foreground"]
    assert figures["hd95"]["n"] == 6  # the third image is empty, and nothing is found there
    missed = score().rows[3]
    assert missed["foreground.hd95"] == missed["foreground.assd"] == math.hypot(16, 16)
    assert missed["foreground.nsd"] == missed["foreground.lesion_sensitivity"] == 0.0
    left_out = score(metrics.Full(missed="nan")).summary["foreground"]
    assert left_out["hd95"]["n"] == left_out["nsd"]["n"] == 5
    assert left_out["hd95"]["mean"] < figures["hd95"]["mean"]
    assert score(empty="one").summary["foreground"]["nsd"]["n"] == 7


def test_pooled_figures():
    result = score()
    figures, rows = result.summary["foreground"], result.rows
    found, lesions = (sum(row[f"foreground.{k}"] for row in rows) for k in ("lesions_found", "lesions"))
    assert (found, lesions) == (4, 6)
    assert figures["lesion_sensitivity"]["pooled"] == pytest.approx(found / lesions)
    assert figures["lesion_fp"]["mean"] == figures["lesion_fp"]["pooled"]
    assert math.isnan(figures["hd95"]["pooled"])
    # Pixels weigh alike when pooled: the images have several sizes.
    assert figures["ece"]["pooled"] != pytest.approx(figures["ece"]["mean"], abs=1e-6)
    assert 0 < figures["ece"]["pooled"] < 0.2


def test_the_two_classes_of_a_binary_dataset_share_one_structure():
    result = score()
    assert result.summary["classes"]["lesion"]["hd95"] == result.summary["foreground"]["hd95"]
    assert "hd95" not in result.summary["classes"]["background"]


def test_millimetres_at_the_size_of_the_network_are_those_of_the_image():
    dataset = Squares(spacing=(0.5, 0.25))
    for resize in ("stretch", "letterbox"):
        network = score(dataset=dataset, resolution="network", image_size=96, resize=resize).rows
        original = score(dataset=dataset, resize=resize).rows
        for index in (0, 1, 3, 6):
            expected = original[index]["foreground.hd95_mm"]
            if index == 3 and resize == "letterbox":
                continue  # the diagonal of the input, padding included
            assert network[index]["foreground.hd95_mm"] == pytest.approx(expected, abs=0.3), (resize, index)


def test_without_it_nothing_is_added():
    result = score(None)
    assert not any("hd95" in key or "ece" in key for row in result.rows for key in row)
    assert "missed" not in result.summary["settings"]
    assert "hd95" not in result.summary["foreground"]


def test_the_rule_is_in_the_title_and_everything_in_the_tables(tmp_path):
    from rich.console import Console

    from dmf_cli.inference import tables

    result = score(metrics.Full(missed="nan"), dataset=Squares(spacing=(0.5, 0.25)), split="test")
    tables.write_metrics(tmp_path, "test", result)
    for file in ("test_summary.md", "test_summary.tex"):
        text = (tmp_path / file).read_text()
        title = next(line for line in text.splitlines() if line.startswith(("# ", "  \\caption")))
        assert "missed=nan" in title
        for label in ("HD95 px (low)", "NSD mm", "Lesion recall", "FP per image (low)", "ECE (low)"):
            assert label in text
        assert "2 px, 1 mm" in text
    assert "foreground,hd95_mm," in (tmp_path / "test_summary.csv").read_text()
    assert "foreground.lesions_found" in (tmp_path / "test_per_image.csv").read_text().splitlines()[0]
    assert '"missed": "nan"' in (tmp_path / "test_summary.json").read_text()
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(tables.render(result))
    shown = console.export_text()
    assert "…" not in shown
    assert "missed=nan" in shown.splitlines()[0] + shown.splitlines()[1]
    row = next(line for line in shown.splitlines() if "HD95 px" in line)
    assert row.split()[-1] == "-"  # no pooled form, and the trivial predictors have no contour to speak of


def test_the_calibration_error_before_the_temperature_is_that_of_the_network():
    """A temperature of 0.1 makes 0.95 a 1 in float32, which says no more what it was."""
    sharp, mild = (score(None, temperature=t).summary["settings"]["ece"] for t in (0.1, 1.5))
    assert sharp["before"] == mild["before"]
    assert sharp["after"] != sharp["before"] > 0
