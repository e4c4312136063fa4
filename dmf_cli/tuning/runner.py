"""Trains the trials of a search, prunes them epoch by epoch, and continues where a search stopped."""

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dmf_cli.config import composer
from dmf_cli.errors import DmfError
from dmf_cli.jobs.process import Process
from dmf_cli.jobs.runner import PAUSE, Runner
from dmf_cli.run_folder import csv_log, index
from dmf_cli.tuning.study import SearchPlan

PATIENCE = 70.0  # seconds in which a run whose search was killed saves its state and ends
GIVE_UP = 3  # failures in a row, before any trial was finished, that end a search


@dataclasses.dataclass(eq=False)
class RunningTrial:
    """A trial that has begun.

    Args:
        trial: Optuna's.
        words: its overrides.
        path: its run folder.
        epoch: finished and reported epochs.
        best: of the monitor so far.
        pruned: whether it was stopped early.
        stamp: of ``epochs.csv`` when it was last read.
    """

    trial: Any
    words: tuple[str, ...]
    path: Path
    began: float
    epoch: int = 0
    best: float = math.nan
    pruned: bool = False
    stamp: int = -1


class SearchRunner(Runner[RunningTrial]):
    """All trials of a plan.

    Args:
        plan: what to search.
        study: of :func:`dmf_cli.tuning.study.opened`.
        on_end: called with (the trial, its state, value, message) after each trial.
        on_epoch: called with the trial when it begins, and after new epochs.
        options: of :class:`dmf_cli.jobs.runner.Runner`.
    """

    def __init__(
        self,
        plan: SearchPlan,
        study: Any,
        *,
        on_end: Callable[[RunningTrial, str, float, str], None] = lambda *_: None,
        on_epoch: Callable[[RunningTrial], None] = lambda _: None,
        **options: Any,
    ) -> None:
        super().__init__(plan.workers, **options)
        self.plan, self.study, self.on_end, self.on_epoch = plan, study, on_end, on_epoch
        self.gave_up = False
        self._unfinished = list(_stale(study))

    def begin_next(self) -> bool:
        """Begin what an earlier call left unfinished, then new trials."""
        while self.room(self.plan.config) and self._left():
            self._begin(self._unfinished.pop(0) if self._unfinished else self.study.ask())
        return self._left()

    def look(self, one: RunningTrial) -> None:
        """Hand new epochs to Optuna, which may prune the trial."""
        before = one.epoch
        self._report(one)
        if one.epoch > before:
            self.on_epoch(one)
        if one.epoch and not one.pruned and not self.stopping and one.trial.should_prune():
            one.pruned = True
            self.running[one].interrupt()

    def ended(self, one: RunningTrial, process: Process, code: int) -> None:
        """Hand the result to Optuna, or leave the trial unfinished if it was stopped."""
        self._report(one)
        # Also of a run that was interrupted or killed after its end, while its report was written.
        done = code == 0 or index.read(one.path).state == "completed"
        if done and math.isfinite(one.best):
            self._end(one, "COMPLETE", one.best, "")
        elif one.pruned and math.isfinite(one.best):
            self._end(one, "PRUNED", one.best, f"after epoch {one.epoch}")
        elif self.was_stopped(code):
            where = f"after epoch {one.epoch}" if one.epoch else "before the end of its first epoch"
            self.on_end(one, "INTERRUPTED", one.best, where)
        else:
            self._end(one, "FAIL", math.nan, process.error() or self._undefined)

    def again(self, one: RunningTrial, why: str) -> None:
        """It resumes what it has saved."""
        self._unfinished.append(one.trial)

    @property
    def _undefined(self) -> str:
        return f"no finite {self.plan.monitor} (is there a lesion?)"

    def _left(self) -> bool:
        if self._unfinished:
            return True
        finished = [trial for trial in self.study.get_trials(deepcopy=False) if trial.state.is_finished()]
        return len(finished) + len(self.running) < self.plan.trials

    def _begin(self, trial: Any) -> None:
        words = (*self.plan.words, *self.plan.space.overrides(self.plan.space.suggest(trial)))
        path, resume = self._place(trial)
        trial.set_user_attr("run", path.name)
        trial.set_user_attr("words", list(words))
        one = RunningTrial(trial, words, path, time.monotonic())
        try:
            config = composer.compose(words)
        except DmfError as error:
            self._end(one, "FAIL", math.nan, str(error))
            return
        config = config.with_root(run_dir=str(path))
        if not any(word.startswith("report=") for word in words):
            config = config.with_root(
                report=False
            )  # a page for each of many trials is not what anyone looks at
        if resume is not None and index.read(path).state == "completed":
            self._report(one)
            good = math.isfinite(one.best)
            self._end(one, "COMPLETE" if good else "FAIL", one.best, "" if good else self._undefined)
            return
        self.begin(one, config, words, resume=resume)
        self.on_epoch(one)

    def _place(self, trial: Any) -> tuple[Path, Path | None]:
        """A run folder, and the same again if it can be resumed."""
        root = self.plan.folder / "trials"
        root.mkdir(exist_ok=True)
        path, number = root / f"{trial.number:03d}", 1
        while path.exists():
            _wait(path)
            if index.read(path).state in ("completed", "resumable"):
                return path, path
            number += 1  # it was killed before its first epoch was saved
            path = root / f"{trial.number:03d}_{number}"
        return path, None

    def _report(self, one: RunningTrial) -> None:
        """Hand new rows of ``epochs.csv`` to Optuna; an epoch without a finite value is skipped."""
        with contextlib.suppress(DmfError, OSError):
            file = one.path / "epochs.csv"
            stamp = file.stat().st_mtime_ns
            if stamp == one.stamp:
                return
            values = csv_log.read(file).get(self.plan.monitor, [])
            one.stamp, known = stamp, self.study.trials[one.trial.number].intermediate_values
            for epoch, value in enumerate(values, start=1):
                if math.isfinite(value):
                    one.best = value if math.isnan(one.best) else self._better(one.best, value)
                    if epoch > one.epoch and epoch not in known:
                        one.trial.report(value, epoch)
            one.epoch = len(values)

    def _better(self, a: float, b: float) -> float:
        return max(a, b) if self.plan.maximize else min(a, b)

    def _end(self, one: RunningTrial, state: str, value: float, message: str) -> None:
        from optuna.trial import TrialState

        one.trial.set_user_attr("seconds", time.monotonic() - one.began)
        if message:
            one.trial.set_user_attr("message", " ".join(message.split()))
        if state == "COMPLETE":
            self.study.tell(one.trial, value)
        else:
            self.study.tell(one.trial, state=TrialState[state])
        self.on_end(one, state, value, message)
        states = [trial.state for trial in self.study.get_trials(deepcopy=False) if trial.state.is_finished()]
        if len(states) >= GIVE_UP and all(state == TrialState.FAIL for state in states):
            self.gave_up = True
            self.stop()


def _wait(path: Path) -> None:
    """For a run that is still at work though its search is not."""
    until = time.monotonic() + PATIENCE
    while index.read(path).state == "running" and time.monotonic() < until:
        time.sleep(PAUSE)


def _stale(study: Any) -> Iterator[Any]:
    """The trials that an earlier call left unfinished, however it ended."""
    from optuna.trial import Trial, TrialState

    for frozen in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        yield Trial(study, frozen._trial_id)
