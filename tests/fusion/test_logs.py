"""FusedModel: logs of an epoch, recorded steps and insight."""

import keras
import numpy as np
import pytest

from dmf_cli import Auxiliary, losses, weighting
from dmf_cli.fusion import FusedModel, fuse
from tests.fusion.toys import BATCH, STEPS, TERMS, X, Y, columns, fit, fused, measured, network, strategy


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
    assert after["loss"] == before["loss"] == pytest.approx(after["objective"], rel=1e-6)


def test_val_loss_stands_still_when_the_network_does() -> None:
    model = fused(
        auxiliary=Auxiliary("cbdice", gamma0=5.0, decay=1.0, every=1), optimizer=keras.optimizers.SGD(0.0)
    )
    stop = keras.callbacks.EarlyStopping(patience=2)
    logs = fit(model, 12, validation_data=(X[:6], Y[:6]), callbacks=[stop])
    assert len(logs["val_loss"]) == 3
    assert logs["loss"][-1] < logs["loss"][0]  # the auxiliary loss fades
    assert logs["val_loss"] == pytest.approx(logs["val_objective"], rel=1e-6)


def test_fit_prints_the_loss_the_weights_and_the_metrics(capsys) -> None:
    model = fuse(network(), TERMS, "fixed", Auxiliary("cbdice"))
    model.compile("sgd", metrics=[keras.metrics.MeanSquaredError(name="mse")])
    history = model.fit(X, Y, batch_size=BATCH, validation_data=(X, Y), verbose=2)
    shown = [part.split(":")[0] for part in capsys.readouterr().out.splitlines()[-1].split(" - ")[1:]]
    assert sorted(name for name in shown if not name[0].isdigit()) == [
        "loss",
        "mse",
        "val_loss",
        "val_mse",
        "weight.bce",
        "weight.dice",
    ]
    assert {"aux", "gamma", "loss.dice", "share.bce", "val_loss.dice"} <= set(history.history)
    model.fit(X, Y, batch_size=BATCH, verbose=0)
    assert capsys.readouterr().out == ""


def test_a_penalty_on_the_weights_is_part_of_the_loss() -> None:
    net = network()
    net.add(keras.layers.Activation("linear", activity_regularizer=keras.regularizers.L2(0.1)))
    model = fuse(net, TERMS, "fixed")
    model.compile("sgd")
    logs = model.evaluate(X, Y, return_dict=True, verbose=0)
    assert logs["loss"] > logs["objective"] + 1e-3


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
