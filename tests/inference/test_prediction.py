"""Mirrors, temperature, decision and cleaning, with networks that are NumPy functions."""

import numpy as np
import pytest

from dmf_cli.datasets.input_spec import Geometry, InputSpec
from dmf_cli.inference.calibration import tempered
from dmf_cli.inference.prediction import Prediction

SPEC = InputSpec((6, 8))
WHERE = Geometry((6, 8), (6, 8), (0, 0, 6, 8))


def crooked(images):
    """A network that sees only the left half, and more of its top rows."""
    given = images[..., :1].copy()
    given[:, :, 4:] = 0
    return given * np.linspace(1, 0.5, 6, dtype=np.float32)[None, :, None, None]


@pytest.mark.parametrize(("mirror", "axes"), [(True, [(), (2,)]), ("both", [(), (1,), (2,), (1, 2)])])
def test_mirrors_are_the_mean_of_what_is_predicted_for_each_turned_back(mirror, axes):
    images = np.random.default_rng(0).random((2, 6, 8, 1)).astype(np.float32)
    found = Prediction(SPEC, mirror=mirror).applied(crooked, 3)(images)
    wanted = np.mean([np.flip(crooked(np.flip(images, a)), a) for a in axes], axis=0)
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    turned = Prediction(SPEC, mirror=mirror).applied(crooked, 3)(np.flip(images, 2))
    np.testing.assert_allclose(np.flip(turned, 2), found, atol=1e-6)


def test_a_plain_prediction_is_the_network_itself():
    assert Prediction(SPEC).applied(crooked, 3) is crooked
    assert Prediction(SPEC).options == {}
    assert Prediction(SPEC, 0.4).rule(2) == "threshold 0.4"
    assert Prediction(SPEC).rule(3) == "likeliest class"


def test_the_temperature_comes_after_the_mean_over_mirrors():
    images = np.random.default_rng(1).random((1, 6, 8, 1)).astype(np.float32)
    mean = Prediction(SPEC, mirror=True).applied(crooked, 3)(images)
    found = Prediction(SPEC, mirror=True, temperature=2.0).applied(crooked, 3)(images)
    np.testing.assert_array_equal(found, tempered(mean, 2.0))
    assert np.abs(found - mean).max() > 0.1


def test_the_dice_optimal_mask_is_larger_than_that_of_one_half_where_little_is_sure():
    unsure = np.zeros((6, 8, 1), np.float32)
    unsure[2, 2:5], unsure[3, 2:5] = 0.9, 0.45
    masks = {d: Prediction(SPEC, decision=d).decide(unsure, WHERE)[0] for d in ("threshold", "dice")}
    assert (masks["threshold"].sum(), masks["dice"].sum()) == (3, 6)


def test_cleaning_is_the_last_step_and_holes_are_filled_in_what_is_left():
    ring = np.zeros((6, 8, 1), np.float32)
    ring[:3, :3], ring[1, 1], ring[5, 7] = 0.9, 0.1, 0.9
    cleaned = Prediction(SPEC, component="largest", holes="fill").decide(ring, WHERE)[0]
    assert (cleaned.sum(), cleaned[1, 1], cleaned[5, 7]) == (9, 1, 0)


def test_what_was_done_is_said():
    whole = Prediction(
        SPEC, mirror=True, decision="dice", component="largest", holes="fill", temperature=1.314
    )
    assert whole.rule(2) == "mirrored, Dice-optimal, largest component, holes filled, temperature 1.31"
    assert whole.options["mirror"] is True
