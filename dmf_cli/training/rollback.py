"""``trainer.on_diverge=rollback``: a run whose loss diverges goes back once, and on with a lower rate.

It returns to its last checkpoint from which a step with a finite loss was made, in an epoch or after it, and
writes it again with a note of what happened. That checkpoint decides: whoever continues from it, this process
or a later one, does so with the lower rate, and a second divergence ends the run.
"""

import contextlib
import logging
import math
from collections.abc import Mapping
from typing import Any

import keras

from dmf_cli.errors import CheckpointError, NonFiniteError
from dmf_cli.fusion import FusedModel
from dmf_cli.run_folder import checkpoint_file
from dmf_cli.run_folder.folder import RunFolder
from dmf_cli.training import checkpoint

log = logging.getLogger("dmf")
FACTOR = 0.1  # there is one attempt, so it has to be decisive
NOTE = "rollback"  # in the note of a checkpoint, and in status.json


def roll_back(
    run: RunFolder, model: FusedModel, error: NonFiniteError, *, steps: int, keep: int
) -> dict[str, Any]:
    """Put ``run`` and ``model`` back to the last good checkpoint; returns the note to continue with.

    Args:
        run: held by this process.
        model: as the divergence left it.
        error: what it was; its ``steps``, and those of whole epochs that are undone, go to ``diverged.csv``.
        steps: of an epoch.
        keep: checkpoints that stay, see :func:`checkpoint.save`.

    Raises:
        NonFiniteError: ``error``; the run was rolled back before, or no checkpoint is good.
    """
    with contextlib.suppress(CheckpointError):
        if checkpoint_file.newest(run.last_checkpoint)[1].get(NOTE):
            raise error  # nothing is put back: what was made since the rollback stays
    checkpoint.synchronize(model)
    before = run.read_steps()
    note = _restore(run, model, error, steps)
    for recorder in (model.recorder, model.insight):
        if recorder is not None and not note.get(checkpoint.COUNTED):
            recorder.take()  # rows of what is undone
    earlier = [dict(zip(before, row, strict=True)) for row in zip(*before.values(), strict=True)]
    run.write_diverged([*(row for row in earlier if row["epoch"] > note["epoch"]), *error.steps])
    rate = model.optimizer.learning_rate
    if isinstance(rate, keras.Variable):
        rate.assign(rate.value * FACTOR)
    reason = error.reason or error.what
    note[NOTE] = {"reason": reason, "epoch": note["epoch"], "step": note.get("step", 0), "factor": FACTOR}
    slow_down(model, note)
    stored = {key: value for key, value in note.items() if key not in (checkpoint.COUNTED, "lost")}
    checkpoint.save(run.last_checkpoint, model, stored, note.get(checkpoint.COUNTED), keep)
    run.write_status("running", **{NOTE: note[NOTE]})
    log.warning("%s: %s", reason, said(note[NOTE]))
    return note


def _restore(run: RunFolder, model: FusedModel, error: NonFiniteError, steps: int) -> dict[str, Any]:
    """The newest checkpoint from which a step with a finite loss was made; else the newest of before."""
    finite = [step["step"] for step in error.steps if math.isfinite(step["loss"])]
    if error.in_validation:  # nobody knows in which step of the epoch it went wrong
        finite = finite[:1]
    last = finite[-1] if finite else error.steps[0]["step"] - 1 if error.steps else math.inf

    def sound(note: dict[str, Any]) -> bool:
        return bool(note.get("sound", True))

    def proven(note: dict[str, Any]) -> bool:
        return sound(note) and note["epoch"] * steps + note.get("step", 0) <= last

    for wanted in (proven, sound):
        with contextlib.suppress(CheckpointError):
            return checkpoint.restore(run, model, wanted)
    raise error


def slow_down(model: FusedModel, note: Mapping[str, Any] | None) -> None:
    """Give ``model`` the lower rate that a checkpoint with ``note`` was rolled back with, if it was.

    A rate without a schedule is a variable, and in the checkpoint already.
    """
    if not note or not note.get(NOTE):
        return
    optimizer = model.optimizer
    while isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer = optimizer.inner_optimizer
    schedule = optimizer._learning_rate  # the public property is its value
    if isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
        if not isinstance(schedule, Slower):
            optimizer.learning_rate = Slower(schedule, note[NOTE]["factor"])
        model.train_function = None  # the compiled one has the old schedule


def said(rollback: Mapping[str, Any]) -> str:
    """What was done, from the record of a rollback."""
    step = f", step {rollback['step']}" if rollback.get("step") else ""
    where = f"epoch {rollback['epoch']}{step}"
    return f"rolled back to {where}, and on with {rollback['factor']:g} times the learning rate"


class Slower(keras.optimizers.schedules.LearningRateSchedule):
    """``schedule`` times ``factor``, from its beginning to its end."""

    def __init__(self, schedule: keras.optimizers.schedules.LearningRateSchedule, factor: float) -> None:
        self.schedule, self.factor = schedule, factor

    def __call__(self, step: Any) -> Any:
        """The rate at ``step`` of the optimizer."""
        return self.factor * self.schedule(step)

    def get_config(self) -> dict[str, Any]:
        """Part of the interface of Keras."""
        return {"schedule": keras.saving.serialize_keras_object(self.schedule), "factor": self.factor}
