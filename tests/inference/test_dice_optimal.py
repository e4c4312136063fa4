"""The Dice-optimal mask against every mask there is."""

import doctest
import itertools

import numpy as np
import pytest

from dmf_cli.inference import calibration, cleaning, expected
from dmf_cli.inference import dice_optimal as module
from dmf_cli.inference.dice_optimal import cutoff, dice_optimal


def _every(classes, pixels):
    return np.array(list(itertools.product(range(classes), repeat=pixels)))


def _mean_dice(masks, truths, chances, classes):
    """Expected Dice of each of ``masks``, mean over classes above 0; 0 where both are empty."""
    score = np.zeros(len(masks))
    for c in range(1, classes):
        both = (masks == c).astype(float) @ (truths == c).T
        sizes = (masks == c).sum(1)[:, None] + (truths == c).sum(1)
        score += np.where(sizes, 2 * both / np.maximum(sizes, 1), 0) @ chances / (classes - 1)
    return score


def _images(pixels, count=30):
    rng = np.random.default_rng(pixels)
    return [rng.beta(0.5, 0.5, pixels) for _ in range(count)]


@pytest.mark.parametrize("pixels", [1, 2, 5, 10])
def test_no_mask_of_all_has_a_higher_value_of_the_approximation(pixels):
    masks = _every(2, pixels)
    for p in _images(pixels):
        values = 2 * masks @ p / (p.sum() + masks.sum(1) + 1)
        mine = p > cutoff(p, least=0)
        assert mine.tolist() == masks[np.argmax(values)].tolist()
        assert cutoff(p, least=0) == pytest.approx(values.max() / 2)


@pytest.mark.parametrize(("pixels", "worst", "mean"), [(5, 0.15, 0.015), (8, 0.1, 0.01), (10, 0.1, 0.005)])
def test_the_exact_expected_dice_is_close_to_that_of_the_best_mask(pixels, worst, mean):
    masks, lost = _every(2, pixels), []
    for p in _images(pixels):
        chances = np.where(masks, p, 1 - p).prod(1)
        scores = _mean_dice(masks, masks, chances, 2)
        lost.append(scores.max() - scores[(masks == (p > cutoff(p, least=0))).all(1)][0])
    assert max(lost) < worst
    assert np.mean(lost) < mean


def test_certain_pixels_are_their_own_best_mask():
    truth = np.random.default_rng(0).random((9, 7)) > 0.6
    assert (dice_optimal(truth[..., None].astype(np.float32)) == truth).all()


def test_pixels_of_one_probability_are_together_wherever_they_are():
    p = np.array([0.9, 0.4, 0.4, 0.4, 0.1, 0.1])
    for order in itertools.permutations(range(6)):
        mask = p[list(order)] > cutoff(p[list(order)])
        assert mask.tolist() == (p[list(order)] > 0.2).tolist()


def test_unsure_pixels_count_where_all_are_unsure():
    """The case that it is for: a lesion of which no half is sure, but some pixel is."""
    p = np.array([0.6] + [0.45] * 50 + [0.01] * 200)
    assert (p > cutoff(p)).sum() == 51


@pytest.mark.parametrize("p", [[0.0, 0.0], [0.5, 0.4, 0.5], []])
def test_without_one_likely_pixel_the_mask_is_empty(p):
    assert cutoff(np.array(p)) == np.inf
    assert not dice_optimal(np.array(p)[..., None]).any()


def test_one_and_two_channels_give_the_same_mask():
    p = np.random.default_rng(1).beta(0.3, 0.6, (8, 8)).astype(np.float32)
    one, two = dice_optimal(p[..., None]), dice_optimal(np.stack([1 - p, p], -1))
    assert one.dtype == np.uint8
    assert (one == two).all()


def test_a_large_image_has_the_mask_that_sorting_finds():
    p = np.random.default_rng(2).beta(0.2, 2, (300, 300)).astype(np.float32)
    ranked = np.sort(p.ravel())[::-1].astype(np.float64)
    scores = np.cumsum(ranked) / (ranked.sum() + np.arange(1, p.size + 1) + 1)
    assert (p > cutoff(p)).sum() == np.argmax(scores) + 1
    assert cutoff(p) == pytest.approx(scores.max())


def test_several_classes_are_better_than_the_likeliest_class_and_close_to_the_best_map():
    rng, truths = np.random.default_rng(3), _every(3, 5)
    mine, likeliest, best = [], [], []
    for _ in range(40):
        p = rng.dirichlet([0.5, 0.7, 0.7], 5)
        scores = _mean_dice(truths, truths, p[np.arange(5), truths].prod(1), 3)
        best.append(scores.max())
        for values, labels in ((mine, dice_optimal(p, least=0)), (likeliest, p.argmax(1))):
            values.append(scores[(truths == labels).all(1)][0])
    assert np.mean(mine) > np.mean(likeliest) + 0.01
    assert np.mean(mine) > np.mean(best) - 0.02


def test_a_pixel_that_two_classes_claim_goes_to_the_small_one():
    p = np.zeros((60, 3))
    p[:50, 1], p[50:53, 2] = 1, 1
    p[53] = [0.0, 0.55, 0.45]
    p[54:, 0] = 1
    labels = dice_optimal(p)
    assert labels[:50].tolist() == [1] * 50
    assert labels[50:53].tolist() == [2] * 3
    assert labels[53] == 2
    assert not labels[54:].any()
    p[53] = [0.1, 0.9, 0.0]
    assert dice_optimal(p)[53] == 1


@pytest.mark.parametrize("module", [calibration, cleaning, module, expected])
def test_examples_of_what_decides_are_true(module):
    found = doctest.testmod(module)
    assert found.attempted >= 1
    assert not found.failed
