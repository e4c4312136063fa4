"""Trains trials in processes of their own, prunes them epoch by epoch, and goes on where a search stopped."""

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dmf_cli import interrupts
from dmf_cli.config import composer
from dmf_cli.errors import DmfError
from dmf_cli.jobs.process import STOPPED, Process
from dmf_cli.run_folder import csv_log, index
from dmf_cli.tune.study import Plan

PAUSE = 0.2  # seconds between two looks at the processes
PATIENCE = 70.0  # seconds in which a run whose search was killed saves its state and ends
GIVE_UP = 3  # failures in a row, before any trial was finished, that end a search


@dataclasses.dataclass
class Running:
    """A trial under way.

    Args:
        trial: Optuna's.
        words: its overrides.
        path: its run folder.
        process: what trains it; None if the run was finished before.
        epoch: finished and reported epochs.
        best: of the monitor so far.
        pruned: whether it was told to stop.
        stamp: of ``epochs.csv`` when it was last read.
    """

    trial: Any
    words: tuple[str, ...]
    path: Path
    process: Process | None
    began: float
    epoch: int = 0
    best: float = math.nan
    pruned: bool = False
    stamp: int = -1


class Runner:
    """All trials of a plan.

    Args:
        plan: what to search.
        study: of :func:`dmf_cli.tune.study.opened`.
        ended: called with (the trial, its state, value, message) after each trial.
        moved: called with the trial when it begins, and after new epochs.
        start: makes the process of a trial (tests put a stub here).
    """

    def __init__(
        self,
        plan: Plan,
        study: Any,
        *,
        ended: Callable[[Running, str, float, str], None] = lambda *_: None,
        moved: Callable[[Running], None] = lambda _: None,
        start: Callable[..., Process] = Process,
    ) -> None:
        self.plan, self.study, self.ended, self.moved, self.start = plan, study, ended, moved, start
        self.under_way: list[Running] = []
        self.stopping, self.interrupted, self.gave_up = False, False, False

    def run(self) -> None:
        """Until all trials are done, or the search is stopped.

        Raises:
            KeyboardInterrupt: asked for twice.
        """
        waiting = list(_stale(self.study))
        with interrupts.handled(self._on_signal):
            try:
                while self.under_way or (not self.stopping and (waiting or self._left())):
                    while not self.stopping and self._room() and (waiting or self._left()):
                        self._begin(waiting.pop(0) if waiting else self.study.ask())
                    for one in list(self.under_way):
                        self._look(one)
                    if self.under_way:
                        time.sleep(PAUSE)
            finally:
                for one in self.under_way:
                    if one.process:
                        one.process.kill()

    def stop(self) -> None:
        """Begin no more trials; those under way save their state and are gone on with the next time."""
        self.stopping = True
        for one in self.under_way:
            if one.process:
                one.process.interrupt()

    def _room(self) -> bool:
        return len(self.under_way) < self.plan.workers

    def _left(self) -> bool:
        finished = [trial for trial in self.study.get_trials(deepcopy=False) if trial.state.is_finished()]
        return len(finished) + len(self.under_way) < self.plan.trials

    def _begin(self, trial: Any) -> None:
        words = (*self.plan.words, *self.plan.space.overrides(self.plan.space.suggest(trial)))
        path, resume = self._place(trial)
        trial.set_user_attr("run", path.name)
        trial.set_user_attr("words", list(words))
        one = Running(trial, words, path, None, time.monotonic())
        try:
            config = composer.compose(words)
        except DmfError as error:
            self._end(one, "FAIL", math.nan, str(error))
            return
        config["run_dir"] = str(path)
        if not any(word.startswith("report=") for word in words):
            config["report"] = False  # a page for each of many trials is not what anyone looks at
        if resume is not None and index.read(path).state == "completed":
            self._report(one)
            self._finish(one, 0)
            return
        one.process = self.start(config, words, resume=resume)
        self.under_way.append(one)
        self.moved(one)

    def _place(self, trial: Any) -> tuple[Path, Path | None]:
        """A run folder, and the same again if there is something in it to go on with."""
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

    def _look(self, one: Running) -> None:
        """Take note of new epochs and of the end of a process."""
        code, before = one.process.poll() if one.process else 0, one.epoch
        self._report(one)
        if one.epoch > before and code is None:
            self.moved(one)
        if code is not None:
            self.under_way.remove(one)
            self._finish(one, code)
        elif one.epoch and not one.pruned and not self.stopping and one.trial.should_prune():
            one.pruned = True
            if one.process:
                one.process.interrupt()

    def _report(self, one: Running) -> None:
        """Hand new rows of ``epochs.csv`` to Optuna; an epoch without a finite value is left out."""
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

    def _finish(self, one: Running, code: int) -> None:
        message = one.process.error() if one.process else ""
        # Also of a run that was interrupted or killed after its end, while its report was written.
        done = code == 0 or index.read(one.path).state == "completed"
        if done and math.isfinite(one.best):
            self._end(one, "COMPLETE", one.best, "")
        elif one.pruned and math.isfinite(one.best):
            self._end(one, "PRUNED", one.best, f"after epoch {one.epoch}")
        elif self.stopping and code in STOPPED:
            where = f"after epoch {one.epoch}" if one.epoch else "before the end of its first epoch"
            self.ended(one, "INTERRUPTED", one.best, where)
        else:
            self._end(one, "FAIL", math.nan, message or f"no finite {self.plan.monitor} (is there a lesion?)")

    def _end(self, one: Running, state: str, value: float, message: str) -> None:
        from optuna.trial import TrialState

        one.trial.set_user_attr("seconds", time.monotonic() - one.began)
        if message:
            one.trial.set_user_attr("message", " ".join(message.split()))
        if state == "COMPLETE":
            self.study.tell(one.trial, value)
        else:
            self.study.tell(one.trial, state=TrialState[state])
        self.ended(one, state, value, message)
        states = [trial.state for trial in self.study.get_trials(deepcopy=False) if trial.state.is_finished()]
        if len(states) >= GIVE_UP and all(state == TrialState.FAIL for state in states):
            self.gave_up = True
            self.stop()

    def _on_signal(self, number: int, frame: Any) -> None:
        """Ctrl-C once stops after saving, twice at once."""
        interrupts.note(number)
        self.interrupted = True
        if self.stopping:
            raise KeyboardInterrupt
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
