"""Temperature, calibration error and threshold, chosen on validation images."""

import numpy as np
import pytest

from dmf_cli import metrics
from dmf_cli.inference import calibration
from dmf_cli.inference.calibration import THRESHOLDS, Calibration, ThresholdChoice, tempered


def _softmax(logits):
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return (powers / powers.sum(-1, keepdims=True)).astype(np.float32)


def _overconfident(classes, factor, images=3, side=60):
    """Images whose truth is drawn from probabilities, and what a network that exaggerates them predicts."""
    rng = np.random.default_rng(classes)
    for _ in range(images):
        logits = rng.normal(0, 1.5, (side, side, classes))
        chances = _softmax(logits).cumsum(-1)
        truth = (rng.random((side, side, 1)) > chances).sum(-1).clip(0, classes - 1)
        yield _softmax(factor * logits), truth


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_the_temperature_of_a_network_that_exaggerates_is_found(classes, factor):
    pixels = Calibration()
    for probabilities, truth in _overconfident(classes, factor):
        pixels.add(probabilities, truth)
    assert pixels.temperature() == pytest.approx(factor, rel=0.06)
    assert pixels.ece(pixels.temperature()) < 0.015
    assert factor == 1 or pixels.ece() > 0.03


def test_one_channel_has_the_temperature_of_two():
    one, two = Calibration(), Calibration()
    for probabilities, truth in _overconfident(2, 2.0):
        two.add(probabilities, truth)
        one.add(probabilities[..., 1:], truth)
    assert one.temperature() == pytest.approx(two.temperature(), rel=1e-3)
    assert one.ece(1.5) == pytest.approx(two.ece(1.5), abs=1e-5)


def test_the_ece_is_that_of_the_metric_on_all_pixels_of_small_images():
    pixels, histogram = Calibration(), 0
    for probabilities, truth in _overconfident(3, 2.0):
        pixels.add(probabilities, truth)
        histogram = histogram + metrics.reliability(truth, 1 - probabilities[..., 0])
    assert pixels.ece() == pytest.approx(float(metrics.ece(histogram)), abs=1e-6)


def test_pixels_that_do_not_count_change_nothing():
    plain, marked = Calibration(), Calibration()
    for probabilities, truth in _overconfident(2, 2.0):
        counted = np.zeros(truth.shape, bool)
        counted[:30] = True
        plain.add(probabilities[:30], truth[:30])
        marked.add(probabilities, np.where(counted, truth, 255), counted)
    assert marked.temperature() == plain.temperature()


def test_memory_is_bounded_and_images_stay_equal(monkeypatch):
    monkeypatch.setattr(calibration, "PIXELS", 1000)
    monkeypatch.setattr(calibration, "TOTAL", 2500)
    pixels = Calibration()
    for probabilities, truth in _overconfident(2, 2.0, images=9):
        pixels.add(probabilities, truth)
    kept = [len(labels) for _, labels in pixels._images]
    assert kept == [250] * 9
    assert pixels.temperature() == pytest.approx(2, rel=0.2)


@pytest.mark.parametrize("pixels", [0, 1, 2, 7, 100, 1024, 250_000])
def test_every_beginning_of_the_order_is_spread_over_the_image(pixels):
    order = calibration._spread(pixels)
    assert sorted(order.tolist()) == list(range(pixels))
    if pixels >= 100:
        gaps = np.diff(np.sort(order[: pixels // 10]))
        assert gaps.max() < 40


def test_without_a_pixel_nothing_changes():
    pixels = Calibration()
    assert pixels.temperature() == 1.0
    assert np.isnan(pixels.ece())
    pixels.add(np.full((2, 2, 1), 0.5), np.zeros((2, 2), int), np.zeros((2, 2), bool))
    assert pixels.temperature() == 1.0


def test_certain_and_wrong_pixels_have_a_temperature():
    pixels = Calibration()
    pixels.add(np.array([[[0.0], [1.0], [1.0]]], np.float32), np.array([[1, 1, 0]]))
    assert pixels.temperature() == pytest.approx(10, abs=0.01)


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_tempering_keeps_type_sum_and_likeliest_class(channels):
    probabilities = _softmax(np.random.default_rng(0).normal(0, 5, (50, max(2, channels))))[:, -channels:]
    for temperature in (0.1, 0.7, 3.0):
        changed = tempered(probabilities, temperature)
        assert changed.dtype == np.float32
        assert (changed.argmax(-1) == probabilities.argmax(-1)).all()
        if channels > 1:
            assert changed.sum(-1) == pytest.approx(1)
    assert tempered(probabilities, 1.0) is probabilities


def test_tempering_is_division_of_the_logits_and_keeps_certainty():
    p = np.array([[0.0], [1e-30], [0.2], [0.5], [1.0]])
    logit = np.log(p[2] / (1 - p[2]))
    changed = tempered(p, 2.0)[:, 0]
    assert changed[[0, 3, 4]].tolist() == [0.0, 0.5, 1.0]
    assert changed[1] == pytest.approx(1e-15)
    assert changed[2] == pytest.approx(1 / (1 + np.exp(-logit[0] / 2)))


@pytest.mark.parametrize("p", [[[1.0005]], [[-0.0005]], [[-0.0004, 1.0004]]])
def test_what_is_slightly_out_of_range_counts_as_0_or_1(p):
    changed = tempered(np.array(p), 2.0)[:, -1]
    assert changed.tolist() == [1.0 if p[0][-1] > 0.5 else 0.0]


@pytest.mark.parametrize("empty", ["nan", "zero", "one"])
def test_means_are_those_of_scoring_at_each_threshold(empty):
    rng, choice, images = np.random.default_rng(0), ThresholdChoice(empty), []
    for lesion in (0.3, 0.5, 0.0):
        truth = rng.random((20, 20)) < lesion
        # Values on a threshold too, in float32 as a network gives them.
        foreground = np.round(rng.beta(2, 3, (20, 20)) * 0.5 + 0.3 * truth, 2).astype(np.float32)
        images.append((truth, foreground))
        choice.add(foreground, truth)
    for threshold, mean in zip(THRESHOLDS, choice.means, strict=True):
        scores = []
        for truth, foreground in images:
            matrix = metrics.confusion(truth, foreground >= np.float32(threshold), 2)
            scores.append(metrics.dice(metrics.foreground_counts(matrix), empty=metrics.empty_score(empty)))
        assert mean == pytest.approx(np.nanmean(scores))
    assert choice.means[THRESHOLDS.tolist().index(choice.best())] == pytest.approx(np.nanmax(choice.means))


def test_of_equal_thresholds_the_one_closest_to_a_half_is_taken():
    low, high = ThresholdChoice("nan"), ThresholdChoice("nan")
    low.add(np.array([0.1, 0.305]), np.array([0, 1]))
    high.add(np.array([0.705, 0.95]), np.array([0, 1]))
    assert (low.best(), high.best()) == (0.3, 0.71)
    low.add(np.array([0.1, 0.95]), np.array([0, 1]))
    assert low.best() == 0.3


def test_the_threshold_stays_a_half_where_validation_says_nothing():
    assert ThresholdChoice("nan").best() == 0.5
    choice = ThresholdChoice("nan")
    choice.add(np.zeros(4), np.zeros(4, int))
    assert choice.best() == 0.5
