"""What holds for any masks."""

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmf_cli import metrics
from dmf_cli.checking import METRICS, check
from dmf_cli.checking.findings import PASSED
from dmf_cli.parts import registry

# Of two masks or of counts; the others are of lesions and of probabilities.
CHECKED = [name for name in metrics.__registry__ if registry.definition("metric", name).arguments in METRICS]
LABELS = st.integers(0, 2)
PAIRS = st.tuples(st.integers(1, 4), st.integers(1, 5)).flatmap(
    lambda shape: st.tuples(
        arrays.arrays(np.uint8, shape, elements=LABELS), arrays.arrays(np.uint8, shape, elements=LABELS)
    )
)
CLASSES = 3


def each(truth, prediction):
    return metrics.class_counts(metrics.confusion(truth, prediction, CLASSES))


@pytest.mark.parametrize("name", CHECKED)
def test_what_dmf_check_looks_for(name):
    found = list(check("metric", name, {}))
    assert [one for one in found if one.state != PASSED] == []
    assert len(found) == 6


@given(PAIRS, st.sampled_from(["nan", "zero", "one"]))
def test_values_are_between_0_and_1_or_undefined(pair, empty):
    for name, value in metrics.values(each(*pair), empty=empty).items():
        assert np.all(np.isnan(value) | ((value >= 0.0) & (value <= 1.0 + 1e-12))), name


@given(PAIRS)
def test_a_swap_keeps_dice_and_iou_and_exchanges_precision_and_recall(pair):
    there, back = each(*pair), each(*pair[::-1])
    for metric in (metrics.dice, metrics.iou, metrics.f1, metrics.accuracy):
        np.testing.assert_array_equal(metric(there), metric(back))
    both = (there.truth > 0) & (there.predicted > 0)
    np.testing.assert_array_equal(metrics.precision(there)[both], metrics.recall(back)[both])


@given(PAIRS)
def test_identities(pair):
    values = metrics.values(each(*pair))
    dice, iou = values["dice"], values["iou"]
    np.testing.assert_allclose(iou, dice / (2 - dice))
    assert np.all((dice >= iou) | np.isnan(dice))
    np.testing.assert_array_equal(values["f1"], dice)
    np.testing.assert_allclose(values["fpr"], 1 - values["specificity"])
    np.testing.assert_allclose(values["fnr"], 1 - values["recall"])
    precision, recall = values["precision"], values["recall"]
    known = (precision + recall) > 0
    harmonic = 2 * precision[known] * recall[known] / (precision[known] + recall[known])
    np.testing.assert_allclose(values["f1"][known], harmonic)


@given(PAIRS)
def test_a_perfect_prediction_is_best(pair):
    truth = pair[0]
    for name, value in metrics.values(each(truth, truth)).items():
        best = 0.0 if name in ("fpr", "fnr") else 1.0
        np.testing.assert_allclose(value[~np.isnan(value)], best, err_msg=name)
    np.testing.assert_allclose(metrics.class_balanced_dice(each(truth, truth)), 1.0)


@given(PAIRS, st.permutations(range(CLASSES)), st.randoms(use_true_random=False))
def test_order_of_classes_and_of_pixels_does_not_matter(pair, order, random):
    truth, prediction = pair
    renamed = np.array(order)
    for name, value in metrics.values(each(truth, prediction)).items():
        other = metrics.values(each(renamed[truth], renamed[prediction]))[name]
        np.testing.assert_array_equal(other[renamed], value, err_msg=name)
    pixels = list(range(truth.size))
    random.shuffle(pixels)
    shuffled = each(truth.ravel()[pixels], prediction.ravel()[pixels])
    np.testing.assert_array_equal(metrics.dice(shuffled), metrics.dice(each(truth, prediction)))


@given(PAIRS)
def test_the_foreground_of_two_classes_is_the_second_one(pair):
    matrix = metrics.confusion(*(part > 0 for part in pair), 2)
    foreground, lesion = metrics.foreground_counts(matrix), metrics.class_counts(matrix)[1]
    union = metrics.foreground_counts(metrics.confusion(*pair, CLASSES))
    for name in ("tp", "fp", "fn", "tn"):
        assert getattr(foreground, name) == getattr(lesion, name) == getattr(union, name)
