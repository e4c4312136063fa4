"""What happens around an epoch: one row of values, the checkpoints, the state of other callbacks."""

import contextlib
import logging
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from dmf_cli.config import plugin_options
from dmf_cli.errors import NonFiniteError
from dmf_cli.files import disk_errors, flush
from dmf_cli.ops.backend import to_numpy
from dmf_cli.run_folder import network_record
from dmf_cli.run_folder.folder import RunFolder
from dmf_cli.run_folder.headline import MONITORS, OBJECTIVE
from dmf_cli.training import batch_statistics, checkpoint, rollback
from dmf_cli.training.best_epoch import Standing
from dmf_cli.training.weight_average import WeightAverage

log = logging.getLogger("dmf")

# What Keras's own callbacks count from epoch to epoch; lost on resume unless it is saved.
COUNTERS = ("wait", "best", "best_epoch", "cooldown_counter", "stopped_epoch")


class EpochWriter(keras.callbacks.Callback):
    """Writes an epoch's row and steps, then the checkpoints; runs after all that it saves.

    Args:
        run: the claimed run folder.
        monitor: the validation figure that decides about ``best``, a key of the row.
        others: callbacks whose counters belong into the checkpoint, the standing of the epochs first.
        show: called with the finished row.
        track: called with the row and its steps once both are on disk.
        stop: end the run at a NaN or infinite loss; else such steps made no update and are counted.
        rollback: note of each checkpoint whether the run can go back to it, and keep those to which it can.
        unpredicted: the classes that the last validation held and never predicted.
        of_classes: more columns of a row, with the values of the last validation.
        average: what the validation saw in place of the weights; the best network has it.
        keep: how many of the last checkpoints stay.

    Attributes:
        best: value of ``monitor`` in the best epoch; None where it is undefined, and before the first.
        missing: the classes that the best epoch never predicted in the validation.
    """

    def __init__(
        self,
        run: RunFolder,
        monitor: str,
        others: Sequence[keras.callbacks.Callback],
        show: Callable[[dict[str, Any]], None],
        *,
        stop: bool,
        rollback: bool = False,
        track: Callable[[dict[str, Any], list[dict[str, float]]], None] | None = None,
        unpredicted: Callable[[], list[str]] = list,
        of_classes: Callable[[], dict[str, float]] = dict,
        average: WeightAverage | None = None,
        keep: int = 1,
    ) -> None:
        super().__init__()
        self.average, self.keep = average, keep
        self.epoch, self.spent = 0, 0.0
        self.unpredicted, self.missing = unpredicted, list[str]()
        self.of_classes = of_classes
        self.run, self.monitor, self.others, self.show = run, monitor, others, show
        self.best: float | None = None
        self.best_epoch, self.objective = 0, math.nan
        self.undone: dict[str, Any] | None = None  # what was rolled back
        self.stop, self.skipped, self.track = stop, 0, track
        self.rollback, self.steps = rollback, list[dict[str, float]]()
        self.note: dict[str, Any] | None = None
        self.network: str | None = None  # hash of the best

    def begin_from(self, note: dict[str, Any]) -> None:
        """Continue from the checkpoint with ``note``, which says what is the best, and so does the status
        from here on: a kill may have come between the two.
        """
        self.note, self.spent, self.network = note, note.get("seconds", 0.0), note.get("network")
        self.best, self.best_epoch, self.skipped = (note[k] for k in ("best", "best_epoch", "skipped"))
        self.missing, self.objective = note.get("missing", []), note.get("objective", math.nan)
        self.undone = note.get(rollback.NOTE)
        self._write_status(note["epoch"])

    def on_train_begin(self, logs: Any = None) -> None:
        """Give the other callbacks their counters back: Keras resets them here."""
        if self.note is None:
            return self._save(0)
        known = self.note["callbacks"]
        for callback in self.others:
            counters = known.get(type(callback).__name__, {})
            if isinstance(callback, Standing):
                callback.restore(counters, self.best)
            else:  # version 0.1 kept the monitor's value as the best, which is a count of epochs now
                vars(callback).update(counters if Standing.__name__ in known else {**counters, "best": 0.0})
        return None

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Start the clock; what an interrupted epoch took before counts."""
        self.epoch, self._started, self.spent = epoch, time.monotonic() - self.spent, 0.0

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Row, checkpoint, status, in this order: a kill in between loses no more than this epoch.

        The checkpoint decides: before it the best network waits under another name, after it the status
        follows from it.
        """
        steps = self.steps = self.model.recorder.take()
        row = self._row(epoch + 1, logs or {})
        self._check_finite(epoch + 1, steps)
        self._check_statistics(epoch + 1)
        self._check_validation(epoch + 1, row)
        self.run.append_steps([{**step, "epoch": epoch + 1} for step in steps])
        if self.model.insight is not None:
            self.run.append_insight([{**row, "epoch": epoch + 1} for row in self.model.insight.take()])
        self.run.append_epoch(row)
        improved = any(callback.improved for callback in self.others if isinstance(callback, Standing))
        if improved:
            self.best, self.best_epoch = _defined(row[self.monitor]), epoch + 1
            self.missing, self.objective = self.unpredicted(), row[OBJECTIVE]
            self._write_network(self.run.unfinished_model(epoch + 1))
            self.network = network_record.write(self.run, self.run.unfinished_model(epoch + 1))
        self._save(epoch + 1)
        if improved:
            self.run.settle_best({"epoch": epoch + 1, "best_epoch": epoch + 1})
        self._write_status(epoch + 1)
        counted = f", {self.skipped} step(s) skipped so far" if self.skipped else ""
        log.info("epoch %d: %s %.6g%s", epoch + 1, self.monitor, row[self.monitor], counted)
        if self.track:
            self.track(row, steps)
        self.show({**row, "best": self.best, "best_epoch": self.best_epoch, "skipped": self.skipped})

    def save_midway(self, step: int, counted: checkpoint.Arrays) -> None:
        """A checkpoint after ``step`` steps of the current epoch, unless what it would hold is spoilt."""
        self.steps = self.model.recorder.read()
        found = _nonfinite(self.steps, self.model.terms)
        if found and self.stop:
            raise self._not_finite(self.epoch + 1, found[0])
        self._check_statistics(self.epoch + 1)
        if self.rollback and not self._sound:
            log.warning(
                "no checkpoint after step %d of epoch %d: its loss is not finite", step, self.epoch + 1
            )
            return
        self._save(self.epoch, counted, step=step, seconds=time.monotonic() - self._started)
        log.info("checkpoint after step %d of epoch %d", step, self.epoch + 1)

    def _check_finite(self, epoch: int, steps: Sequence[dict[str, float]]) -> None:
        """Count NaN and infinite steps; end the run at the first, or when none of an epoch was finite."""
        found = _nonfinite(steps, self.model.terms)
        self.skipped += len(found)
        if not found:
            return
        error = self._not_finite(epoch, found[0])
        if self.stop or len(found) == len(steps):
            raise error
        log.warning("%s; %d step(s) of this epoch made no update", error.reason, len(found))

    def _check_validation(self, epoch: int, row: dict[str, Any]) -> None:
        """Networks may compute with batch statistics what overflows with the running ones: a run that may go
        back does not wait until nothing else is left.
        """
        if self.rollback and not math.isfinite(row[OBJECTIVE]):
            what = f"the loss of the validation became NaN or infinite in epoch {epoch}"
            error = self._diverged(
                f"{what}; the checkpoint is from before", reason=what, hint="lower optimizer.learning_rate"
            )
            error.in_validation = True
            raise error

    @property
    def _sound(self) -> bool:
        """Whether the last step was finite: weights that have diverged give no finite loss any more."""
        return not _nonfinite(self.steps[-1:], self.model.terms)

    def _not_finite(self, epoch: int, first: tuple[int, str]) -> NonFiniteError:
        what = f"{first[1]} became NaN or infinite at step {first[0]} (epoch {epoch})"
        return self._diverged(
            f"{what}; the checkpoint is from before",
            reason=what,
            hint=f"lower optimizer.learning_rate, {_precise('float32')}or set optimizer.clipnorm=1",
        )

    def _check_statistics(self, epoch: int) -> None:
        """A skipped step has moved the statistics of batch normalisation all the same: one infinite
        activation leaves them NaN for good.
        """
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()
        for variable in self.model.network.non_trainable_variables:
            if not np.isfinite(to_numpy(variable)).all():
                what = (
                    f"{variable.path} became NaN or infinite in epoch {epoch}, for an activation overflowed"
                )
                raise self._diverged(
                    f"{what}; the checkpoint is from before",
                    reason=what,
                    hint=f"{_precise('float32 or mixed_bfloat16')}lower optimizer.learning_rate, or set "
                    "optimizer.clipnorm=1",
                )

    def _diverged(self, what: str, **fields: str) -> NonFiniteError:
        error = NonFiniteError(what, **fields)
        error.steps = [{**step, "epoch": self.epoch + 1} for step in self.steps]
        return error

    def _row(self, epoch: int, logs: dict[str, float]) -> dict[str, Any]:
        """The row of ``epochs.csv``."""
        kinds = ("loss", "weight", "share", "val_loss")
        terms = {f"{kind}.{term}": logs[f"{kind}.{term}"] for kind in kinds for term in self.model.terms}
        dice = [name for name in MONITORS.values() if name in logs]
        scores = {k: logs[k] for k in (OBJECTIVE, *dice)}
        return {
            "epoch": epoch,
            "step": int(self.model.memory["step"]),  # the optimizer does not count those it skipped
            "seconds": time.monotonic() - self._started,
            "learning_rate": float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)),
            "loss": logs["loss"],
            "gamma": logs.get("gamma", 0.0),
            "aux": logs.get("aux", 0.0),
            **terms,
            **scores,
            **self.of_classes(),
        }

    def _best(self) -> dict[str, Any]:
        """The best epoch for the status: by the objective where the monitor is undefined."""
        best: dict[str, Any] = {"epoch": self.best_epoch, self.monitor: self.best}
        if self.best is None and math.isfinite(self.objective):
            best[OBJECTIVE] = self.objective
        return best

    def _write_status(self, epoch: int) -> None:
        self.run.write_status(
            "running",
            epoch=epoch,
            best=self._best(),
            skipped_steps=self.skipped,
            never_predicted=self.missing,
            **({rollback.NOTE: self.undone} if self.rollback else {}),
        )

    def _write_network(self, file: Path) -> None:
        applied = self.average.applied() if self.average else contextlib.nullcontext()
        with disk_errors(file), applied, batch_statistics.separate(self.model.network):
            self.model.network.save(file)
        flush(file)

    def _save(self, epoch: int, counted: checkpoint.Arrays | None = None, **inside: float) -> None:
        counters = {type(c).__name__: _counters(c) for c in self.others}
        note: dict[str, Any] = {"epoch": epoch, "best": self.best, "best_epoch": self.best_epoch}
        note |= {"skipped": self.skipped, "missing": self.missing, "objective": self.objective}
        if self.rollback:
            note |= {"sound": self._sound, rollback.NOTE: self.undone}
        self.note = {**note, "network": self.network, "callbacks": counters, **inside}
        checkpoint.save(self.run.last_checkpoint, self.model, self.note, counted, self.keep)


