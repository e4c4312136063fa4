"""A run's folder: claimed exclusively, every file whole, readable while the run goes on.

config.yaml status.json environment.json split.json train.log epochs.csv steps.csv
checkpoints/ metrics/ plots/ predictions/
"""

import contextlib
import csv
import datetime
import difflib
import io
import json
import logging
import os
import re
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dmf_cli.errors import RunFolderError
from dmf_cli.results.atomic import told, write_atomic

STEP_COLUMNS = ("step", "epoch", "loss", "gamma", "aux")
STATES = ("running", "completed", "failed", "interrupted")
FOLDERS = ("checkpoints", "metrics", "plots", "predictions")


class RunFolder:
    """One run on disk; :meth:`claim` makes a new one, :meth:`open` takes an existing one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints, self.metrics, self.plots, self.predictions = (path / name for name in FOLDERS)
        self.config_file, self.status_file = path / "config.yaml", path / "status.json"
        self.environment_file, self.split_file = path / "environment.json", path / "split.json"
        self.log, self.epochs_file, self.steps_file = (
            path / name for name in ("train.log", "epochs.csv", "steps.csv")
        )
        self.best_model, self.last_checkpoint = self.checkpoints / "best.keras", self.checkpoints / "last.npz"

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
            RunFolderError: ``path`` exists, or cannot be made.
        """
        folder = _make_exactly(Path(path)) if path is not None else _make_dated(Path(root), slug)
        try:
            for name in FOLDERS:
                with told(folder / name):
                    (folder / name).mkdir()
        except RunFolderError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return cls(folder)

    @classmethod
    def open(cls, path: str | Path) -> "RunFolder":
        """The folder of an existing run; raises ``RunFolderError`` for anything else."""
        folder = Path(path)
        if (folder / "config.yaml").is_file() and (folder / "status.json").is_file():
            return cls(folder)
        what = "is not a run folder (no config.yaml and status.json)" if folder.is_dir() else "does not exist"
        raise RunFolderError(f"{path} {what}: {_nearest_run(folder)}")

    def abandon(self) -> None:
        """Remove the folder, for a run that ended before anything was computed."""
        shutil.rmtree(self.path, ignore_errors=True)

    def write_config(self, text: str) -> None:
        """``config.yaml``: enough to repeat the run."""
        write_atomic(self.config_file, text)

    def write_environment(self, facts: Mapping[str, Any]) -> None:
        """``environment.json``: versions, devices, command."""
        write_atomic(self.environment_file, json.dumps(facts, indent=2) + "\n")

    def read_status(self) -> dict[str, Any]:
        """``status.json`` as a dict; empty when it is missing or damaged."""
        try:
            return json.loads(self.status_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    def write_status(self, state: str, **fields: Any) -> None:
        """Set the state (``running completed failed interrupted``) and merge ``fields``."""
        if state not in STATES:
            raise ValueError(f"state {state!r}: allowed are {', '.join(STATES)}")
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        status = {"started": now, **self.read_status(), "state": state, **fields, "updated": now}
        status |= {"pid": os.getpid(), "host": socket.gethostname()}
        if state != "running":
            status["ended"] = now
        else:
            status = {k: v for k, v in status.items() if k not in ("ended", "message")}
        write_atomic(self.status_file, json.dumps(status, indent=2) + "\n")

    def append_epoch(self, row: Mapping[str, Any]) -> None:
        """One row to ``epochs.csv``; the first row names the columns."""
        _append(self.epochs_file, list(row), [row])

    def append_steps(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Rows to ``steps.csv``: ``step,epoch,loss,gamma,aux,loss.TERM,weight.TERM``."""
        if rows:
            rest = [name for name in rows[0] if name not in STEP_COLUMNS]
            _append(self.steps_file, [*STEP_COLUMNS, *rest], rows)

    def read_epochs(self) -> dict[str, list[float]]:
        """``epochs.csv`` as columns; a row that was cut off is left out."""
        return _read(self.epochs_file)

    def read_steps(self) -> dict[str, list[float]]:
        """``steps.csv`` as columns."""
        return _read(self.steps_file)

    def truncate_after(self, epoch: int) -> None:
        """Drop the rows of epochs later than ``epoch``: they were written after the checkpoint."""
        for file in (self.epochs_file, self.steps_file):
            if file.exists():
                lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
                column = lines[0].rstrip().split(",").index("epoch") if lines else 0
                kept = [line for line in lines[1:] if _epoch_of(line, lines[0], column) <= epoch]
                write_atomic(file, "".join([*lines[:1], *kept]) if kept else "")

    @contextlib.contextmanager
    def logging(self) -> Iterator[None]:
        """Send the log of ``dmf`` to ``train.log`` inside the block."""
        logger = logging.getLogger("dmf")
        with told(self.log):
            handler = logging.FileHandler(self.log, encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False  # what the terminal shows is the display's business
        try:
            yield
        finally:
            logger.removeHandler(handler)
            handler.close()


def _make_exactly(path: Path) -> Path:
    if path.exists():
        raise RunFolderError(
            f"run_dir={path} exists already: choose another folder, or `dmf resume {path}` "
            "to go on with its run"
        )
    with told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.mkdir()
        except FileExistsError:
            raise RunFolderError(
                f"run_dir={path} was taken by another run just now: choose another"
            ) from None
    return path


def _make_dated(root: Path, slug: str) -> Path:
    now = datetime.datetime.now()
    name = f"{now:%H-%M-%S}_{re.sub(r'[^A-Za-z0-9._+-]+', '-', slug)}"[:120]
    with told(root):
        (root / f"{now:%Y-%m-%d}").mkdir(parents=True, exist_ok=True)
        for number in range(1, 10_000):
            path = root / f"{now:%Y-%m-%d}" / (name if number == 1 else f"{name}_{number}")
            with contextlib.suppress(FileExistsError):
                path.mkdir()
                return path
    raise RunFolderError(f"{root} holds 10,000 runs of this second: set run_dir=...")


def _nearest_run(folder: Path) -> str:
    """What to do about a path that is no run: the run with the closest name, if there is one."""
    base = folder if folder.is_dir() else folder.parent
    found = sorted(p.parent for depth in ("*", "*/*", "*/*/*") for p in base.glob(f"{depth}/status.json"))
    if not found:
        return "give the folder that `dmf train` printed"
    close = difflib.get_close_matches(str(folder), map(str, found), n=1, cutoff=0.0)
    return f"did you mean {close[0]}?"


def _append(file: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """All rows in one write, so that a killed run leaves whole rows."""
    with told(file):
        new = not file.exists() or file.stat().st_size == 0
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, columns, restval="", extrasaction="ignore", lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerows({k: _text(v) for k, v in row.items()} for row in rows)
        with file.open("a", encoding="utf-8") as handle:
            handle.write(buffer.getvalue())
            handle.flush()
            os.fsync(handle.fileno())


def _text(value: Any) -> Any:
    """Whole numbers without ``.0``; nine digits carry a float32 exactly."""
    if isinstance(value, float):
        return f"{value:.9g}"
    return value


def _read(file: Path) -> dict[str, list[float]]:
    if not file.exists():
        return {}
    text = file.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]  # a last line without its end was cut off
    rows = [row for row in csv.DictReader(io.StringIO(whole)) if None not in row.values()]
    return {name: [float(row[name] or "nan") for row in rows] for name in (rows[0] if rows else ())}


def _epoch_of(line: str, header: str, column: int) -> float:
    cells = line.rstrip("\n").split(",")
    whole = line.endswith("\n") and len(cells) == len(header.rstrip("\n").split(","))
    return float(cells[column]) if whole else float("inf")
