"""Lesion-wise detection and calibration, on cases that can be checked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dmf_cli import metrics

# Three lesions (two of them touch at a corner only), and three predicted components.
TRUTH = np.array(
    [
        [1, 1, 0, 0, 0, 0, 1],
        [1, 1, 0, 0, 0, 0, 1],
        [0, 0, 1, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 1],
    ]
)
PREDICTION = np.array(
    [
        [1, 0, 0, 1, 0, 0, 0],
        [0, 0, 0, 1, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 1, 1],
    ]
)


def numbers(counts):
    return int(counts.lesions), int(counts.found), int(counts.predicted), int(counts.false)


def test_components_are_found_or_not():
    assert numbers(metrics.lesions(TRUTH, PREDICTION)) == (2, 2, 4, 2)
    assert numbers(metrics.lesions(TRUTH, PREDICTION, connectivity=1)) == (3, 2, 4, 2)


def test_the_overlap_rule():
    # The left lesion (5 pixels) is covered by a fifth, the right one (4) by a quarter.
    assert numbers(metrics.lesions(TRUTH, PREDICTION, overlap=0.19)) == (2, 2, 4, 2)
    assert numbers(metrics.lesions(TRUTH, PREDICTION, overlap=0.2)) == (2, 1, 4, 2)
    # Half of the lower right component lies in a lesion.
    assert numbers(metrics.lesions(TRUTH, PREDICTION, overlap=0.5)) == (2, 0, 4, 3)


def test_sensitivity_and_false_positives_per_image_and_pooled():
    images = [(TRUTH, PREDICTION), (TRUTH, 0 * TRUTH), (0 * TRUTH, PREDICTION), (0 * TRUTH, 0 * TRUTH)]
    every = [metrics.lesions(*pair, connectivity=1) for pair in images]
    stacked = metrics.Lesions(*(np.array([getattr(c, k) for c in every]) for k in vars(every[0])))
    np.testing.assert_allclose(metrics.lesion_sensitivity(stacked), [2 / 3, 0.0, np.nan, np.nan])
    assert metrics.lesion_fp(stacked).tolist() == [2, 0, 4, 0]
    assert float(metrics.lesion_sensitivity(stacked.pooled())) == pytest.approx(2 / 6)


@given(arrays.arrays(bool, (5, 6)), arrays.arrays(bool, (5, 6)))
def test_any_masks(truth, prediction):
    there, back = metrics.lesions(truth, prediction), metrics.lesions(prediction, truth)
    assert there.lesions == back.predicted
    assert there.found == back.predicted - back.false
    same = metrics.lesions(truth, truth)
    assert same.found == same.lesions
    assert same.false == 0


def test_calibration_by_hand():
    truth = np.array([0, 0, 1, 1, 1])
    probability = np.array([0.1, 0.1, 0.1, 0.9, 0.9], np.float32)
    expected = (abs(0.3 - 1) + abs(1.8 - 2)) / 5
    assert float(metrics.ece(metrics.reliability(truth, probability))) == pytest.approx(expected)
    one = metrics.ece(metrics.reliability(truth, probability, bins=1))
    assert float(one) == pytest.approx(abs(2.1 - 3) / 5)
    assert float(metrics.ece(metrics.reliability(truth, truth.astype(float)))) == 0.0
    assert np.isnan(metrics.ece(np.zeros((3, 4))))


@given(st.integers(0, 2**32 - 1), st.integers(1, 20))
def test_histograms_add_up_to_that_of_all_pixels(seed, bins):
    rng = np.random.default_rng(seed)
    truth, probability = rng.random((3, 4, 5)) > 0.7, rng.random((3, 4, 5)).round(1)
    each = sum(metrics.reliability(t, p, bins=bins) for t, p in zip(truth, probability, strict=True))
    whole = metrics.reliability(truth, probability, bins=bins)
    np.testing.assert_allclose(each, whole)
    assert whole[0].sum() == truth.size
    assert 0 <= float(metrics.ece(whole)) <= 1
