"""Checkpoints inside an epoch: every few minutes, and when the run is asked to stop.

What a step needs is in the variables, and the order of the data follows from (seed, epoch, step), so that
the rest of an epoch is what it would have been. Metrics and recorded steps of the epoch so far are kept too.
"""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras

from dmf_cli import hosts, interrupts
from dmf_cli.errors import RunFolderError
from dmf_cli.interrupts import Deferred
from dmf_cli.training import checkpoint
from dmf_cli.training.weight_average import WeightAverage

log = logging.getLogger("dmf")
Save = Callable[[int, checkpoint.Arrays], None]


class Midway(keras.callbacks.Callback):
    """Looks before each step whether a checkpoint is due, and tells the display how far an epoch is.

    It reads no value unless one is due, so the device is never waited for. In the validation nothing but a
    wish to stop makes a checkpoint: that of the end of the training steps.

    Args:
        save: called with the steps of the epoch that are made and with what the metrics have counted.
        stop: raises where the run is asked to stop.
        steps: of an epoch.
        scores: the metrics that the model was compiled with; Keras lists them only after the first step.
        beat: called with (step, steps) before each step.
        minutes: between two checkpoints; None: no such.
        average: what takes the place of the weights in the validation.
        clock: seconds.

    Attributes:
        first: steps that the first epoch has made already; set by :meth:`begin_from`.
    """

    def __init__(
        self,
        save: Save,
        stop: Deferred,
        steps: int,
        scores: Iterable[keras.metrics.Metric] = (),
        beat: Callable[[int, int], None] = lambda step, steps: None,
        *,
        minutes: float | None = None,
        average: WeightAverage | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.save, self.stop, self.steps, self.scores = save, stop, steps, list(scores)
        self.beat, self.minutes, self.average, self.clock = beat, minutes, average, clock
        self.first = self.done = self.saved = 0
        self.before: checkpoint.Arrays | None = None
        self.held: checkpoint.Arrays = {}
        self.last = clock()

    def begin_from(self, step: int, before: checkpoint.Arrays) -> None:
        """The first epoch begins after ``step``, with what its metrics had counted."""
        self.first, self.before = step, before if step else None

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """All that count within an epoch, each once."""
        found = [*self.model.metrics, *self.scores]
        # What Keras makes of the scores holds their variables once more.
        return [metric for metric in found if type(metric).__name__ != "CompileMetrics"]

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Keras has just set the metrics to 0; what was counted before comes back in the first epoch."""
        if self.before is None:
            self.first = 0
        else:
            checkpoint.restore_counted(self.metrics, self.before)
            self.before = None
        self.done = self.saved = self.first  # a checkpoint of here exists
        self.last = self.clock()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Called before each step."""
        self._look()
        self.beat(self.first + batch, self.steps)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Called after each step."""
        self.done = self.first + batch + 1

    def on_test_begin(self, logs: Any = None) -> None:
        """The last moment of the training steps: Keras sets the metrics to 0, and the average comes in."""
        self._look()
        self.held = checkpoint.counted(self.model, self.metrics)
        for score in self.scores:  # Keras knows them only after the first step, of which there may be none
            score.reset_state()

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Called before each step of the validation."""
        if hosts.count() > 1:
            return  # none stops alone
        if self.stop.asked:
            checkpoint.synchronize(self.model)
            if self.average is not None:
                self.average.on_test_end()
            self._keep(self.held)
        self.stop.check()

    def _look(self) -> None:
        due = self.minutes is not None and self.clock() - self.last >= 60 * self.minutes
        if hosts.count() > 1:
            self._look_together(due)
            return
        if self.stop.asked:
            self._keep(None)
        elif due:
            self._try_to_keep()
        self.stop.check()

    def _look_together(self, due: bool) -> None:
        """The hosts do the same at the same step; a signal that comes meanwhile waits for the next look."""
        if self.done % hosts.EVERY:
            return
        asked, keep = hosts.agreed([self.stop.asked and interrupts.first(), due])
        if asked:
            interrupts.note(asked)
            self.stop.asked = True
            self._keep(None)
            hosts.meet()
            self.stop.check()
        elif keep:
            self._try_to_keep()

    def _try_to_keep(self) -> None:
        try:
            self._keep(None)
        except RunFolderError as error:  # the run can go on; that of the end of the epoch must be written
            log.warning("no checkpoint inside the epoch: %s", error)
            self.last = self.clock()

    def _keep(self, counted: checkpoint.Arrays | None) -> None:
        if self.done != self.saved:
            self.save(self.done, checkpoint.counted(self.model, self.metrics) if counted is None else counted)
        self.saved, self.last = self.done, self.clock()


class StopTogether(keras.callbacks.Callback):
    """The last of the callbacks: where one of several hosts is through, all are."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Called after each epoch."""
        (stops,) = hosts.agreed([self.model.stop_training])
        self.model.stop_training = bool(stops)


class Epochs:
    """The epochs of a training, the first of which may have made some of its steps before.

    Args:
        model: compiled.
        batches: endless batches from (epoch, step) on.
        validation: of each epoch.
        steps: of an epoch.
        callbacks: in their order, a :class:`Midway` among them.
    """

    def __init__(
        self,
        model: keras.Model,
        batches: Callable[[int, int], Any],
        validation: Any,
        steps: int,
        callbacks: Sequence[keras.callbacks.Callback],
    ) -> None:
        self.model, self.batches, self.validation = model, batches, validation
        self.steps, self.callbacks = steps, list(callbacks)

    def run(self, first: int, step: int, last: int) -> None:
        """Epoch ``first`` from ``step`` on, then the others before ``last``."""
        if step:  # by itself: Keras has one number of steps for all epochs
            if step < self.steps:
                self._fit(first, step, first + 1)
            else:
                self._validate(first)
            if self.model.stop_training:
                return
        self._fit(first + bool(step), 0, last)

    def _fit(self, first: int, step: int, last: int) -> None:
        self.model.fit(
            self.batches(first, step),
            validation_data=self.validation,
            steps_per_epoch=self.steps - step,
            initial_epoch=first,
            epochs=last,
            shuffle=False,  # the batches come in their order
            callbacks=self.callbacks,
            verbose=0,
        )

    def _validate(self, epoch: int) -> None:
        """The end of an epoch whose steps were all made before the run stopped."""
        events = keras.callbacks.CallbackList(self.callbacks, model=self.model)
        self.model.stop_training = False
        events.on_train_begin()
        self.model.reset_metrics()
        events.on_epoch_begin(epoch)
        logs: dict[str, Any] = {}
        for metric in next(one for one in self.callbacks if isinstance(one, Midway)).metrics:
            result = metric.result()
            logs |= result if isinstance(result, dict) else {metric.name: result}
        scores = self.model.evaluate(self.validation, callbacks=events, verbose=0, return_dict=True)
        events.on_epoch_end(epoch, {**logs, **{f"val_{name}": value for name, value in scores.items()}})
        events.on_train_end()
