"""The figure that runs are judged by: of one class, of several, and of runs of version 0.1."""

import math

import pytest

from dmf_cli import config as configs
from dmf_cli.run_folder import headline

OLD = {
    "id": "a", "foreground.dice": "0.9", "class.background.dice": "0.99", "class.benign.dice": "0.8",
    "class.malignant.dice": "", "class.background.accuracy": "0.9", "class.benign.accuracy": "0.9",
    "class.malignant.accuracy": "0.9",
}  # fmt: skip


@pytest.mark.parametrize(
    ("overrides", "monitor"),
    [
        ((), "val_foreground_dice"),
        (("dataset.task=type",), "val_mean_dice"),
        (("dataset=bus_uclm",), "val_mean_dice"),
        (("dataset=busi",), "val_foreground_dice"),
        (("dataset=bus_uclm", "trainer.monitor=val_objective"), "val_objective"),
    ],
)
def test_the_default_monitor_goes_by_the_number_of_classes(overrides, monitor):
    config = configs.compose([*overrides])
    assert headline.planned_monitor(config) == monitor


def test_a_table_of_version_0_1_gets_its_means():
    assert headline.scope(OLD) == "foreground"
    row = headline.with_mean(OLD)
    assert row["mean.dice"] == "0.8"  # without the undefined class and the background
    assert "mean.accuracy" not in row
    assert headline.metric(row) == "mean.dice"
    nothing = headline.with_mean({**OLD, "class.benign.dice": "nan"})
    assert math.isnan(float(nothing["mean.dice"]))


def test_one_class_has_no_mean_and_a_mean_that_is_there_stays():
    binary = {k: v for k, v in OLD.items() if "malignant" not in k}
    assert headline.with_mean(binary) == binary
    assert headline.with_mean({**OLD, "mean.dice": "0.1"})["mean.dice"] == "0.1"


def test_of_runs_with_and_without_several_classes_the_union_is_compared(tmp_path):
    several, binary = tmp_path / "a.csv", tmp_path / "b.csv"
    several.write_text(",".join(OLD) + "\n" + ",".join(OLD.values()) + "\n")
    rows = {k: v for k, v in OLD.items() if "malignant" not in k}
    binary.write_text(",".join(rows) + "\n" + ",".join(rows.values()) + "\n")
    assert headline.of_files([several, several, tmp_path / "none.csv"]) == "mean.dice"
    assert headline.of_files([several, binary]) == "foreground.dice"
    assert headline.of_files([binary]) == headline.of_files([]) == "foreground.dice"


@pytest.mark.parametrize(
    ("best", "found"),
    [
        ({"epoch": 3, "val_mean_dice": 0.5}, ("val_mean_dice", 0.5)),
        ({"epoch": 3, "val_mean_dice": None, "val_objective": 0.2}, ("val_objective", 0.2)),
        ({"epoch": 0, "val_mean_dice": None}, ("val_mean_dice", None)),
        ({}, ("", None)),
        (None, ("", None)),
    ],
)
def test_what_decided_about_the_epoch_that_was_kept(best, found):
    assert headline.kept(best) == found
