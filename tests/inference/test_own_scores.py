"""Metrics of users from masks to tables, on the squares whose scores are known to the pixel."""

import csv
import json
import math

import pytest
from rich.console import Console

from dmf_cli import metrics
from dmf_cli.errors import PluginError
from dmf_cli.inference import tables
from dmf_cli.metrics import own
from dmf_cli.metrics.summary import jsonable
from dmf_cli.parts import plugins
from tests.inference.test_full_scores import Squares, score

SOURCE = '''
import dmf_cli


@dmf_cli.metric(better="low")
def area_error(truth, prediction, *, spacing=None, tolerance: float = 0.0):
    """Difference of the areas, NaN without a structure."""
    if not truth.any():
        return float("nan")
    pixel = spacing[0] * spacing[1] if spacing else 1.0
    return max(0.0, abs(float(truth.sum()) - prediction.sum()) * pixel - tolerance)


@dmf_cli.metric(better="high")
def my_dice(counts):
    """Dice by hand."""
    return 2 * counts.tp / (2 * counts.tp + counts.fp + counts.fn)
'''
CLASSES = ("background", "benign", "malignant")


@pytest.fixture
def chosen(tmp_path):
    file = tmp_path / "lab.py"
    file.write_text(SOURCE)
    with plugins.isolated():
        plugins.activate([str(file)])
        yield own.of({"area_error": {"tolerance": 1.0}, "my_dice": {}})


def several(x):
    import numpy as np

    return np.concatenate([0.95 - 0.9 * x, 0.03 + 0 * x, 0.02 + 0.9 * x], axis=-1)


def test_each_image_and_the_summary(chosen):
    result = score(None, image_size=16, own=chosen)
    row, empty = result.rows[0], result.rows[2]
    assert row["foreground.area_error"] == 0.0
    assert row["foreground.my_dice"] == row["foreground.dice"] == 1.0
    assert math.isnan(empty["foreground.area_error"])
    assert math.isnan(empty["foreground.my_dice"])
    missed = result.rows[3]
    assert missed["foreground.area_error"] == 35.0  # 36 pixels, one of which is tolerated
    figures = result.summary["foreground"]
    assert figures["area_error"]["n"] == 6
    assert math.isnan(figures["area_error"]["pooled"])  # of masks: there is no mask of all images
    # By another way the same numbers, pooled over the pixels of all images too.
    assert jsonable(figures["my_dice"]) == pytest.approx(jsonable(figures["dice"]))
    assert result.summary["classes"]["lesion"]["my_dice"] == figures["my_dice"]
    (plugin,) = (one for one in plugins.active() if one.name == "lab")
    assert result.summary["settings"]["own_metrics"] == {
        "area_error": {"better": "low", "params": {"tolerance": 1.0}, "hash": plugin.hash},
        "my_dice": {"better": "high", "params": {}, "hash": plugin.hash},
    }


@pytest.mark.parametrize("full", [None, metrics.Full()])
def test_of_several_classes_each_and_their_mean(chosen, full):
    result = score(full, dataset=Squares(CLASSES), predict=several, own=chosen)
    row = result.rows[0]
    for scope in ("foreground", "class.malignant"):
        assert row[f"{scope}.my_dice"] == row[f"{scope}.dice"]
    assert math.isnan(row["class.benign.my_dice"])
    assert row["mean.my_dice"] == row["mean.dice"]
    mean, own_mean = (result.summary["mean"][name] for name in ("dice", "my_dice"))
    assert jsonable(own_mean) == pytest.approx(jsonable(mean))
    assert ("hd95" in result.summary["mean"]) == (full is not None)


def test_the_size_of_a_pixel_is_that_of_the_masks(chosen):
    original = score(None, dataset=Squares(spacing=(0.5, 0.25)), own=chosen)
    assert original.rows[3]["foreground.area_error"] == 36 * 0.125 - 1.0
    assert original.summary["settings"]["spacing"] == (0.5, 0.25)
    network = score(
        None, dataset=Squares(spacing=(0.5, 0.25)), own=chosen, resolution="network", image_size=32
    )
    assert network.rows[3]["foreground.area_error"] == pytest.approx(36 * 0.125 - 1.0)


def test_without_any_nothing_is_added():
    assert "own_metrics" not in score(None).summary["settings"]


def test_tables_have_them_with_their_direction_and_parameters(chosen, tmp_path):
    result = score(None, split="test", own=chosen)
    tables.write_metrics(tmp_path, "test", result)
    text = (tmp_path / "test_summary.md").read_text()
    assert r"| area\_error (low) |" in text
    assert r"| my\_dice |" in text
    assert r"Your own metrics: area\_error, tolerance=1.0; my\_dice" in text
    assert r"area\_error (low) &" in (tmp_path / "test_summary.tex").read_text()
    assert "foreground,area_error," in (tmp_path / "test_summary.csv").read_text()
    with (tmp_path / "test_per_image.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows[2]["foreground.area_error"] in ("", "nan")
    assert json.loads((tmp_path / "test_summary.json").read_text())["foreground"]["area_error"]["n"] == 6
    console = Console(width=100, record=True)
    console.print(tables.render(result))
    assert "area_error (low)" in console.export_text()


def test_an_image_on_which_one_fails_is_named(tmp_path):
    file = tmp_path / "lab.py"
    file.write_text(
        "import dmf_cli\n\n\n@dmf_cli.metric(better='high')\ndef brittle(truth, prediction):\n"
        "    return 1.0 if truth.shape[1] != 24 else [][0]\n"
    )
    with plugins.isolated():
        plugins.activate([str(file)])
        with pytest.raises(PluginError) as caught:
            score(None, own=own.of({"brittle": {}}))
    assert caught.value.what.startswith("squares, image 's/2': lab.py, line 6: metric 'brittle' fails with")
