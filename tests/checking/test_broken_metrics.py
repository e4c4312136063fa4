"""A metric with one fault fails the property of that name, and the smallest masks show it."""

import math

import numpy as np
import pytest

from dmf_cli.checking.findings import FAILED, PASSED, outcomes
from dmf_cli.checking.metrics import PROPERTIES, Metric


def dice(truth, prediction):
    size = truth.sum() + prediction.sum()
    return 2.0 * (truth & prediction).sum() / size if size else math.nan


def of_counts(counts):
    with np.errstate(invalid="ignore"):
        return 2.0 * counts.tp / (2 * counts.tp + counts.fp + counts.fn)


def as_text(truth, prediction):
    return f"{dice(truth, prediction):.3f}"


def as_map(truth, prediction):
    return truth & prediction


def divides_by_zero(truth, prediction):
    return int((truth & prediction).sum()) / int(truth.sum())


def infinite(truth, prediction):
    return float(prediction.sum() / truth.sum()) if truth.any() else math.inf


def upper_left(truth, prediction):
    return float(truth[0, 0] == prediction[0, 0])


def constant(truth, prediction):
    return 0.5


def undefined(truth, prediction):
    return math.nan


def changes_its_masks(truth, prediction):
    prediction &= truth
    return dice(truth, prediction)


def pooled(counts):
    return 2.0 * counts.tp.sum() / (2 * counts.tp + counts.fp + counts.fn).sum()


def found(function, better="high"):
    metric = Metric(function, better)
    return {one.name: one for one in outcomes(metric, PROPERTIES) if one.state == FAILED}


@pytest.mark.parametrize(
    ("function", "better", "name", "said", "pixels"),
    [
        (as_text, "high", "gives a number", "of type str: return a float", 1),
        (as_map, "high", "gives a number", "returns bool of shape (1, 1)", 1),
        (divides_by_zero, "high", "gives a number", "ZeroDivisionError", 1),
        (infinite, "low", "gives a number", "NaN says that it is undefined", 1),
        (undefined, "high", "gives a number", "NaN for all masks", 1),
        (dice, "low", "best at a perfect match", "better='low'", None),
        (dice, "low", "better is true", "say better='high'", None),
        (constant, "high", "better is true", "the same at a perfect match", None),
        (upper_left, "high", "mirrored masks", "mirrored along axis", None),
        (pooled, "high", "one value an image", "compute elementwise", None),
    ],
)
def test_the_property_that_fails_and_the_smallest_masks(function, better, name, said, pixels) -> None:
    outcome = found(function, better)[name]
    assert said in outcome.detail
    if pixels:
        given: dict = {}
        exec(outcome.example, {"np": np}, given)
        assert given["truth"].size == pixels


@pytest.mark.parametrize("function", [dice, of_counts])
def test_a_good_metric_has_every_property(function) -> None:
    assert [one.state for one in outcomes(Metric(function, "high"), PROPERTIES)] == [PASSED] * len(PROPERTIES)


def test_a_metric_gets_masks_of_its_own() -> None:
    assert not {"best at a perfect match"} & set(found(changes_its_masks))
