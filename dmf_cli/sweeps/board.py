"""How far each job of a sweep is, as far as the run folders on disk tell; whoever runs it."""

import contextlib
import dataclasses
import math
import statistics
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dmf_cli import bounded
from dmf_cli.errors import DmfError
from dmf_cli.run_folder import csv_log, headline, places
from dmf_cli.run_folder.index import Entry, Index
from dmf_cli.sweeps.jobs import SweepJob

# waiting: its turn will come; elsewhere: another process trains it; same: another job is the same run.
STATES = ("waiting", "loading", "running", "completed", "failed", "interrupted", "elsewhere", "same", "left")
OPEN = ("waiting", "loading", "running", "elsewhere")


@dataclasses.dataclass
class JobRow:
    """One job in the table.

    Args:
        job: the job.
        state: one of ``STATES``; ``left`` was never begun.
        path: its run folder, once there is one.
        epoch: finished epochs.
        epochs: planned; None while unknown.
        best: the best value so far of what ``trainer.monitor`` names.
        score: mean Dice on the test split.
        seconds: that it has taken.
        eta: seconds left, None while unknown.
        message: why it failed, or what is special about it.
        before: whether it was done when the sweep began.
    """

    job: SweepJob
    state: str = "waiting"
    path: Path | None = None
    epoch: int = 0
    epochs: int | None = None
    best: float | None = None
    score: float | None = None
    seconds: float | None = None
    eta: float | None = None
    message: str = ""
    before: bool = False
    began: float | None = None  # monotonic


class Board:
    """The rows of all jobs; :meth:`look` brings them up to date. Used by several threads.

    Args:
        jobs: of the sweep; of several that are the same run only the first counts.
        remote: a launcher runs the jobs, so that only the disk tells how they end.
    """

    def __init__(self, jobs: Sequence[SweepJob], *, remote: bool = False) -> None:
        self.remote, self.note = remote, ""
        self.workers = 1  # jobs at a time, for the time that is left
        self.rows = [JobRow(job) for job in jobs]
        self._by_id = {row.job.id: row for row in reversed(self.rows)}
        self._indices = [Index(root) for root in dict.fromkeys(job.root for job in jobs)]
        self._lock = threading.RLock()
        self._seen: dict[Path, tuple[Any, ...]] = {}
        for row in self.rows:
            first = self._by_id[row.job.id]
            if first is not row:
                row.state, row.message = "same", f"same run as job {first.job.number}"
        self._first = self._entries()
        self.look()
        for row in self.rows:
            row.before = row.state == "completed"

    def look(self) -> None:
        """Read what has changed on disk since the last look."""
        with self._lock:
            for id, entry in self._entries().items():
                if id in self._by_id:
                    self._update(self._by_id[id], entry)
            for row in self.rows:
                if row.state in OPEN and (why := _failure(row.job)):
                    row.state, row.message = "failed", why
                if row.state in ("loading", "running") and row.began is not None:
                    row.seconds = time.monotonic() - row.began
            self._estimate()

    def entry(self, job: SweepJob) -> Entry | None:
        """The run of ``job`` that is on disk now, if there is one."""
        with self._lock:
            return self._entries().get(job.id)

    def set(self, job: SweepJob, state: str, message: str = "") -> None:
        """What the one who runs ``job`` knows better than the disk."""
        with self._lock:
            row = self._by_id[job.id]
            if state == "loading":
                row.began = time.monotonic()
            row.state, row.message = state, message
            if state not in ("loading", "running"):
                row.eta = None

    def of(self, *states: str) -> list[JobRow]:
        """The rows in these states."""
        with self._lock:
            return [row for row in self.rows if row.state in states]

    def seconds_left(self) -> float | None:
        """Until all jobs are done, None while there is nothing to go by."""
        with self._lock:
            typical = self._typical()
            under_way = [row.eta for row in self.rows if row.state in ("loading", "running")]
            waiting = len(self.of("waiting"))
            if (waiting and typical is None) or None in under_way:
                return None
            return sum(filter(None, under_way), waiting * (typical or 0.0)) / self.workers

    def _entries(self) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        for index in self._indices:
            found = {**index.by_id(), **found}
        return found

    def _update(self, row: JobRow, entry: Entry) -> None:
        status = entry.status
        stamp = (status.get("state"), status.get("updated"), status.get("epoch"))
        state = self._state(row, entry)
        if self._seen.get(entry.path) == stamp and state == row.state:
            return
        self._seen[entry.path], row.path = stamp, entry.path
        row.epoch, row.epochs = status.get("epoch") or 0, status.get("epochs")
        row.best = next((v for k, v in (status.get("best") or {}).items() if k != "epoch"), None)
        if state == "running" and row.began is None:
            row.began = time.monotonic()
        if state in ("failed", "interrupted") and state != row.state:
            row.message = row.message or str(status.get("message", ""))
        row.state = state
        if state == "elsewhere":
            row.message = row.message or "another process runs it"
        if state == "completed":
            row.score, row.eta, row.message = _score(entry.path), None, ""
            if row.began is None:
                row.seconds = sum(_epoch_seconds(entry.path)) or None
        elif state == "waiting" and row.epoch:
            row.message = f"continues after epoch {row.epoch}"

    def _state(self, row: JobRow, entry: Entry) -> str:
        """What the disk says about a row that has not ended yet.

        Who runs jobs himself knows how they end. Of a launcher's jobs only the disk tells, whose news must
        not be mistaken for those of an earlier try.
        """
        if entry.state == "completed" or row.state not in OPEN:
            return "completed" if entry.state == "completed" else row.state
        if entry.state == "running":
            return "running" if self.remote or row.state in ("loading", "running") else "elsewhere"
        said, first = entry.status.get("state"), self._first.get(entry.id)
        old = first is not None and (first.path, first.status) == (entry.path, entry.status)
        news = self.remote and not old and said in ("failed", "interrupted")
        return str(said) if news else row.state

    def _estimate(self) -> None:
        typical = self._typical()
        for row in self.rows:
            if row.state not in ("loading", "running"):
                continue
            row.eta = None if typical is None else max(0.0, typical - (row.seconds or 0.0))
            if row.path is not None and row.epochs and row.epoch:
                recent = _epoch_seconds(row.path)[1:][-5:]  # the first one compiles
                if recent:
                    row.eta = (row.epochs - row.epoch) * statistics.median(recent)

    def _typical(self) -> float | None:
        """Seconds of a job: the mean of those that ended in this sweep."""
        took = [row.seconds for row in self.rows if row.state == "completed" and row.seconds]
        return statistics.fmean(took) if took else None


def failure_file(job: SweepJob) -> Path:
    """Where the worker of a launcher says why ``job`` failed."""
    return places.sweep_folder(job.config) / f"{job.id}.failed"


def _failure(job: SweepJob) -> str:
    try:
        return bounded.read_text(failure_file(job)).strip()
    except (OSError, ValueError):
        return ""


def _epoch_seconds(path: Path) -> list[float]:
    with contextlib.suppress(DmfError):
        return [s for s in csv_log.read(path / "epochs.csv").get("seconds", []) if math.isfinite(s)]
    return []


def _score(path: Path) -> float | None:
    """Mean Dice of the test split, of several classes that of their mean, as the table of the run has it."""
    try:
        summary = bounded.read_json(path / "metrics" / "test_summary.json", most=bounded.MOST_SCORES)
        return float(summary[headline.scope(summary)]["dice"]["mean"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