def _precise(wanted: str) -> str:
    """The advice to compute with a larger range, where there is one."""
    now = keras.config.dtype_policy().name
    if now != "mixed_float16":  # bfloat16 has the range of float32
        return ""
    return f"use trainer.precision={wanted}, "


def had_stopped(note: dict[str, Any] | None) -> bool:
    """Whether early stopping had ended the training when the checkpoint with ``note`` was written."""
    counters = (note or {}).get("callbacks", {}).get("EarlyStopping", {})
    return bool(counters.get("stopped_epoch"))


def _counters(callback: keras.callbacks.Callback) -> dict[str, Any]:
    """What ``callback`` counts, as plain numbers; None where it has not started to."""
    if isinstance(callback, Standing):
        return callback.note()
    found = {k: vars(callback)[k] for k in COUNTERS if k in vars(callback)}
    return {k: None if v is None else float(v) for k, v in found.items()}


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else value


def _placed(term: str) -> str:
    """The name of a term; for a loss of the user's with the place where it is written."""
    part = plugin_options.term(term)
    return f"{term} ({part.place})" if part else term


def _nonfinite(steps: Sequence[dict[str, float]], terms: Sequence[str]) -> list[tuple[int, str]]:
    """The steps with a NaN or infinite value, each with the names of what was not finite."""
    found = []
    for step in steps:
        names = [_placed(t) for t in terms if not math.isfinite(step[f"loss.{t}"])]
        names += [] if math.isfinite(step["aux"]) else ["the auxiliary loss"]
        if names or not math.isfinite(step["loss"]):
            found.append((int(step["step"]), ", ".join(names) or "the total loss"))
    return found
