"""A run's folder: claimed exclusively, every file whole, readable while the run is running.

config.yaml status.json environment.json split.json train.log epochs.csv steps.csv insight.csv
checkpoints/ metrics/ plots/ predictions/
"""

import contextlib
import datetime
import json
import logging
import os
import shutil
import socket
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dmf_cli import bounded, hashes
from dmf_cli.errors import RunFolderError
from dmf_cli.escapes import visible
from dmf_cli.files import TEMPORARY, disk_errors, flush, keep_as, own, remove, write_atomic, write_in_place
from dmf_cli.run_folder import csv_log, places

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

STEP_COLUMNS = ("step", "epoch", "loss", "gamma", "aux")
STATES = ("running", "completed", "failed", "interrupted")
FOLDERS = ("checkpoints", "metrics", "plots", "predictions")


class RunFolder:
    """One run on disk; :meth:`claim` makes a new one, :meth:`open` takes an existing one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints, self.metrics, self.plots, self.predictions = (path / name for name in FOLDERS)
        self.config_file, self.status_file = path / places.CONFIG, path / places.STATUS
        self.environment_file, self.split_file = path / "environment.json", path / "split.json"
        self.inputs, self.report = path / "inputs.json", path / places.REPORT
        self.log, self.epochs_file, self.steps_file, self.insight_file = (
            path / name for name in ("train.log", "epochs.csv", "steps.csv", "insight.csv")
        )
        self.diverged_file = path / "diverged.csv"
        self.best_model, self.last_checkpoint = self.checkpoints / "best.keras", self.checkpoints / "last.npz"
        self.model_before = self.checkpoints / "best.1.keras"
        self._made: list[Path] = []
        self._release: Callable[[], Any] | None = None

    @classmethod
    def claim(
        cls, path: str | Path | None = None, *, root: str | Path = "outputs", slug: str = "run"
    ) -> "RunFolder":
        """Make the folder of a new run; no two runs ever get the same one.

        Args:
            path: exactly this folder, or None for ``root/<date>/<time>_<slug>``.
            root: where automatic folders go.
            slug: what the run is called.

        Raises:
            RunFolderError: ``path`` exists, or cannot be made; nothing is left behind.
        """
        if path is not None:
            made = places.make_exactly(Path(path).expanduser())
        else:
            made = places.make_dated(Path(root).expanduser(), slug)
        for folder in made:
            flush(folder.parent)
        run = cls(made[-1])
        run._made = made
        try:
            for name in FOLDERS:
                with disk_errors(run.path / name):
                    (run.path / name).mkdir()
            run.hold()
        except BaseException:
            run.abandon()
            raise
        return run

    @classmethod
    def open(cls, path: str | Path, *, reading: bool = False) -> "RunFolder":
        """The folder of an existing run; its subfolders are made again if they are gone.

        Args:
            path: of it.
            reading: make nothing.

        Raises:
            RunFolderError: ``path`` is not a run (names the run that was probably meant), or holds a symbolic
                link.
        """
        folder = Path(path).expanduser()
        with disk_errors(folder, "read"):
            if not places.is_run(folder):
                raise places.no_run(folder)
        places.check_files(folder)
        with contextlib.suppress(OSError):  # a run that may only be read is a run
            for name in () if reading else FOLDERS:
                (folder / name).mkdir(exist_ok=True)
        return cls(folder)

    def abandon(self) -> None:
        """Remove the folder and the empty ones made for it: the run ended before anything was computed."""
        self.release()
        shutil.rmtree(self.path, ignore_errors=True)
        places.remove_empty(self._made)

    def hold(self, *, reading: bool = False) -> None:
        """Keep every other process from writing to this run until the log is closed or this one ends.

        Args:
            reading: nothing is written by this one either: the run may be read-only, or have no log.

        Raises:
            RunFolderError: another process is at work in the folder.
        """
        if self._release is not None or fcntl is None:
            return
        if reading and not self.log.exists():
            return
        with disk_errors(self.log):
            lock = own(self.log, os.O_RDONLY if reading else os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            status = self.read_status()
            who = f"process {status.get('pid', '?')} on {status.get('host', '?')}"
            raise RunFolderError(
                path=self.path, reason=f"is in use by {who}", hint="wait until it ends, or end it"
            ) from None
        except OSError:  # a network file system without locks
            os.close(lock)
            return
        self._release = weakref.finalize(self, os.close, lock)

    def release(self) -> None:
        """Let other processes write to this run again."""
        release, self._release = self._release, None
        if release is not None:
            release()

    def write_config(self, text: str) -> None:
        """``config.yaml``: enough to repeat the run."""
        write_atomic(self.config_file, text)

    def write_environment(self, facts: Mapping[str, Any]) -> None:
        """``environment.json``: what :func:`dmf_cli.run_folder.environment.environment` gathers."""
        write_atomic(self.environment_file, json.dumps(facts, indent=2, default=str) + "\n")

    @property
    def processors(self) -> int | None:
        """How many processors the run had, as ``environment.json`` says; None if it does not."""
        try:
            facts = bounded.read_json(self.environment_file)
        except (OSError, ValueError):
            return None
        count = facts.get("cores") if isinstance(facts, dict) else None
        return count if isinstance(count, int) and count > 0 else None

    def read_status(self) -> dict[str, Any]:
        """``status.json`` as a dict; empty when it is missing or damaged."""
        try:
            status = bounded.read_json(self.status_file)
        except (OSError, ValueError):
            return {}
        return status if isinstance(status, dict) else {}

    def write_status(self, state: str, **fields: Any) -> None:
        """Set the state (``running completed failed interrupted``) and merge ``fields``.

        ``status.json`` then has ``state pid host started updated``, ``ended`` once it has, and whatever
        ``fields`` were given: ``epoch epochs best message``, and ``auto``, the keys of ``config.yaml``
        that were auto before a number was filled in.
        """
        write_atomic(self.status_file, self._status(state, fields))

    def end(self, state: str, **fields: Any) -> None:
        """:meth:`write_status` of a run that ended for a reason which must not be lost: never an error.

        On a full disk the old file is written over, without ``fields`` if they need more room than it has.
        """
        try:
            self.write_status(state, **fields)
        except RunFolderError:
            with contextlib.suppress(OSError):
                any(write_in_place(self.status_file, self._status(state, some)) for some in (fields, {}))

    def _status(self, state: str, fields: Mapping[str, Any]) -> str:
        if state not in STATES:
            raise ValueError(f"state {state!r}: allowed are {', '.join(STATES)}")
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        here = {"state": state, "pid": os.getpid(), "host": socket.gethostname()}
        status = {**here, "started": now, **self.read_status(), **fields, **here, "updated": now}
        if state != "running":
            status["ended"] = now
        else:
            status = {k: v for k, v in status.items() if k not in ("ended", "message")}
        return json.dumps(status, indent=2) + "\n"

    def append_epoch(self, row: Mapping[str, Any]) -> None:
        """One row to ``epochs.csv``; the first row names the columns."""
        csv_log.append(self.epochs_file, list(row), [row])

    def append_steps(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Rows to ``steps.csv``: ``step,epoch,loss,gamma,aux,loss.TERM,weight.TERM``."""
        _append_steps(self.steps_file, rows)

    def write_diverged(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """``diverged.csv``: the steps of the epochs that a rollback undid, as in ``steps.csv``."""
        remove(self.diverged_file)
        _append_steps(self.diverged_file, rows)

    def append_insight(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Rows to ``insight.csv``: ``step,epoch``, ``norm mean_abs max_abs`` of each term, ``cosine.A|B``."""
        if rows:
            rest = [name for name in rows[0] if name not in STEP_COLUMNS]
            csv_log.append(self.insight_file, ["step", "epoch", *rest], rows)

    def read_epochs(self) -> csv_log.Columns:
        """``epochs.csv`` as columns; a row that was cut off is skipped."""
        return csv_log.read(self.epochs_file)

    def read_steps(self) -> csv_log.Columns:
        """``steps.csv`` as columns."""
        return csv_log.read(self.steps_file)

    def read_diverged(self) -> csv_log.Columns:
        """``diverged.csv`` as columns; empty unless the run was rolled back."""
        return csv_log.read(self.diverged_file)

    def read_insight(self) -> csv_log.Columns:
        """``insight.csv`` as columns; empty unless ``trainer.insight_every`` was set."""
        return csv_log.read(self.insight_file)

    def unfinished_model(self, epoch: int) -> Path:
        """The network of ``epoch`` until the checkpoint that calls it the best is written."""
        return self.checkpoints / f"unfinished-{epoch}.keras"  # Keras wants this suffix

    def best_after(self, note: Mapping[str, Any]) -> Path:
        """The file of :meth:`found_best`."""
        return self.found_best(note)[0]

    def found_best(self, note: Mapping[str, Any]) -> tuple[Path, str | None]:
        """The network that a checkpoint with ``note`` calls the best, and its hash; if it is gone,
        ``best.keras`` and None.

        After a kill it may wait under another name, and that of an older checkpoint may be the one before.
        Checkpoints of an older version have no hash of it.
        """
        epoch, wanted = note["epoch"], note.get("network")
        waiting = self.unfinished_model(epoch)
        if wanted:
            there = [file for file in (self.best_model, waiting, self.model_before) if file.is_file()]
            found = ((file, wanted) for file in there if hashes.of_file(file) == wanted)
            return next(found, (self.best_model, None))
        waits = note.get("best_epoch") == epoch and waiting.is_file()
        return waiting if waits else self.best_model, None

    def settle_best(self, note: Mapping[str, Any]) -> None:
        """Give the network that a checkpoint with ``note`` calls the best its place.

        What it replaces is kept if it is newer, for an older checkpoint may yet be needed.
        """
        best = self.best_after(note)
        with disk_errors(self.best_model):
            if best == self.best_model:
                return
            if best != self.model_before and self.best_model.is_file():
                keep_as(self.best_model, self.model_before)
            best.replace(self.best_model)
            flush(self.checkpoints)

    def truncate_after(self, epoch: int) -> None:
        """Make ready to continue after ``epoch``: drop later rows, and what a kill left half-written.

        Raises:
            RunFolderError: another process is at work in the folder, or a file cannot be written.
        """
        self.hold()
        for file in (self.epochs_file, self.steps_file, self.insight_file):
            csv_log.truncate(file, epoch)
        for file in (*self.path.rglob(f".*{TEMPORARY}"), *self.checkpoints.glob("unfinished*.keras")):
            remove(file)

    @contextlib.contextmanager
    def logging(self) -> Iterator[None]:
        """Send the log of ``dmf`` to ``train.log`` and hold the folder inside the block.

        Raises:
            RunFolderError: another process is at work in the folder, or the log cannot be written.
        """
        self.hold()
        logger = logging.getLogger("dmf")
        with disk_errors(self.log):
            handler = _LogFile(self.log, encoding="utf-8", errors="backslashreplace")
        handler.setFormatter(_OneLine("%(asctime)s %(levelname)s %(message)s"))
        before = logger.level, logger.propagate
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False  # what the terminal shows is the display's business
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.setLevel(before[0])
            logger.propagate = before[1]
            handler.close()
            self.release()


def _append_steps(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        rest = [name for name in rows[0] if name not in STEP_COLUMNS]
        csv_log.append(file, [*STEP_COLUMNS, *rest], rows)


class _OneLine(logging.Formatter):
    """No value makes a line of its own: only tracebacks have several, which are indented."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """The line of ``record``."""
        record.message = visible(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802
        """The traceback."""
        return "\n".join(f"    {visible(line)}" for line in super().formatException(ei).splitlines())


class _LogFile(logging.FileHandler):
    """A full disk is reported by the files that matter; the log itself must not print tracebacks about it."""

    def _open(self) -> Any:
        return open(self.baseFilename, self.mode, encoding=self.encoding, opener=own)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Do nothing."""

    def close(self) -> None:
        """Close the file; the lines that found no room are tried once more here, and given up."""
        with contextlib.suppress(OSError):
            super().close()
