"""Properties of every loss of the registry, over shapes, ranks, heads and values."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from dmf_cli import losses
from dmf_cli.checking.findings import NOTED, PASSED
from dmf_cli.checking.loss_trial import TriedLoss
from dmf_cli.checking.losses import PROPERTIES
from dmf_cli.ops.backend import compiled
from tests.losses.cases import (
    NAMES,
    OF_SIZE,
    SHAPES,
    SYMMETRIC,
    SYMMETRIC_IF_HARD,
    UPPER,
    all_channels,
    can_be_negative,
    one_hot,
    random_case,
    smeared,
    spread_case,
)

each_loss = pytest.mark.parametrize("name", NAMES)
SHAPE = st.sampled_from(list(SHAPES.values()))
SEED = st.integers(0, 2**31 - 1)
few, some = settings(max_examples=3), settings(max_examples=6)


@each_loss
@pytest.mark.parametrize("wanted", PROPERTIES, ids=lambda wanted: wanted.name)
def test_what_dmf_check_looks_for(name: str, wanted) -> None:
    found = wanted.of(TriedLoss.of(losses.get(name)))
    expected = NOTED if name in OF_SIZE and wanted.name == "scale with image size" else PASSED
    assert (found.state, found.example) == (expected, ""), found.detail


@each_loss
@some
@given(seed=SEED, shape=SHAPE, ends=st.sampled_from([0.0, 0.5, 1.0]))
def test_any_probabilities_give_a_value_in_range(name: str, seed: int, shape, ends: float) -> None:
    y_true, y_pred = random_case(shape, seed)
    exact = np.random.default_rng(seed).random(shape) < ends  # of 0 and 1
    y_pred = np.where(exact, np.round(y_pred), y_pred).astype("float32")
    value = float(losses.get(name)(y_true, y_pred))
    assert value <= UPPER[name]
    assert value >= -2e-6 or (can_be_negative(name) and value >= -UPPER[name])


@each_loss
@few
@given(seed=SEED, shape=SHAPE)
def test_more_error_never_costs_less(name: str, seed: int, shape) -> None:
    y_true, _ = random_case(shape, seed)
    values = [float(losses.get(name)(y_true, smeared(y_true, t))) for t in (0.0, 0.05, 0.2, 0.45)]
    assert values == sorted(values)
    assert values[-1] > values[0]


@each_loss
@few
@given(seed=SEED, shape=st.sampled_from([(2, 4, 5, 3), (2, 3, 4, 2, 3)]))
def test_the_order_of_the_classes_does_not_matter(name: str, seed: int, shape) -> None:
    y_true, y_pred = random_case(shape, seed)
    # The background is special to one of them.
    order = [0, 2, 1] if name == "unified_focal" else [2, 0, 1]
    loss = losses.get(name, **all_channels(name))
    changed = float(loss(y_true[..., order], y_pred[..., order]))
    assert changed == pytest.approx(float(loss(y_true, y_pred)), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("name", [*SYMMETRIC, *SYMMETRIC_IF_HARD])
@few
@given(seed=SEED, shape=SHAPE)
def test_truth_and_prediction_may_change_places(name: str, seed: int, shape) -> None:
    (hard, a), (other, b) = random_case(shape, seed), random_case(shape, seed + 1)
    loss = losses.get(name, **(SYMMETRIC | SYMMETRIC_IF_HARD)[name])
    for one, two in [(hard, other)] + [(a, b)] * (name in SYMMETRIC):
        assert float(loss(one, two)) == pytest.approx(float(loss(two, one)), rel=1e-5, abs=1e-6)


@each_loss
@pytest.mark.parametrize("shape", [(2, 4, 5, 1), (2, 4, 5, 3)], ids=str)
def test_the_gradient_is_that_of_finite_differences(name: str, shape, gradient) -> None:
    y_true, y_pred = spread_case(shape)
    loss = losses.get(name)
    _, slope = gradient(lambda p: loss(y_true, p), y_pred)
    rng = np.random.default_rng(1)
    for _ in range(2):
        # Uphill in every coordinate, by different amounts: no error of one can hide behind another,
        # and the sum is far above the rounding of float32 (6e-8 of the value over the step).
        way = np.sign(slope) * rng.uniform(0.3, 1.0, shape)
        step = 5e-4
        ahead, behind = (float(loss(y_true, (y_pred + s * way).astype("float32"))) for s in (step, -step))
        assert (ahead - behind) / (2 * step) == pytest.approx(float((slope * way).sum()), rel=1e-2)


def test_xla_gives_the_same_values() -> None:
    functions = [losses.get(name) for name in NAMES]

    def every(y, p):
        return ops.stack([loss(y, p) for loss in functions])

    y, p = map(ops.convert_to_tensor, random_case((2, 4, 5, 3)))
    function = compiled(every)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        function = tf.function(every, jit_compile=True, autograph=False)
    found = ops.convert_to_numpy(function(y, p))
    np.testing.assert_allclose(found, ops.convert_to_numpy(every(y, p)), rtol=1e-5)


@pytest.mark.parametrize("name", ["bce", "ce", "focal"])
def test_pixel_losses_are_linear_in_soft_labels(name: str) -> None:
    y_true, y_pred = random_case((2, 4, 5, 3))
    other = one_hot((y_true.argmax(-1) + 1) % 3, 3)
    loss = losses.get(name)
    mixed = float(loss(0.25 * y_true + 0.75 * other, y_pred))
    assert mixed == pytest.approx(
        0.25 * float(loss(y_true, y_pred)) + 0.75 * float(loss(other, y_pred)), rel=1e-5
    )


@pytest.mark.parametrize("name", ["lovasz", "sensspec"])
def test_losses_of_errors_are_zero_at_soft_labels(name: str) -> None:
    _, soft = random_case((2, 4, 5, 3))
    assert float(losses.get(name)(soft, soft)) == 0.0


@pytest.mark.parametrize("squared", [True, False])
def test_dice_of_soft_labels_has_its_minimum_at_the_labels_if_squared(squared: bool, gradient) -> None:
    soft = np.random.default_rng(0).uniform(0.2, 0.8, (1, 4, 5, 1)).astype("float32")
    value, slope = gradient(lambda p: losses.get("dice", squared=squared)(soft, p), soft)
    assert (abs(value) < 1e-6) == squared
    assert (np.abs(slope).max() < 1e-6) == squared
