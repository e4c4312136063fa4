"""Runs jobs, some at a time, each in a process of its own; what a sweep and a search share."""

import abc
import time
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

from dmf_cli import interrupts
from dmf_cli.jobs.process import STOPPED, Process

PAUSE = 0.2  # seconds between two looks at the processes

J = TypeVar("J", bound=Hashable)


class Runner(abc.ABC, Generic[J]):
    """A subclass says which jobs begin, and what becomes of those that have ended.

    Args:
        workers: jobs at a time.
        wanted: asked all the time; once it says no, the runner stops, and at once if it raises.
        start: makes the process of a job (tests put a stub here).
    """

    def __init__(
        self,
        workers: int = 1,
        *,
        wanted: Callable[[], bool] = lambda: True,
        start: Callable[..., Process] = Process,
    ) -> None:
        self.workers, self.wanted, self.start = workers, wanted, start
        self.running: dict[J, Process] = {}
        self.stopping, self.interrupted = False, False

    @abc.abstractmethod
    def begin_next(self) -> bool:
        """Begin jobs while there is :attr:`room`; whether any is left that has not begun."""

    def look(self, job: J) -> None:
        """Take note of how far a running job is."""

    @abc.abstractmethod
    def ended(self, job: J, process: Process, code: int) -> None:
        """Take note of the end of a job."""

    @property
    def room(self) -> bool:
        """Whether one more job may begin."""
        return not self.stopping and len(self.running) < self.workers

    def run(self) -> None:
        """Until all is done, or the runner is stopped.

        Raises:
            KeyboardInterrupt: asked for twice.
        """
        with interrupts.handled(self._on_signal):
            try:
                while self._busy():
                    time.sleep(PAUSE)
                    for job, process in list(self.running.items()):
                        self._collect(job, process)
                    if not self.wanted() and not self.stopping:
                        self.stop()
            finally:
                self.close()

    def stop(self) -> None:
        """Begin no more jobs; those that run save their state and end."""
        self.stopping = True
        for process in self.running.values():
            process.interrupt()

    def close(self) -> list[J]:
        """Kill what is still running; returns those jobs."""
        killed, self.running = self.running, {}
        for process in killed.values():
            process.kill()
        return list(killed)

    def was_stopped(self, code: int) -> bool:
        """Whether a job ended because it was asked to. All processes of a SLURM job get SIGTERM: those of the
        jobs too, and not from this one.
        """
        return self.stopping and code in STOPPED

    def _busy(self) -> bool:
        left = not self.stopping and self.begin_next()
        return bool(self.running) or (left and not self.stopping)

    def _collect(self, job: J, process: Process) -> None:
        code = process.poll()
        if code is None:
            self.look(job)
        else:
            del self.running[job]
            self.ended(job, process, code)

    def _on_signal(self, number: int, frame: Any) -> None:
        """Ctrl-C once stops after saving, twice at once."""
        interrupts.note(number)
        again, self.interrupted = self.interrupted, True
        if again:
            raise KeyboardInterrupt
        if not self.stopping:  # it may be, for a job that failed
            self.stop()
