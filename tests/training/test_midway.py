"""When a checkpoint inside an epoch is made; that a run goes on from one bitwise is test_trainer.py's."""

import math
from types import SimpleNamespace

import pytest

from dmf_cli.errors import NonFiniteError, RunFolderError
from dmf_cli.interrupts import Deferred
from dmf_cli.training import callbacks
from dmf_cli.training.midway import Midway
from tests.raised import raises

STEPS = 4


class Run:
    """Epochs of some steps, each of which takes so many seconds; what was saved and shown."""

    def __init__(self, minutes=None, seconds=0.0):
        self.now, self.seconds, self.saved, self.shown, self.stop = 0.0, seconds, [], [], Deferred()
        self.inside = Midway(
            lambda step, counted: self.saved.append(step),
            self.stop,
            STEPS,
            beat=lambda step, steps: self.shown.append((step, steps)),
            minutes=minutes,
            clock=lambda: self.now,
        )
        self.inside.set_model(SimpleNamespace(metrics=[]))

    def epoch(self, first=0, ask_before=None):
        """Its steps, then two of the validation; before one of all these events the run is asked to stop."""
        self.inside.on_epoch_begin(0)
        events = [("train", batch) for batch in range(STEPS - first)] + [("test", 0), ("test", 1)]
        for kind, batch in events:
            self.stop.asked = self.stop.asked or (kind, batch) == ask_before
            if (kind, batch) == ("test", 0):
                self.inside.on_test_begin()
            getattr(self.inside, f"on_{kind}_batch_begin")(batch)
            self.now += self.seconds
            if kind == "train":
                self.inside.on_train_batch_end(batch)


@pytest.mark.parametrize(
    ("minutes", "seconds", "saved"),
    [(None, 1e6, []), (1, 10, []), (1, 30, [2, 4]), (1, 60, [1, 2, 3, 4]), (1, 45, [2, 4])],
)
def test_a_checkpoint_is_made_every_so_many_minutes_of_an_epoch(minutes, seconds, saved):
    run = Run(minutes, seconds)
    for times in (1, 2):  # that of the end of an epoch counts
        run.epoch()
        assert run.saved == saved * times


@pytest.mark.parametrize(
    ("ask_before", "saved"),
    [(("train", 0), []), (("train", 1), [1]), (("train", 3), [3]), (("test", 0), [4]), (("test", 1), [4])],
)
def test_a_run_that_is_asked_to_stop_saves_what_is_not_saved_and_stops_there(ask_before, saved):
    run = Run()
    with pytest.raises(KeyboardInterrupt):
        run.epoch(ask_before=ask_before)
    assert run.saved == saved


def test_an_epoch_that_was_begun_before_counts_its_steps_from_there():
    run = Run(minutes=1, seconds=61)
    run.inside.begin_from(2, {})
    run.epoch(first=2)
    assert run.shown == [(2, STEPS), (3, STEPS)]
    assert run.saved == [3, 4]
    run.epoch()
    assert run.shown[2:] == [(step, STEPS) for step in range(STEPS)]


@pytest.mark.parametrize("stop", [True, False])
def test_what_would_end_the_run_is_not_saved(monkeypatch, stop):
    saved = []
    monkeypatch.setattr(callbacks.checkpoint, "save", lambda path, model, note, *_: saved.append(note))
    run = SimpleNamespace(last_checkpoint=None)
    writer = callbacks.EpochWriter(run, "val_objective", [], print, stop=stop)
    rows = [{"step": 8.0, "loss": math.nan, "loss.dice": math.nan, "aux": 0.0}]
    network = SimpleNamespace(non_trainable_variables=[])
    recorder = SimpleNamespace(read=lambda: rows)
    writer.set_model(SimpleNamespace(terms=("dice",), recorder=recorder, network=network))
    writer.on_epoch_begin(2)
    if stop:
        with raises(NonFiniteError, reason="dice became NaN or infinite at step 8 (epoch 3)"):
            writer.save_midway(1, {})
        assert saved == []
    else:
        writer.save_midway(1, {})
        assert [(note["epoch"], note["step"]) for note in saved] == [(2, 1)]
        assert saved[0]["seconds"] >= 0


def test_a_full_disk_costs_a_checkpoint_inside_an_epoch_and_not_the_run(caplog):
    def full(step, counted):
        raise RunFolderError(path="last.npz", reason="the disk is full")

    run = Run(minutes=1, seconds=61.0)
    run.inside.save = full
    run.epoch()
    assert len(run.shown) == STEPS
    assert caplog.text.count("no checkpoint inside the epoch: last.npz") == STEPS
