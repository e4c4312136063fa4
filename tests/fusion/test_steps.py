"""FusedModel: with which weights each compiled step is trained."""

import keras
import numpy as np
import pytest
from keras import ops

from dmf_cli import Auxiliary, losses, weighting
from dmf_cli.errors import ConfigError
from tests.fusion.toys import BATCH, STEPS, WARMUP, X, Y, columns, fit, fused, measured, strategy


def test_the_weights_move_after_the_warmup_inside_one_trace() -> None:
    traced = []

    def counted(y_true, y_pred):
        traced.append(1)
        return losses.dice(y_true, y_pred)

    model = fused({"dice": counted, "bce": "bce"})
    after_first = []
    first = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: after_first.append(len(traced))
    )
    fit(model, 3, callbacks=[first])
    if keras.backend.backend() != "torch":  # there every step runs as Python
        # Keras itself may trace more than once before the first step, never after it.
        assert set(after_first) == {len(traced)}
        assert len(traced) < 3 * STEPS
    weights = columns(model.recorder.take(), "weight")
    assert len(weights) == 3 * STEPS
    np.testing.assert_allclose(weights[: WARMUP - 1], 0.5, rtol=1e-6)
    assert np.all(np.abs(weights[WARMUP - 1 :] - 0.5).max(axis=1) > 1e-4)
    assert np.all(np.diff(weights[WARMUP:, 0]) != 0)
    assert model.memory["step"] == model.memory["stored"] == 3 * STEPS


@pytest.mark.parametrize("name", ["var", "mad", "bayes"])
def test_each_step_is_trained_with_what_replay_gives(name: str) -> None:
    model = fused(weights=strategy(name))
    fit(model, 2)
    rows = model.recorder.take()
    raw, weights = columns(rows, "loss"), columns(rows, "weight")
    replayed = weighting.replay(name, raw, warmup=WARMUP, window=8)
    np.testing.assert_allclose(weights, replayed, atol=1e-6)
    np.testing.assert_allclose([row["loss"] for row in rows], (weights * raw).sum(axis=1), rtol=1e-5)
    np.testing.assert_allclose(model.memory["weights"], replayed[-1], atol=1e-6)


@pytest.mark.parametrize("name", ["var", "mad", "bayes"])
def test_the_gradient_is_that_of_frozen_weights(name: str) -> None:
    model = fused(weights=strategy(name))
    fit(model)
    before = model.network.get_weights()
    model.fit(X[:BATCH], Y[:BATCH], batch_size=BATCH, verbose=0)
    used = columns(model.recorder.take()[-1:], "weight")[0]
    assert abs(used[0] - used[1]) > 1e-3
    frozen = fused(weights=weighting.get("fixed", total=None, prior=used))
    frozen.network.set_weights(before)
    frozen.fit(X[:BATCH], Y[:BATCH], batch_size=BATCH, verbose=0)
    for start, ours, theirs in zip(
        before, model.network.get_weights(), frozen.network.get_weights(), strict=True
    ):
        np.testing.assert_allclose(ours - start, theirs - start, rtol=1e-3, atol=1e-7)
        assert np.abs(ours - start).max() > 1e-4


def test_one_nan_batch_leaves_the_memory_alone() -> None:
    model = fused(optimizer=keras.optimizers.SGD(0.0))
    fit(model)
    before = model.memory
    model.fit(X[:BATCH], np.full_like(Y[:BATCH], np.nan), verbose=0)
    after = model.memory
    assert (after["step"], after["stored"], after["skipped"]) == (STEPS + 1, STEPS, 1)
    np.testing.assert_array_equal(after["weights"], before["weights"])
    np.testing.assert_array_equal(after["history"], before["history"])
    assert np.isnan(model.recorder.take()[-1]["loss.dice"])


class by_norm(weighting.Strategy):  # noqa: N801
    """Weights in proportion to the norms of the gradients: what reaches a strategy is seen in them."""

    needs_gradients = True
    statistics = ("norm",)

    def adapt(self, state, losses):
        norm = state["gradients"]["norm"]
        return {}, norm / ops.maximum(ops.sum(norm), 1e-12)


def test_a_strategy_that_needs_gradients_gets_them_when_due() -> None:
    model = fused(weights=by_norm(warmup=1, every=3))
    fit(model)
    weights = columns(model.recorder.take(), "weight")
    norm = measured(fused(), X[:BATCH], Y[:BATCH])["norm"]
    np.testing.assert_allclose(weights[0], norm / norm.sum(), rtol=1e-4)
    assert [bool(changed) for changed in np.any(np.diff(weights, axis=0), axis=1)] == [0, 0, 1, 0, 0]


if keras.backend.backend() != "jax":  # where a missing gradient is zeros

    def test_a_term_without_a_gradient_is_refused_by_a_strategy_that_needs_it() -> None:
        def hard(y_true, y_pred):
            return ops.mean(ops.abs(y_true - ops.stop_gradient(y_pred)))

        model = fused({"hard": hard, "bce": "bce"}, by_norm(warmup=1))
        # Keras's cond raises it again with its text alone: there are no fields.
        with pytest.raises(ConfigError, match="'hard' has no gradient"):
            fit(model)


if keras.backend.backend() == "tensorflow":

    def test_nothing_in_the_step_calls_back_to_the_host() -> None:
        import tensorflow as tf

        model = fused(auxiliary=Auxiliary("cbdice"))
        step = tf.function(lambda x, y: model.train_step((x, y))).get_concrete_function(X[:BATCH], Y[:BATCH])
        kinds = {op.type for op in step.graph.get_operations()}
        assert not kinds & {"PyFunc", "EagerPyFunc", "Print", "PrintV2", "HostConst"}
        assert "AssignVariableOp" in kinds
