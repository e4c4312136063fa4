"""A run whose loss diverges goes back once, and on with a lower rate: bitwise, also if it is stopped."""

import json

import keras
import numpy as np
import pytest

from dmf_cli.api.run import Run
from dmf_cli.errors import NonFiniteError
from dmf_cli.report.reading import read
from dmf_cli.report.run_page import context
from dmf_cli.run_folder import checkpoint_file
from dmf_cli.training import build, callbacks, extend, rollback, trainer
from tests.tables import rows
from tests.training.stopping import arrays, stop_after, stopped

OPTIONS = ("trainer.on_diverge=rollback", "weighting=var", "weighting.warmup=1", "trainer.epochs=3")
OPTIONS += ("model.dropout=0.2", "optimizer.learning_rate=0.01", "trainer.on_nonfinite=stop")
SMALL = ("dataset.size=16", "dataset.image_size=16", "model.depth=1")  # float16 is slow on a CPU


@pytest.fixture
def cliff(monkeypatch):
    """``cliff(0.3)``: the loss is the foreground's probability, and NaN once that is below 0.3."""

    def below(value):
        def loss(y_true, y_pred):
            mean = keras.ops.mean(y_pred[..., 1])
            return keras.ops.where(mean < value, float("nan"), 1.0) * mean

        monkeypatch.setattr(build, "loss_terms", lambda terms: dict.fromkeys(terms, loss))

    return below


def status(folder):
    return json.loads((folder / "status.json").read_text())


def rates(folder):
    return [float(row["learning_rate"]) for row in rows(folder / "epochs.csv")]


def equal(one, other):
    """Two runs have the same checkpoint, to the last bit, and the same steps and scores."""
    first, second = (arrays(run / "checkpoints/last.npz") for run in (one, other))
    assert first.keys() == second.keys()
    assert [key for key in first if not np.array_equal(first[key], second[key])] == []
    for name in ("steps.csv", "diverged.csv", "metrics/test_per_image.csv"):
        assert (one / name).read_text() == (other / name).read_text()
    assert status(one)["rollback"] == status(other)["rollback"]


def test_a_run_that_diverges_goes_back_and_on_with_a_tenth_of_the_rate(tiny, cliff, monkeypatch):
    cliff(0.175)
    whole = trainer.train(tiny(*OPTIONS, "schedule=constant", run="whole"))
    assert rates(whole) == pytest.approx([0.01, 0.001, 0.001])
    assert status(whole)["state"] == "completed"
    assert {key: status(whole)["rollback"][key] for key in ("epoch", "step", "factor")} == {
        "epoch": 1,
        "step": 0,
        "factor": 0.1,
    }
    assert [int(row["step"]) for row in rows(whole / "steps.csv")] == list(range(12))
    undone = rows(whole / "diverged.csv")
    assert list(undone[0]) == list(rows(whole / "steps.csv")[0])
    assert [row["epoch"] for row in undone] == ["2"] * 4
    assert "nan" in [row["loss"] for row in undone]
    assert len(Run(whole).diverged["step"]) == 4
    reason = status(whole)["rollback"]["reason"]
    assert (
        sum(reason in line and " WARNING " in line for line in (whole / "train.log").read_text().splitlines())
        == 1
    )
    assert any(reason in line for line in context(read(whole))["warnings"])

    monkeypatch.setattr(trainer.Display, "epoch", stop_after(2))
    part = whole.with_name("part")
    with pytest.raises(KeyboardInterrupt):
        trainer.train(tiny(*OPTIONS, "schedule=constant", run="part"))
    monkeypatch.undo()
    cliff(0.175)
    trainer.resume(part)
    equal(whole, part)
    cliff(0.0)
    longer = extend.extend(whole, extend.extension_config(whole, ["trainer.epochs=4", f"run_dir={whole}_4"]))
    assert rates(longer)[-1] == pytest.approx(0.001)


def test_steps_that_were_skipped_are_undone_with_the_epochs_that_ended_in_them(tiny, cliff):
    cliff(0.175)
    options = [word for word in OPTIONS if not word.startswith(("model.dropout", "trainer.on_nonfinite"))]
    folder = trainer.train(tiny(*options, "trainer.on_nonfinite=skip", "schedule=constant"))
    assert "(epoch 2)" in status(folder)["rollback"]["reason"]
    assert status(folder)["rollback"]["epoch"] == 0  # the first ended in skipped steps
    assert [row["epoch"] for row in rows(folder / "diverged.csv")] == ["1"] * 4 + ["2"] * 4
    assert status(folder)["skipped_steps"] == 0
    assert rates(folder) == pytest.approx([0.001] * 3)


def test_a_validation_that_diverges_is_undone_with_its_epoch(tiny, monkeypatch):
    """Its checkpoints inside the epoch are no better: nobody validated them."""
    row, seen = callbacks.EpochWriter._row, []

    def spoilt(self, epoch, logs):
        seen.append(epoch)
        found = row(self, epoch, logs)
        return {**found, "val_objective": float("nan")} if seen == [1, 2] else found

    monkeypatch.setattr(callbacks.EpochWriter, "_row", spoilt)
    options = [*OPTIONS, "schedule=constant", "trainer.checkpoint_minutes=1e-9", "trainer.keep=9"]
    folder = trainer.train(tiny(*options))
    assert (seen, status(folder)["rollback"]["epoch"]) == ([1, 2, 2, 3], 1)
    assert status(folder)["rollback"]["step"] == 0


def test_a_second_divergence_ends_the_run_also_after_it_was_resumed(tiny, cliff, tmp_path, monkeypatch):
    cliff(0.32)
    with pytest.raises(NonFiniteError):
        trainer.train(tiny(*OPTIONS, "schedule=constant"))
    folder = tmp_path / "run"
    assert status(folder)["state"] == "failed"
    assert status(folder)["rollback"]["epoch"] == 0
    before = (folder / "diverged.csv").read_text()
    monkeypatch.setattr(rollback, "_restore", lambda *_: pytest.fail("what was made since is put back"))
    with pytest.raises(NonFiniteError):
        trainer.resume(folder)
    assert (folder / "diverged.csv").read_text() == before


@pytest.mark.parametrize(
    ("edge", "options"),
    [
        (0.21, ("schedule=cosine", "optimizer.ema=0.5", "trainer.precision=mixed_float16", *SMALL)),
        (0.17, ("schedule=plateau", "optimizer=adamw", "augment=strong", "trainer.insight_every=2")),
    ],
)
def test_it_goes_back_into_an_epoch_bitwise(tiny, cliff, monkeypatch, edge, options):
    """A checkpoint is made before each step; the run is stopped before it diverges, and after."""
    monkeypatch.setattr(rollback, "FACTOR", -0.1)  # uphill: away from the cliff
    cliff(edge)
    often = (*OPTIONS, *options, "trainer.checkpoint_minutes=1e-9", "trainer.keep=3")
    whole = trainer.train(tiny(*often, run="whole"))
    assert status(whole)["rollback"]["step"] > 0
    part = whole.with_name("part")
    stopped(monkeypatch, "on_train_batch_begin", 3, lambda: trainer.train(tiny(*often, run="part")))
    stopped(monkeypatch, "on_train_batch_begin", 7, lambda: trainer.resume(part))
    assert checkpoint_file.newest(part / "checkpoints/last.npz")[1]["rollback"]
    trainer.resume(part)
    equal(whole, part)
    keras.config.set_dtype_policy("float32")
