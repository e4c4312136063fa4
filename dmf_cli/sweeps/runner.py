"""Runs the jobs of a sweep that are not done."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dmf_cli import interrupts, machine
from dmf_cli.errors import DmfError
from dmf_cli.jobs import child
from dmf_cli.jobs.claim import Claim
from dmf_cli.jobs.process import Process
from dmf_cli.jobs.runner import Runner
from dmf_cli.run_folder import places
from dmf_cli.sweeps.board import Board, JobRow
from dmf_cli.sweeps.jobs import SweepJob

ASK_AGAIN = 2.0  # seconds between two tries to get a job that another sweep has
STOPPING = "stopping: running jobs save their state"
AGAIN = "; Ctrl-C again ends them at once"
# What is fixed by the first import of Keras.
LOADED = ("backend", "device", "devices", "precision", "deterministic")


class SweepRunner(Runner[SweepJob]):
    """The jobs of a board.

    Args:
        board: it hears of every change.
        stop_on_error: whether a job that fails ends the sweep.
        isolate: each job in a process of its own; else in this one as far as that can be.
        changed: called after a job has begun or ended.
        options: of :class:`dmf_cli.jobs.runner.Runner`.
    """

    def __init__(
        self,
        board: Board,
        *,
        stop_on_error: bool = False,
        isolate: bool = True,
        changed: Callable[[SweepJob], None] = lambda job: None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.board, self.stop_on_error, self.isolate, self.changed = board, stop_on_error, isolate, changed
        self._claims: dict[SweepJob, Claim] = {}
        self._asked = 0.0  # when jobs of other sweeps were last asked for
        self._loaded: tuple[Any, ...] | None = None

    def begin_next(self) -> bool:
        """Begin jobs that wait, and those that others had and gave up."""
        for row in [*self.board.of("waiting"), *self._elsewhere()]:
            if not self.room():
                break
            if self.room(row.job.config):  # a place on a GPU may be missing
                self._begin(row.job)
        return bool(self.board.of("waiting", "elsewhere"))

    def ended(self, job: SweepJob, process: Process, code: int) -> None:
        """Let others have what is not done."""
        self._claims.pop(job).release()
        stopped = code == interrupts.INTERRUPTED or self.was_stopped(code)
        state = "completed" if code == 0 else "interrupted" if stopped else "failed"
        self._note(job, state, "" if stopped else process.error())

    def again(self, job: SweepJob, why: str) -> None:
        """It waits, and resumes what it has saved."""
        self._claims.pop(job).release()
        self.board.note = f"job {job.number} ({job}) is tried again: {why}"
        self._note(job, "waiting", "")

    def stop(self) -> None:
        """Begin no more jobs; those that run save their state and end."""
        self.board.note = STOPPING
        super().stop()

    def close(self) -> list[SweepJob]:
        """Kill what still runs, and say of each job what became of it."""
        killed = super().close()
        for job in killed:
            self._claims.pop(job).release()
            self.board.set(job, "interrupted", "ended at once")
        self.board.look()
        for row in self.board.of("waiting", "elsewhere"):
            self.board.set(row.job, "left")
        return killed

    def _elsewhere(self) -> list[JobRow]:
        """Jobs that others had, which may be done or given up by now; not asked for all the time."""
        if time.monotonic() - self._asked < ASK_AGAIN:
            return []
        self._asked = time.monotonic()
        return self.board.of("elsewhere")

    def _begin(self, job: SweepJob) -> None:
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
            resume, note = entry.path, f"continues after epoch {entry.status.get('epoch', 0)}"
        self.board.set(job, "loading", note)
        self.changed(job)
        if self._fits_here(job):
            self._here(job, claim, resume)
            return
        self._claims[job] = claim
        try:
            self.begin(job, job.config, job.overrides, resume=resume, keep=claim.files)
        except BaseException:
            self._claims.pop(job).release()
            raise

    def _fits_here(self, job: SweepJob) -> bool:
        """Whether the job may run in this process: wanted, and on what is loaded already."""
        wanted = tuple(getattr(job.config.trainer, key) for key in LOADED)
        if self.isolate or self._loaded not in (None, wanted):
            return False
        self._loaded = wanted
        return True

    def _here(self, job: SweepJob, claim: Claim, resume: Path | None) -> None:
        state, message = "completed", ""
        try:
            # Without the display of a single run, for the sweep has its own.
            quiet = machine.environment("DMF_DISPLAY", "quiet")
            with quiet, interrupts.handled(self._interrupt_here):
                child.run(job.config, resume)
        except KeyboardInterrupt:
            state, self.stopping, self.interrupted = "interrupted", True, True
        except Exception as error:
            known = isinstance(error, DmfError)
            state, message = "failed", str(error) if known else f"unexpected {type(error).__name__}: {error}"
            if self.interrupted:  # what the signal raised came out of an import as another error
                state, message = "interrupted", ""
        finally:
            claim.release()
        self._note(job, state, message)

    def _interrupt_here(self, number: int, frame: Any) -> None:
        """The trainer of this process saves; the second time nobody does."""
        interrupts.note(number)
        self.interrupted = True
        raise KeyboardInterrupt

    def _note(self, job: SweepJob, state: str, message: str) -> None:
        self.board.set(job, state, " ".join(message.split()))
        self.board.look()
        self.changed(job)
        if state == "failed" and self.stop_on_error:
            self.stop()

    def _on_signal(self, number: int, frame: Any) -> None:
        super()._on_signal(number, frame)
        self.board.note = STOPPING + AGAIN
