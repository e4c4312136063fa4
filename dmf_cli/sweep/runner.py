"""Runs the jobs that are not done, some at a time, each in a process of its own."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dmf_cli import interrupts
from dmf_cli.errors import DmfError
from dmf_cli.jobs import child
from dmf_cli.jobs.claim import Claim
from dmf_cli.jobs.process import STOPPED, Process
from dmf_cli.run_folder import places
from dmf_cli.sweep.board import Board, Row
from dmf_cli.sweep.jobs import Job

PAUSE = 0.2  # seconds between two looks at the processes
ASK_AGAIN = 2.0  # seconds between two tries to get a job that another sweep has
STOPPING = "stopping: jobs under way save their state"
AGAIN = "; Ctrl-C again ends them at once"
# What is fixed by the first import of Keras.
LOADED = ("backend", "device", "precision", "deterministic")


class Runner:
    """The jobs of a board, one after the other or ``workers`` at a time.

    Args:
        board: told about every change.
        workers: jobs at a time.
        stop_on_error: whether a job that fails ends the sweep.
        isolate: each job in a process of its own; else in this one as far as that can be.
        wanted: asked all the time; once it says no, the sweep stops, and at once if it raises.
        changed: called after a job has begun or ended.
        start: makes the process of a job (tests put a stub here).
    """

    def __init__(
        self,
        board: Board,
        *,
        workers: int = 1,
        stop_on_error: bool = False,
        isolate: bool = True,
        changed: Callable[[Job], None] = lambda job: None,
        wanted: Callable[[], bool] = lambda: True,
        start: Callable[..., Process] = Process,
    ) -> None:
        self.board, self.workers, self.stop_on_error = board, workers, stop_on_error
        self.isolate, self.changed, self.wanted, self.start = isolate, changed, wanted, start
        self.stopping, self.interrupted = False, False
        self._inside = False  # a job runs in this process
        self._asked = 0.0  # when jobs of other sweeps were last asked for
        self._under_way: dict[Job, tuple[Process, Claim]] = {}
        self._loaded: tuple[Any, ...] | None = None

    def run(self) -> None:
        """Until all is done, or the sweep is stopped.

        Raises:
            RunFolderError: the output folder cannot be written to.
            KeyboardInterrupt: asked for twice.
        """
        with interrupts.handled(self._on_signal):
            try:
                while self._under_way or (not self.stopping and self._next()):
                    self._collect()
                    if not self.wanted() and not self.stopping:
                        self.stop()
                    time.sleep(PAUSE)
            finally:
                self._end()

    def _end(self) -> None:
        """Kill what is still under way, and say of each job what became of it."""
        killed, self._under_way = self._under_way, {}
        for job, (process, claim) in killed.items():
            process.kill()
            claim.release()
            self.board.set(job, "interrupted", "ended at once")
        self.board.look()
        for row in self.board.of("waiting", "elsewhere"):
            self.board.set(row.job, "left")

    def stop(self) -> None:
        """Begin no more jobs; those under way save their state and end."""
        self.stopping = True
        self.board.note = STOPPING
        for process, _ in self._under_way.values():
            process.interrupt()

    def _next(self) -> bool:
        """Begin jobs while there is room; whether any job is left to wait for."""
        for row in [*self.board.of("waiting"), *self._elsewhere()]:
            if len(self._under_way) >= self.workers or self.stopping:
                break
            self._begin(row.job)
        return bool(self._under_way or self.board.of("waiting", "elsewhere"))

    def _elsewhere(self) -> list[Row]:
        """Jobs that others had, which may be done or given up by now; not asked for all the time."""
        if time.monotonic() - self._asked < ASK_AGAIN:
            return []
        self._asked = time.monotonic()
        return self.board.of("elsewhere")

    def _begin(self, job: Job) -> None:
        claim = Claim(places.sweep_folder(job.config), job.id)
        if not claim.take():
            self.board.set(job, "elsewhere", "another sweep runs it")
            return
        entry = self.board.entry(job)
        if entry is not None and entry.state in ("completed", "running"):
            state = "completed" if entry.state == "completed" else "elsewhere"
            self.board.set(job, state, "" if state == "completed" else "another process runs it")
            claim.release()
            return
        resume, note = None, ""
        if entry is not None and entry.state == "resumable":
            resume, note = entry.path, f"goes on after epoch {entry.status.get('epoch', 0)}"
        self.board.set(job, "loading", note)
        self.changed(job)
        if self._fits_here(job):
            self._here(job, claim, resume)
            return
        try:
            process = self.start(job.config, job.overrides, resume=resume, keep=claim.files)
        except BaseException:
            claim.release()
            raise
        self._under_way[job] = (process, claim)

    def _fits_here(self, job: Job) -> bool:
        """Whether the job may run in this process: wanted, and on what is loaded already."""
        wanted = tuple(job.config["trainer"][key] for key in LOADED)
        if self.isolate or self._loaded not in (None, wanted):
            return False
        self._loaded = wanted
        return True

    def _here(self, job: Job, claim: Claim, resume: Path | None) -> None:
        state, message = "completed", ""
        self._inside, display = True, os.environ.get("DMF_DISPLAY")
        os.environ["DMF_DISPLAY"] = "quiet"  # the sweep has its own
        try:
            child.run(job.config, resume)
        except KeyboardInterrupt:
            state, self.stopping, self.interrupted = "interrupted", True, True
        except Exception as error:
            known = isinstance(error, DmfError)
            state, message = "failed", str(error) if known else f"unexpected {type(error).__name__}: {error}"
            if self.interrupted:  # what the signal raised came out of an import as another error
                state, message = "interrupted", ""
        finally:
            self._inside = False
            claim.release()
            os.environ.pop("DMF_DISPLAY")
            os.environ.update({} if display is None else {"DMF_DISPLAY": display})
        self._ended(job, state, message)

    def _collect(self) -> None:
        """Take note of the processes that have ended, then begin others."""
        for job, (process, claim) in list(self._under_way.items()):
            code = process.poll()
            if code is None:
                continue
            del self._under_way[job]
            claim.release()
            # All the processes of a job of SLURM get SIGTERM: theirs, and that of the sweep.
            stopped = code == interrupts.INTERRUPTED or (self.stopping and code in STOPPED)
            state = "completed" if code == 0 else "interrupted" if stopped else "failed"
            self._ended(job, state, "" if stopped else process.error())
        if not self.stopping:
            self._next()

    def _ended(self, job: Job, state: str, message: str) -> None:
        self.board.set(job, state, " ".join(message.split()))
        self.board.look()
        self.changed(job)
        if state == "failed" and self.stop_on_error:
            self.stop()

    def _on_signal(self, number: int, frame: Any) -> None:
        """Ctrl-C once stops after saving, twice at once."""
        interrupts.note(number)
        again, self.interrupted = self.interrupted, True
        if again or self._inside:
            raise KeyboardInterrupt  # the trainer of this process saves; the second time nobody does
        if not self.stopping:  # for a job that failed
            self.stop()
        self.board.note = STOPPING + AGAIN
