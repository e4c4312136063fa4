"""Under mixed_float16 the loss is scaled, then the gradient is clipped: no strategy sees either."""

import keras
import numpy as np
import pytest

from dmf_cli import lookup, weighting
from dmf_cli.fusion import FusedModel
from dmf_cli.ops.backend import to_numpy
from tests.fusion.toys import BATCH, TERMS, WARMUP, X, Y, network

OPTIONS = {"warmup": WARMUP, "window": 8, "steps_per_epoch": 2}
CLIP = 0.05  # below the norm of every gradient here
SCALE = 2.0**10


@pytest.fixture
def made():
    """``made("var", "mixed_float16")``: a model whose plain gradient descent shows the gradient it got."""

    def make(name: str, policy: str, scale: float = SCALE) -> FusedModel:
        keras.config.set_dtype_policy(policy)
        known = lookup.keywords(getattr(weighting, name))
        strategy = weighting.get(name, **{k: v for k, v in OPTIONS.items() if k in known})
        model = FusedModel(network(dtype="float32"), TERMS, strategy, record_steps=99)
        steps = keras.optimizers.SGD(1.0, global_clipnorm=CLIP)
        half = policy == "mixed_float16"
        model.compile(keras.optimizers.LossScaleOptimizer(steps, initial_scale=scale) if half else steps)
        return model

    yield make
    keras.config.set_dtype_policy("float32")


def gradient(model: FusedModel, batch: slice) -> np.ndarray:
    """What one step of a rate of 1 moves the weights by."""
    before = [to_numpy(v) for v in model.network.trainable_variables]
    model.train_on_batch(X[batch], Y[batch])
    after = [to_numpy(v) for v in model.network.trainable_variables]
    return np.concatenate([(b - a).ravel() for a, b in zip(after, before, strict=True)])


@pytest.mark.parametrize("name", weighting.__registry__)
def test_the_applied_gradient_is_that_of_float32_and_an_overflow_leaves_no_trace(name: str, made) -> None:
    batches = [slice(i * BATCH, (i + 1) * BATCH) for i in range(WARMUP + 2)]
    half, full = made(name, "mixed_float16"), made(name, "float32")
    for batch in batches:
        one, other = gradient(half, batch), gradient(full, batch)
        assert np.linalg.norm(other) == pytest.approx(CLIP, rel=1e-3)
        np.testing.assert_allclose(one, other, atol=0.03 * CLIP)
    np.testing.assert_allclose(half.memory["weights"], full.memory["weights"], atol=0.02)

    half.optimizer.dynamic_scale.assign(2.0**100)  # no float16 holds such a gradient
    full.optimizer.learning_rate.assign(0.0)
    assert not gradient(half, batches[0]).any()
    assert float(half.optimizer.dynamic_scale) == 2.0**99
    gradient(full, batches[0])
    same_memory(half.memory, full.memory)  # the losses were finite: they count

    half.optimizer.dynamic_scale.assign(SCALE)
    before = half.memory
    half.train_on_batch(X[batches[1]] * 1e30, Y[batches[1]])  # no float16 holds such an activation
    after = half.memory
    assert (after.pop("skipped"), after.pop("step")) == (before.pop("skipped") + 1, before.pop("step") + 1)
    for key, value in before.items():
        np.testing.assert_array_equal(after[key], value, err_msg=key)
    full.optimizer.learning_rate.assign(1.0)
    np.testing.assert_allclose(gradient(half, batches[2]), gradient(full, batches[2]), atol=0.03 * CLIP)


def same_memory(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert one.keys() == other.keys()
    for key, value in one.items():
        assert np.isfinite(value).all(), key
        if value.dtype.kind == "i":
            np.testing.assert_array_equal(value, other[key], err_msg=key)
    np.testing.assert_allclose(one["weights"], other["weights"], atol=0.02)
