"""FusedModel: what a compiled training run does with the weights, and what survives saving."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from dmf_cli import Auxiliary, _gradients, fuse, losses, weighting
from dmf_cli.errors import ConfigError, UnknownNameError
from dmf_cli.fusion import FusedModel

# Keras 3.15 itself, when it saves or reads a variable under NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:keras")

WARMUP, STEPS, BATCH = 4, 6, 4
TERMS = ("dice", "bce")


def images(count: int = STEPS * BATCH, size: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Noisy squares and their one-hot masks."""
    rng = np.random.default_rng(0)
    labels = np.zeros((count, size, size), dtype=int)
    for label in labels:
        top, left = rng.integers(0, size - 3, 2)
        label[top : top + 3, left : left + 3] = 1
    x = labels[..., None] + rng.normal(0, 0.5, (count, size, size, 1))
    return x.astype("float32"), np.eye(2, dtype="float32")[labels]


X, Y = images()


def network(seed: int = 0, **last) -> keras.Model:
    """Two convolutions whose initial values come from NumPy."""
    convolution = keras.layers.Conv2D
    layers = [
        convolution(4, 3, padding="same", activation="relu"),
        convolution(2, 1, activation="softmax", **last),
    ]
    net = keras.Sequential([keras.Input((8, 8, 1)), *layers])
    rng = np.random.default_rng(seed)
    net.set_weights([rng.normal(0, 0.3, w.shape).astype("float32") for w in net.get_weights()])
    return net


def strategy(name: str = "var", **params) -> weighting.Strategy:
    return weighting.get(name, warmup=WARMUP, window=8, **params)


def fused(terms=TERMS, weights=None, auxiliary=None, optimizer=None, **options) -> FusedModel:
    model = FusedModel(network(), terms, weights or strategy(), auxiliary, record_steps=99, **options)
    model.compile(optimizer or keras.optimizers.SGD(0.5))
    return model


def fit(model: FusedModel, epochs: int = 1, **options) -> dict[str, list[float]]:
    return model.fit(X, Y, batch_size=BATCH, epochs=epochs, shuffle=False, verbose=0, **options).history


def columns(rows: list[dict[str, float]], kind: str, terms=TERMS) -> np.ndarray:
    return np.array([[row[f"{kind}.{term}"] for term in terms] for row in rows])


@pytest.fixture(scope="module")
def trained() -> tuple[FusedModel, list[dict[str, float]], dict[str, list[float]]]:
    """A run of two epochs with an auxiliary loss: the model, its steps, its logs."""
    model = fused(auxiliary=Auxiliary("cbdice", gamma0=2.0, decay=0.5, every=3))
    logs = fit(model, 2, validation_data=(X[:6], Y[:6]))
    return model, model.recorder.take(), logs


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


