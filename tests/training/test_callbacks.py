"""What an epoch leaves behind, and what to do about a loss that became NaN."""

import math
from types import SimpleNamespace

import keras
import pytest

from dmf_cli.errors import NonFiniteError
from dmf_cli.run_folder import network_record
from dmf_cli.run_folder.folder import RunFolder
from dmf_cli.training import callbacks
from dmf_cli.training.best_epoch import Standing
from tests.raised import raises


@pytest.mark.parametrize(
    ("policy", "advised"), [("float32", False), ("mixed_bfloat16", False), ("mixed_float16", True)]
)
def test_float32_is_advised_where_it_would_help(monkeypatch, policy, advised):
    monkeypatch.setattr(keras.config, "dtype_policy", lambda: SimpleNamespace(name=policy))
    writer = callbacks.EpochWriter(None, "val_objective", [], print, stop=True)
    nan = SimpleNamespace(path="bn/moving_mean", value=keras.ops.convert_to_tensor([math.nan]))
    writer.set_model(SimpleNamespace(terms=("dice",), network=SimpleNamespace(non_trainable_variables=[nan])))
    step = {"step": 1, "loss": math.nan, "loss.dice": math.nan, "aux": 0.0}
    for check in (lambda: writer._check_finite(1, [step]), lambda: writer._check_statistics(1)):
        with raises(NonFiniteError, hint="optimizer.learning_rate") as caught:
            check()
        assert ("trainer.precision=float32" in str(caught.value)) == advised


class Saved:
    """A model of which only what it saves matters."""

    terms, insight = (), None

    def __init__(self):
        self.recorder = SimpleNamespace(take=list)
        self.network = SimpleNamespace(non_trainable_variables=[], save=lambda file: file.write_text("new"))
        self.memory = {"step": 4}
        self.optimizer = SimpleNamespace(learning_rate=0.1)


@pytest.fixture
def run(tmp_path):
    run = RunFolder.claim(tmp_path / "run")
    run.write_config("seed: 0\n")
    run.write_status("running", epoch=3, best={"epoch": 3, "val_foreground_dice": 0.0117})
    run.best_model.write_text("old")
    return run


@pytest.mark.parametrize("killed_at", ["the checkpoint", "the network", "the status"])
def test_after_a_kill_the_checkpoint_says_what_is_the_best(run, monkeypatch, killed_at):
    kept = {}

    def save(path, model, note, *_):
        if killed_at == "the checkpoint":
            raise KeyboardInterrupt
        kept.update(note)

    def killed(*_, **__):
        raise KeyboardInterrupt

    standing = Standing("val_foreground_dice")
    writer = callbacks.EpochWriter(run, "val_foreground_dice", [standing], print, stop=True)
    writer.set_model(Saved())
    writer.on_epoch_begin(3)
    monkeypatch.setattr(callbacks.checkpoint, "save", save)
    if killed_at != "the checkpoint":
        whose, what = (run, "settle_best") if killed_at == "the network" else (writer, "_write_status")
        monkeypatch.setattr(whose, what, killed)
    logs = {"loss": 1.0, "val_foreground_dice": 0.0927, "objective": 0.5, "val_objective": 0.5}
    standing.on_epoch_end(3, logs)
    with pytest.raises(KeyboardInterrupt):
        writer.on_epoch_end(3, logs)
    monkeypatch.undo()
    assert run.best_model.read_text() == ("new" if killed_at == "the status" else "old")
    if killed_at == "the checkpoint":  # the epoch is made again, from the checkpoint before
        kept = {"epoch": 3, "best_epoch": 3, "best": 0.0117, "skipped": 0}
    resumed = callbacks.EpochWriter(run, "val_foreground_dice", [standing], print, stop=True)
    run.settle_best(kept)
    resumed.begin_from(kept)
    run.truncate_after(kept["epoch"])
    best, text = (
        ({"epoch": 4, "val_foreground_dice": 0.0927}, "new")
        if kept["epoch"] == 4
        else ({"epoch": 3, "val_foreground_dice": 0.0117}, "old")
    )
    assert (run.read_status()["best"], run.read_status()["epoch"]) == (best, kept["epoch"])
    assert run.best_model.read_text() == text
    assert not list(run.checkpoints.glob("unfinished*"))


def test_after_a_fallback_the_best_network_is_that_of_the_checkpoint(run):
    """The newest checkpoint is damaged: the network that it called the best came after."""
    for epoch, text in ((4, "of epoch 4"), (5, "of epoch 5")):
        run.unfinished_model(epoch).write_text(text)
        hash_ = network_record.write(run, run.unfinished_model(epoch))
        run.settle_best({"epoch": epoch, "best_epoch": epoch})
        if epoch == 4:
            older = {"epoch": 4, "best_epoch": 4, "network": hash_}
    assert run.best_model.read_text() == "of epoch 5"
    assert run.best_after(older) == run.model_before
    run.settle_best(older)
    assert run.best_model.read_text() == "of epoch 4"
    network_record.check(run)
