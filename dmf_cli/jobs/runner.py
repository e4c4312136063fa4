"""Runs jobs, some at a time, each in a process of its own; what a sweep and a search share."""

import abc
import re
import signal
import time
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from dmf_cli import interrupts
from dmf_cli.config.typed import Config
from dmf_cli.jobs import process as processes
from dmf_cli.jobs.forks import BACKENDS, Fork, Warm
from dmf_cli.jobs.process import STOPPED, Process
from dmf_cli.jobs.share import Shares
from dmf_cli.run_folder.folder import RunFolder

PAUSE = 0.2  # seconds between two looks at the processes
# How the backends say that memory is used up, and that a GPU has failed.
MEMORY = re.compile(
    r"Resource_?Exhausted|out[ _]of[ _]memory|MemoryError|bad_alloc|(failed to|can(no|')t) allocate", re.I
)
GPU = re.compile(
    r"CUDA_ERROR_(?!OUT_OF_MEMORY)|no CUDA-capable device|uncorrectable ECC|GPU is lost|sees no such GPU",
    re.I,
)

J = TypeVar("J", bound=Hashable)


class Runner(abc.ABC, Generic[J]):
    """A subclass says which jobs begin, and what becomes of those that have ended.

    Args:
        workers: jobs at a time, or ``auto``; see :class:`dmf_cli.jobs.share.Shares`.
        per_gpu: of them on each GPU.
        jobs: how many there are in all, if that is known.
        warm: whether the processes are forks of one that has imported the backend already.
        wanted: asked all the time; once it says no, the runner stops, and at once if it raises.
        start: makes the process of a job (tests put a stub here).
    """

    def __init__(
        self,
        workers: int | Literal["auto"] = 1,
        *,
        per_gpu: int = 1,
        jobs: int | None = None,
        warm: bool = False,
        wanted: Callable[[], bool] = lambda: True,
        start: Callable[..., Process] = Process,
    ) -> None:
        self.shares = Shares(workers, per_gpu, jobs)
        self.warm, self.wanted, self.start = warm, wanted, start
        self.running: dict[J, Process] = {}
        self.stopping, self.interrupted = False, False
        self._beside: dict[J, int] = {}  # the most jobs that ran while this one did
        self._warm: dict[str, Warm] = {}

    @abc.abstractmethod
    def begin_next(self) -> bool:
        """Begin jobs while there is :attr:`room`; whether any is left that has not begun."""

    def look(self, job: J) -> None:
        """Take note of how far a running job is."""

    @abc.abstractmethod
    def ended(self, job: J, process: Process, code: int) -> None:
        """Take note of the end of a job."""

    @abc.abstractmethod
    def again(self, job: J, why: str) -> None:
        """Let a job that failed for want of memory, or with its GPU, wait for its next turn.

        What it failed of is no fault of the job: it has been given less company, or another GPU.
        """

    def room(self, config: Config | None = None) -> bool:
        """Whether one more job may begin, with this ``config``."""
        return not self.stopping and self.shares.free(config)

    def begin(
        self,
        job: J,
        config: Config,
        words: Sequence[str],
        *,
        resume: Path | None = None,
        keep: Sequence[int] = (),
    ) -> None:
        """Start the process of a job, see :class:`dmf_cli.jobs.process.Process`; there has to be room."""
        share = self.shares.give(job, config, RunFolder(resume).processors if resume else None)
        try:
            process = self.running[job] = self.start(
                config, words, resume=resume, keep=keep, share=share, fork=self._fork(config)
            )
        except BaseException:
            self.shares.take_back(job)
            raise
        if self.stopping:  # by a signal since there was room, which reached the jobs of that moment only
            process.interrupt()
        for one in self.running:
            self._beside[one] = max(self._beside.get(one, 0), len(self.running) - 1)

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
        for warm in self._warm.values():
            warm.close()
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
            why = self._innocent(job, process, code)
            if why:
                self.again(job, why)
            else:
                self.ended(job, process, code)

    def _innocent(self, job: J, process: Process, code: int) -> str:
        """Why a job that failed shall be tried again; empty if it shall not."""
        share, beside = self.shares.take_back(job), self._beside.pop(job, 0)
        if code in (0, *STOPPED) or self.stopping:
            return ""
        error = process.error()
        if code < 0:  # a backend that crashes has said why, and not as an error of dmf
            error += process.said
        if GPU.search(error):
            if self.shares.without(share.gpu):
                return f"its GPU ({share.gpu}) failed"
            self.shares.with_all_gpus()  # it fails on each of them: they are not the cause
        if MEMORY.search(error) or code == -signal.SIGKILL:
            if self.shares.fewer(beside):
                return f"out of memory beside {beside} other job(s)"
            if share.memory < 1:
                self.shares.one_a_gpu()
                return f"out of memory with {share.memory:.0%} of its GPU"
            self.shares.as_planned()  # it has been alone: its company was not the cause
        return ""

    def _fork(self, config: Config) -> Callable[[int, int, Sequence[int]], Fork] | None:
        """What makes a process for a job of this backend, if that is to be a fork."""
        if not self.warm or (backend := config.trainer.backend) not in BACKENDS:
            return None
        warm = self._warm.get(backend)
        if warm is None or warm.lost:
            warm = self._warm[backend] = Warm(backend, processes.MODULE, self.shares.processors)
        return warm.fork

    def _on_signal(self, number: int, frame: Any) -> None:
        """Ctrl-C once stops after saving, twice at once."""
        interrupts.note(number)
        again, self.interrupted = self.interrupted, True
        if again:
            raise KeyboardInterrupt
        if not self.stopping:  # it may be, for a job that failed
            self.stop()