def test_gamma_is_exactly_the_formula(trained) -> None:
    _, rows, _ = trained
    steps = np.arange(2 * STEPS)
    assert [row["step"] for row in rows] == steps.tolist()
    np.testing.assert_allclose([row["gamma"] for row in rows], 2.0 * np.exp(-0.5 * (steps // 3)), rtol=1e-6)
    total = (columns(rows, "loss") * columns(rows, "weight")).sum(axis=1)
    total += [row["gamma"] * row["aux"] for row in rows]
    np.testing.assert_allclose([row["loss"] for row in rows], total, rtol=1e-5)


def test_gamma_of_the_notebook() -> None:
    auxiliary = Auxiliary("cbdice", gamma0=5, decay=0.05, every=100)
    got = [float(auxiliary.gamma(ops.convert_to_tensor(k, "int32"))) for k in (0, 99, 100, 199, 200, 1000)]
    np.testing.assert_allclose(got, [5.0, 5.0, 4.7561474, 4.7561474, 4.5241871, 3.0326533], rtol=1e-6)


def test_the_auxiliary_loss_is_trained_on() -> None:
    with_it, without = (
        fused("bce", weighting.get("fixed"), Auxiliary("dice")),
        fused("bce", weighting.get("fixed")),
    )
    fit(with_it), fit(without)
    assert not np.allclose(with_it.network.get_weights()[0], without.network.get_weights()[0])
    both = fused({"bce": "bce", "dice": "dice"}, weighting.get("fixed", total=None, prior=[1, 5]))
    fit(both)
    for ours, theirs in zip(with_it.network.get_weights(), both.network.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


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


def test_logs_of_an_epoch(trained) -> None:
    model, rows, logs = trained
    per_term = [f"{kind}.{term}" for kind in ("loss", "weight", "share") for term in TERMS]
    keys = {"loss", "objective", "raw_sum", "gamma", "aux", *per_term}
    assert set(logs) == keys | {f"val_{key}" for key in keys}
    for epoch in (0, 1):
        part = rows[epoch * STEPS : (epoch + 1) * STEPS]
        for key in ("loss", "gamma", "aux", "loss.dice", "weight.bce"):
            assert logs[key][epoch] == pytest.approx(np.mean([row[key] for row in part]), rel=1e-5), key
        share = columns(part, "loss") * columns(part, "weight")
        assert logs["share.dice"][epoch] == pytest.approx(share[:, 0].mean(), rel=1e-5)
        assert logs["objective"][epoch] == pytest.approx(columns(part, "loss").mean(), rel=1e-5)
        assert logs["raw_sum"][epoch] == pytest.approx(1.0, rel=1e-5)
    # Validation neither writes a step nor moves the memory.
    assert len(rows) == 2 * STEPS == model.memory["step"]
    assert logs["val_weight.dice"][-1] == pytest.approx(rows[-1]["weight.dice"], rel=1e-6)


def test_epoch_means_count_samples_not_batches() -> None:
    model = fused(weights=weighting.get("fixed"))
    logs = model.evaluate(X[:6], Y[:6], batch_size=4, return_dict=True, verbose=0)
    y_pred = model.predict(X[:6], verbose=0)
    assert logs["loss.bce"] == pytest.approx(float(losses.bce(Y[:6], y_pred)), rel=1e-5)


def test_the_validation_objective_does_not_move_with_the_weights() -> None:
    model = fused(weights=strategy(prior=[3.0, 1.0]))
    before = model.evaluate(X, Y, return_dict=True, verbose=0)
    model._memory["weights"].assign([0.1, 0.9])
    after = model.evaluate(X, Y, return_dict=True, verbose=0)
    assert after["objective"] == before["objective"]
    assert after["objective"] == pytest.approx(0.75 * after["loss.dice"] + 0.25 * after["loss.bce"], rel=1e-5)
    assert after["loss"] != pytest.approx(before["loss"], rel=1e-3)


def test_recorded_steps_are_read_once_and_keep_the_last() -> None:
    model = FusedModel(network(), TERMS, strategy(), record_steps=4)
    model.compile("sgd")
    fit(model)
    assert [row["step"] for row in model.recorder.take()] == [2, 3, 4, 5]
    assert model.recorder.take() == []
    fit(model)
    assert [row["step"] for row in model.recorder.take()] == [8, 9, 10, 11]


def test_reading_the_steps_between_epochs_changes_nothing() -> None:
    taken: list[dict[str, float]] = []
    model, other = fused(), fused()
    read = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: taken.extend(model.recorder.take())
    )
    fit(model, 3, callbacks=[read], validation_data=(X[:6], Y[:6]))
    fit(other, 3)
    assert taken == other.recorder.take()


def same_memory(a: FusedModel, b: FusedModel) -> None:
    assert a.memory.keys() == b.memory.keys()
    for key, value in a.memory.items():
        assert value.dtype == b.memory[key].dtype, key
        np.testing.assert_array_equal(value, b.memory[key], err_msg=key)


@pytest.mark.parametrize("name", ["var", "bayes"])
def test_saved_weights_carry_the_memory_and_training_goes_on(name: str, tmp_path: Path) -> None:
    whole, first, second = (fused(weights=strategy(name)) for _ in range(3))
    fit(whole, 2)
    fit(first, 1)
    first.save_weights(tmp_path / "half.weights.h5")
    second.network.set_weights(network(seed=1).get_weights())
    second.load_weights(tmp_path / "half.weights.h5")
    same_memory(first, second)
    fit(second, 1)
    same_memory(whole, second)
    for a, b in zip(whole.network.get_weights(), second.network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_keras_file_carries_everything_and_training_goes_on(tmp_path: Path) -> None:
    terms = {"d": losses.get("dice", pool="batch"), "b": "bce", "c": "cbdice"}
    options = {
        "weights": strategy("bayes", prior=[1, 2, 1], total=3.0, prior_power=0.25),
        "auxiliary": Auxiliary(losses.get("iou", smooth=1.0), gamma0=1.0, decay=0.1, every=2),
    }
    whole, model = (fused(terms, optimizer=keras.optimizers.Adam(0.01), **options) for _ in range(2))
    fit(whole, 2)
    fit(model, 1)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(again, FusedModel)
    assert again.terms == ("d", "b", "c")
    assert json.loads(json.dumps(again.get_config())) == json.loads(json.dumps(model.get_config()))
    same_memory(model, again)
    np.testing.assert_array_equal(model.predict(X, verbose=0), again.predict(X, verbose=0))
    logs, expected = fit(again, 1), fit(model, 1)
    assert logs == expected
    same_memory(whole, again)


def test_the_network_inside_is_deployed_alone(tmp_path: Path) -> None:
    model = fused()
    fit(model)
    model.network.save(tmp_path / "net.keras")
    again = keras.models.load_model(tmp_path / "net.keras")
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))


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


def test_a_penalty_on_the_weights_is_part_of_the_loss() -> None:
    net = network()
    net.add(keras.layers.Activation("linear", activity_regularizer=keras.regularizers.L2(0.1)))
    model = fuse(net, TERMS, "fixed")
    model.compile("sgd")
    logs = model.evaluate(X, Y, return_dict=True, verbose=0)
    assert logs["loss"] > logs["objective"] + 1e-3


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


def measured(model: FusedModel, x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """Gradient statistics of dice and bce for a batch, outside of the model."""
    p = ops.convert_to_tensor(model.predict_on_batch(x))
    parts = [lambda q: losses.dice(y, q), lambda q: losses.bce(y, q)]
    found = _gradients.gradient_statistics(_gradients.logit_gradients(parts, p))
    return {name: ops.convert_to_numpy(value) for name, value in found.items()}


def test_insight_holds_norms_and_cosines_of_every_kth_step() -> None:
    plain, model = fused(), fused(insight_every=4)
    fit(model, 2, validation_data=(X[:6], Y[:6])), fit(plain, 2)
    rows = model.insight.take()
    assert [row["step"] for row in rows] == [0, 4, 8]
    sizes = [f"{kind}.{term}" for kind in ("norm", "mean_abs", "max_abs") for term in TERMS]
    assert list(rows[0]) == ["step", *sizes, "cosine.dice|bce"]
    assert model.recorder.take() == plain.recorder.take()  # it watches and changes nothing
    first = measured(fused(), X[:BATCH], Y[:BATCH])
    for kind in ("norm", "mean_abs", "max_abs"):
        assert columns(rows[:1], kind)[0] == pytest.approx(first[kind], rel=1e-4)
    assert rows[0]["cosine.dice|bce"] == pytest.approx(first["cosine"][0, 1], rel=1e-4)
    fit(model)
    assert [row["step"] for row in model.insight.take()] == [12, 16]


def test_a_config_builds_a_model_that_records_the_same() -> None:
    again = FusedModel.from_config(fused(insight_every=4).get_config())
    assert (again.recorder.capacity, again.insight_every, again.insight.capacity) == (99, 4, 25)
    assert FusedModel.from_config(fuse(network(), TERMS).get_config()).recorder is None


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
        with pytest.raises(ConfigError, match="'hard' has no gradient"):
            fit(model)


@pytest.mark.parametrize(
    "terms",
    [
        ["dice", "bce"],
        ("dice", "bce"),
        "dice + bce",
        {"dice": "dice", "bce": losses.bce},
    ],
)
def test_terms_in_every_form(terms) -> None:
    model = fuse(network(), terms)
    assert model.terms == ("dice", "bce")
    model.compile("sgd")
    logs = model.evaluate(X, Y, return_dict=True, verbose=0)
    y_pred = model.predict(X, verbose=0)
    assert logs["loss.dice"] == pytest.approx(float(losses.dice(Y, y_pred)), rel=1e-4)
    assert logs["loss.bce"] == pytest.approx(float(losses.bce(Y, y_pred)), rel=1e-4)


def test_a_loss_object_of_keras_is_a_term() -> None:
    model = fused({"error": keras.losses.MeanSquaredError()})
    logs = model.evaluate(X, Y, return_dict=True, verbose=0)
    assert logs["loss.error"] == pytest.approx(np.square(Y - model.predict(X, verbose=0)).mean(), rel=1e-4)


def test_a_metric_and_a_single_term() -> None:
    model = fuse(network(), ["dice"], weighting.get("var", warmup=2, window=4))
    model.compile("sgd", metrics=[keras.metrics.MeanSquaredError(name="mse")])
    logs = fit(model)
    assert logs["weight.dice"] == [1.0]
    assert "mse" in logs


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: fuse(network(), []), "no loss terms"),
        (lambda: fuse(network(), {}), "no loss terms"),
        (lambda: fuse(network(), "dice+dcie"), "unknown loss 'dcie': did you mean 'dice'"),
        (lambda: fuse(network(), ["dice", "dice"]), "once"),
        (lambda: fuse(network(), [losses.dice]), "without a name"),
        (lambda: fuse(network(), {"dice": 3}), "a loss term is 3"),
        (lambda: fuse(network(), TERMS, "varr"), "unknown weighting 'varr': did you mean 'var'"),
        (lambda: fuse(network(), TERMS, weighting.var), "weighting is <class"),
        (
            lambda: fuse(network(), TERMS, weighting.get("fixed", prior=[1])),
            "1 coefficients for 2 loss terms",
        ),
        (lambda: fuse(network(), TERMS, auxiliary="cbdice"), "auxiliary is 'cbdice'"),
        (lambda: fuse(network(), TERMS, auxiliary=Auxiliary("cbdcie")), "did you mean 'cbdice'"),
        (lambda: fused(insight_every=-1), "insight_every is -1"),
        (lambda: FusedModel(network(), TERMS, insight_every=5), "record_steps 0"),
        (lambda: Auxiliary("dice", gamma0=-1), "auxiliary.gamma0 is -1: give a number of 0 or above"),
        (lambda: Auxiliary("dice", decay=float("nan")), "auxiliary.decay is nan"),
        (lambda: Auxiliary("dice", every=0), "auxiliary.every is 0: give a whole number of 1 or above"),
        (lambda: Auxiliary("dice", every=2.5), "auxiliary.every is 2.5: give a whole number"),
        (lambda: Auxiliary("dice", gamma0=float("inf")), "auxiliary.gamma0 is inf"),
    ],
)
def test_a_wrong_argument(make, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        make()


def test_an_unknown_term_is_an_unknown_name() -> None:
    with pytest.raises(UnknownNameError):
        fuse(network(), ["dcie"])


def test_sample_weights_are_refused() -> None:
    with pytest.raises(ConfigError, match="sample_weight is not supported"):
        fit(fused(), sample_weight=np.ones(len(X)))


def test_a_loss_in_compile_is_refused() -> None:
    model = fuse(network(), TERMS)
    model.compile("sgd", loss="mse")
    with pytest.raises(ConfigError, match="give an optimizer only"):
        fit(model)


def test_a_term_that_is_no_scalar_is_refused() -> None:
    model = fused({"per pixel": keras.losses.binary_crossentropy})
    with pytest.raises(ConfigError, match=r"'per pixel' returned shape .* must return a scalar"):
        fit(model)


if keras.backend.backend() == "tensorflow":

    def test_nothing_in_the_step_calls_back_to_the_host() -> None:
        import tensorflow as tf

        model = fused(auxiliary=Auxiliary("cbdice"))
        step = tf.function(lambda x, y: model.train_step((x, y))).get_concrete_function(X[:BATCH], Y[:BATCH])
        kinds = {op.type for op in step.graph.get_operations()}
        assert not kinds & {"PyFunc", "EagerPyFunc", "Print", "PrintV2", "HostConst"}
        assert "AssignVariableOp" in kinds
