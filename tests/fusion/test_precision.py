"""FusedModel under mixed precision: losses and memory stay float32."""

import keras
import numpy as np
import pytest

from dmf_cli import Auxiliary, losses, weighting
from dmf_cli.fusion import FusedModel
from tests.fusion.toys import BATCH, TERMS, WARMUP, X, Y, columns, fit, fused, network, strategy


def test_mixed_precision_keeps_losses_and_memory_in_float32() -> None:
    seen = set()

    def bce(y_true, y_pred):
        seen.add(keras.backend.standardize_dtype(y_pred.dtype))
        return losses.bce(y_true, y_pred)

    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = fused({"dice": "dice", "bce": bce}, auxiliary=Auxiliary("cbdice"))
        half = model(X[:BATCH])
        logs = fit(model, 2)
    finally:
        keras.config.set_dtype_policy("float32")
    assert keras.backend.standardize_dtype(half.dtype) == "bfloat16"
    assert seen == {"float32"}
    assert {keras.backend.standardize_dtype(v.dtype) for v in model._memory.values()} == {"float32", "int32"}
    loss = model.compute_loss(y=Y[:BATCH], y_pred=half, training=False)
    assert keras.backend.standardize_dtype(loss.dtype) == "float32"
    assert np.all(np.isfinite([value for values in logs.values() for value in values]))
    rows = model.recorder.take()
    replayed = weighting.replay("var", columns(rows, "loss"), warmup=WARMUP, window=8)
    np.testing.assert_allclose(columns(rows, "weight"), replayed, atol=1e-5)


@pytest.mark.parametrize("name", losses.__registry__)
def test_a_float16_head_has_finite_gradients_at_0_and_1(name: str, gradient) -> None:
    truth = np.zeros((1, 4, 4, 2), "float16")
    truth[:, :2, :, 0] = truth[:, 2:, :, 1] = 1.0
    value, slope = gradient(lambda p: losses.get(name)(truth, p), 1 - truth)
    assert slope.dtype == "float16"
    assert np.isfinite(value)
    assert np.isfinite(slope).all()


def test_so_it_is_in_a_fused_model() -> None:
    net = network(dtype="float16")
    net.layers[-1].bias.assign([60.0, -60.0])  # sure of the background everywhere
    model = FusedModel(net, ["ce"], "fixed", record_steps=9)
    model.compile(keras.optimizers.SGD(0.01))
    model.fit(X[:1], Y[:1], verbose=0)
    assert np.isfinite(model.recorder.take()[0]["loss"])
    assert all(np.isfinite(weights).all() for weights in net.get_weights())


def test_float16_trains_with_a_scaled_loss() -> None:
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = FusedModel(network(dtype="float32"), TERMS, strategy(), record_steps=99)
        model.compile(keras.optimizers.SGD(0.5))
        fit(model, 2)
    finally:
        keras.config.set_dtype_policy("float32")
    rows = model.recorder.take()
    assert rows[-1]["loss"] < rows[0]["loss"] < 2  # not the scaled value
    assert abs(columns(rows, "weight")[-1, 0] - 0.5) > 1e-4
