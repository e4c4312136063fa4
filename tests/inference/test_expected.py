"""Uncertainty and expected Dice of images without truth."""

import numpy as np
import pytest

from dmf_cli.inference.dice_optimal import cutoff
from dmf_cli.inference.expected import expected_dice, uncertainty


def test_entropy_is_a_share_of_its_maximum_for_any_number_of_classes():
    for classes in (2, 3, 5):
        rows = np.stack([np.full(classes, 1 / classes), np.eye(classes)[0]])
        assert uncertainty(rows).tolist() == pytest.approx([1, 0])
    p = np.float32([[0.11]])
    assert uncertainty(p)[0] == pytest.approx(0.4999, abs=1e-3)  # a binary channel of capacity one half
    assert uncertainty(np.concatenate([1 - p, p], -1)) == pytest.approx(uncertainty(p))
    assert uncertainty(p).dtype == np.float32


def test_an_image_gives_a_map():
    maps = uncertainty(np.random.default_rng(0).dirichlet([1, 1, 1], (6, 5)))
    assert maps.shape == (6, 5)
    assert 0 <= maps.min() <= maps.max() <= 1


def test_expected_dice_is_the_mean_over_truths_drawn_from_the_probabilities():
    rng = np.random.default_rng(0)
    p = rng.beta(0.5, 1.5, 2000)
    mask = p > 0.3
    truths = rng.random((300, 2000)) < p
    scores = 2 * (truths & mask).sum(1) / (truths.sum(1) + mask.sum())
    assert expected_dice(p[:, None], mask) == pytest.approx(scores.mean(), abs=0.003)


def test_no_threshold_has_a_higher_expected_dice_than_the_dice_optimal_mask():
    p = np.random.default_rng(1).beta(0.4, 1, (40, 40))
    best = expected_dice(p[..., None], p > cutoff(p))
    assert best == pytest.approx(2 * cutoff(p), rel=1e-2)
    assert all(expected_dice(p[..., None], p > t) <= best + 1e-3 for t in np.arange(0.05, 0.95, 0.05))


def test_an_empty_mask_is_right_as_far_as_nothing_is_there():
    p = np.array([[0.02, 0.4], [0.1, 0.0]])
    nothing = np.zeros((2, 2), np.uint8)
    assert expected_dice(p[..., None], nothing) == pytest.approx(0.6)
    assert expected_dice(np.stack([1 - p, p], -1), nothing) == pytest.approx(0.6)
    assert expected_dice(np.stack([1 - p, p / 2, p / 2], -1), nothing) == pytest.approx(0.6)
    assert expected_dice(np.zeros((2, 2, 1)), nothing) == 1


def test_several_classes_are_the_mean_over_those_in_the_mask():
    p = np.array([[0.1, 0.9, 0.0, 0.0], [0.2, 0.0, 0.8, 0.0], [0.7, 0.3, 0.0, 0.0]])
    one, two = 2 * 0.9 / (1 + 1.2), 2 * 0.8 / (1 + 0.8)
    assert expected_dice(p, np.array([1, 2, 0])) == pytest.approx((one + two) / 2)
