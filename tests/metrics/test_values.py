"""Each metric on counts that can be checked by hand, and on every kind of empty mask."""

import dataclasses
import doctest
import math
from pathlib import Path

import numpy as np
import pytest

from dmf_cli import metrics
from dmf_cli.errors import UnknownNameError
from dmf_cli.metrics import Counts, _calibration, _counts, _lesions, _overlap, _surface
from tests.raised import raises

NAN = math.nan


def counts(tp, fp, fn, tn):
    return Counts(*(np.array(value) for value in (tp, fp, fn, tn)))


def one(name, *numbers, **params):
    return float(getattr(metrics, name)(counts(*numbers), **params))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dice", 12 / 19),
        ("iou", 6 / 13),
        ("precision", 6 / 8),
        ("recall", 6 / 11),
        ("specificity", 87 / 89),
        ("f1", 2 * (6 / 8) * (6 / 11) / (6 / 8 + 6 / 11)),
        ("accuracy", 0.93),
        ("fpr", 2 / 89),
        ("fnr", 5 / 11),
        ("npv", 87 / 92),
    ],
)
def test_by_hand(name, expected):
    assert one(name, 6, 2, 5, 87) == pytest.approx(expected, abs=1e-12)


def test_cb_dice_by_hand():
    share, eps = 0.11, 1e-6
    inside, outside = 1 / (share + eps), 1 / (1 - share + eps)
    expected = (inside * 12 / 19 + outside * 174 / 181) / (inside + outside)
    assert one("cb_dice", 6, 2, 5, 87) == pytest.approx(expected, abs=1e-12)


# truth and prediction:  both empty, false alarm, missed, truth full, both full, prediction full
CASES = [(0, 0, 0, 10), (0, 4, 0, 6), (0, 0, 4, 6), (6, 0, 4, 0), (10, 0, 0, 0), (4, 6, 0, 0)]
EXPECTED = {
    "dice": ["empty", 0, 0, 0.75, 1, 8 / 14],
    "iou": ["empty", 0, 0, 0.6, 1, 0.4],
    "f1": ["empty", 0, 0, 0.75, 1, 8 / 14],
    "precision": ["empty", 0, 0, 1, 1, 0.4],
    "recall": [NAN, NAN, 0, 0.6, 1, 1],
    "fnr": [NAN, NAN, 1, 0.4, 0, 0],
    "specificity": [1, 0.6, 1, NAN, NAN, 0],
    "fpr": [0, 0.4, 0, NAN, NAN, 1],
    "npv": [1, 1, 0.6, 0, "empty", 0],
    "accuracy": [1, 0.6, 0.6, 0.6, 1, 0.4],
    # one class in the truth: its Dice; two: weights 1/f, here .6 and .4 of Dice 0, .75 and .571, 0
    "cb_dice": [1, 0.75, 0.4 * 0.75, 0.75, 1, 0.6 * 8 / 14],
}


@pytest.mark.parametrize("empty", ["nan", "zero", "one"])
def test_every_kind_of_empty_mask(empty):
    found = metrics.values(counts(*zip(*CASES, strict=True)), empty=empty)
    score = {"nan": NAN, "zero": 0.0, "one": 1.0}[empty]
    assert found.keys() == EXPECTED.keys() == set(metrics.OF_COUNTS)
    for name, expected in EXPECTED.items():
        numbers = [score if value == "empty" else value for value in expected]
        np.testing.assert_allclose(found[name], numbers, rtol=1e-5, err_msg=name)


def test_cb_dice_over_classes_leaves_an_absent_one_out():
    truth = np.array([0, 0, 0, 1])
    matrix = metrics.confusion(truth, truth, 3)
    assert float(metrics.class_balanced_dice(metrics.class_counts(matrix))) == pytest.approx(1.0)
    wrong = metrics.confusion(truth, np.array([0, 0, 2, 1]), 3)
    weights = np.array([1 / 0.75, 1 / 0.25])
    expected = np.sum(weights * [0.8, 1.0]) / weights.sum()
    found = metrics.class_balanced_dice(metrics.class_counts(wrong))
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_cb_dice_of_one_structure_is_that_of_two_classes():
    truth, prediction = np.array([0, 0, 1, 1, 0, 0]), np.array([0, 1, 1, 0, 0, 0])
    matrix = metrics.confusion(truth, prediction, 2)
    binary = metrics.cb_dice(metrics.foreground_counts(matrix))
    assert float(binary) == pytest.approx(float(metrics.class_balanced_dice(metrics.class_counts(matrix))))


def test_the_rule_is_said_in_words():
    assert "both empty: Dice, IoU, F1 and precision are excluded from the mean" in metrics.rules("nan")
    assert "both empty: Dice, IoU, F1 and precision count 0" in metrics.rules("zero")
    assert "both empty: Dice, IoU, F1 and precision count 1" in metrics.rules("one")


def test_a_rule_that_does_not_exist_names_the_closest():
    with raises(UnknownNameError, key="metrics.empty", value="zeros"):
        metrics.values(counts(1, 1, 1, 1), empty="zeros")
    assert metrics.empty_name(NAN) == "nan"  # as Hydra reads `metrics.empty=nan` from a command line


@pytest.mark.parametrize("module", [_counts, _overlap, _surface, _lesions, _calibration])
def test_examples_of_the_docstrings(module):
    found = doctest.testmod(module)
    assert found.failed == 0
    assert found.attempted > 0


def test_the_page_of_the_metrics_has_every_metric_and_option():
    page = (Path(__file__).parents[2] / "docs/reference/metrics.md").read_text()
    rows = [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")]
    options = [f"metrics.{field.name}" for field in dataclasses.fields(metrics.Full)]
    assert set(rows) == {*metrics.__registry__, *options}


def test_every_metric_says_range_and_source():
    for name in metrics.__registry__:
        text = getattr(metrics, name).__doc__
        assert "Range [0, " in text, name
        assert "Source: " in text, name
