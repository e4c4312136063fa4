import json
import math

import numpy as np
import pytest

from dmf_cli import metrics
from dmf_cli.metrics import summary


def matrices(*pairs, classes=2):
    return np.stack([metrics.confusion(np.array(t), np.array(p), classes) for t, p in pairs])


# A large lesion that was found well and a small one that was not, each in 100 pixels.
LARGE = [1] * 50 + [0] * 50, [1] * 50 + [0] * 50
SMALL = [1] * 2 + [0] * 98, [1] + [0] * 97 + [1] * 2
MISSED, FALSE_ALARM, EMPTY = ([1, 0], [0, 0]), ([0, 0], [1, 0]), ([0, 0], [0, 0])
APART = [1, 0], [0, 1]


def test_per_image_and_pooled_are_two_figures_and_both_are_given():
    found = summary.summarize(matrices(LARGE, SMALL), ("background", "lesion"))["foreground"]["dice"]
    assert found["mean"] == pytest.approx((1.0 + 2 / 5) / 2)
    assert found["pooled"] == pytest.approx(2 * 51 / (2 * 51 + 2 + 1))
    assert found["std"] == pytest.approx(0.6 / math.sqrt(2))
    assert found["median"] == pytest.approx(0.7)
    assert found["n"] == 2


@pytest.mark.parametrize(("empty", "mean", "n"), [("nan", 0.5, 4), ("zero", 0.4, 5), ("one", 0.6, 5)])
def test_empty_masks_count_as_the_rule_says(empty, mean, n):
    stack = matrices(([1, 0], [1, 0]), ([0, 1], [0, 1]), MISSED, FALSE_ALARM, EMPTY)
    found = summary.summarize(stack, ("background", "lesion"), empty=empty)
    assert (found["foreground"]["dice"]["mean"], found["foreground"]["dice"]["n"]) == pytest.approx((mean, n))
    assert found["foreground"]["recall"]["n"] == 3  # only images with a lesion, whatever the rule
    assert found["counts"] == {
        "images": 5, "with_truth": 3, "missed": 1, "no_overlap": 0, "false_alarm": 1, "both_empty": 1,
    }  # fmt: skip


def test_the_outcome_of_each_image():
    counts = metrics.foreground_counts(matrices(([1, 0], [1, 1]), APART, MISSED, FALSE_ALARM, EMPTY))
    assert summary.outcome(counts).tolist() == ["found", "no_overlap", "missed", "false_alarm", "both_empty"]


def test_trivial_predictors_come_from_the_truth_alone():
    good, bad = matrices(LARGE, EMPTY_100), matrices((LARGE[0], EMPTY_100[0]), (EMPTY_100[0], LARGE[0]))
    found, other = (summary.summarize(m, ("background", "lesion"))["trivial"] for m in (good, bad))
    assert summary.jsonable(found) == summary.jsonable(other)
    assert found["nothing"]["dice"]["mean"] == 0.0
    assert found["nothing"]["dice"]["n"] == 1  # the image without a lesion is excluded from the mean
    assert found["nothing"]["accuracy"]["mean"] == pytest.approx(0.75)
    assert found["everything"]["dice"]["mean"] == pytest.approx((2 * 50 / 150 + 0.0) / 2)
    assert found["everything"]["dice"]["pooled"] == pytest.approx(2 * 50 / 250)


EMPTY_100 = [0] * 100, [0] * 100


def test_each_class_and_all_of_them():
    stack = matrices(([0, 1, 2, 2], [0, 1, 1, 2]), ([0, 0, 1, 1], [0, 2, 1, 1]), classes=3)
    found = summary.summarize(stack, ("background", "benign", "malignant"))
    assert list(found["classes"]) == ["background", "benign", "malignant"]
    assert found["classes"]["benign"]["dice"]["mean"] == pytest.approx((2 / 3 + 1.0) / 2)
    assert found["classes"]["malignant"]["counts"]["false_alarm"] == 1
    assert found["all_classes"]["accuracy"]["mean"] == pytest.approx(0.75)
    assert found["all_classes"]["accuracy"]["n"] == 2
    assert found["foreground"]["recall"]["mean"] == pytest.approx(1.0)  # a wrong lesion class is foreground


def test_order_of_the_images_does_not_matter():
    stack = matrices(LARGE, SMALL, EMPTY_100)
    one, other = (summary.summarize(m, ("background", "lesion")) for m in (stack, stack[::-1]))
    assert one["foreground"]["dice"] == pytest.approx(other["foreground"]["dice"])


def test_figures_of_nothing_are_nan_and_null_in_json():
    assert math.isnan(summary.statistics(np.array([np.nan]), np.nan)["mean"])
    assert math.isnan(summary.statistics(np.array([0.5]), 0.5)["std"])
    found = summary.summarize(matrices(EMPTY), ("background", "lesion"))
    text = json.dumps(summary.jsonable(found), allow_nan=False)
    assert json.loads(text)["foreground"]["dice"] == {
        "mean": None, "std": None, "median": None, "n": 0, "pooled": None,
    }  # fmt: skip
    assert summary.jsonable({"a": (np.int64(1), np.float32(0.5), math.inf)}) == {"a": [1, 0.5, None]}


def test_a_class_that_no_image_holds_counts_in_figures_of_false_alarms_alone():
    truth, prediction = np.array([[0, 1, 1, 0]]), np.array([[2, 1, 1, 2]])
    matrices = np.stack([metrics.confusion(truth, prediction, 3)])
    figures = summary.summarize(matrices, ["background", "benign", "malignant"])
    classes, mean = figures["classes"], figures["mean"]
    assert mean["dice"]["mean"] == classes["benign"]["dice"]["mean"] == 1
    for name in ("specificity", "fpr"):
        each = [classes[c][name]["mean"] for c in ("benign", "malignant")]
        assert mean[name]["mean"] == pytest.approx(np.mean(each))
    assert mean["specificity"]["mean"] < 1
