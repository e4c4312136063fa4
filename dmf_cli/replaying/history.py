"""Losses that were recorded step by step, from a run or from any CSV."""

import csv
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from dmf_cli import bounded
from dmf_cli.errors import UsageError
from dmf_cli.escapes import is_number
from dmf_cli.files import disk_errors
from dmf_cli.run_folder import places

NOT_LOSSES = ("step", "epoch")  # columns of a plain CSV that may stand beside its losses
STATISTICS = ("norm", "mean_abs", "max_abs")


@dataclasses.dataclass(frozen=True)
class History:
    """Losses of one training.

    Args:
        source: the run folder or the file.
        terms: names of the losses.
        losses: float32 ``(steps, terms)``; NaN and infinity as recorded.
        steps: the number of each row, ``(steps,)``.
        used: the weights it was trained with, ``(steps, terms)``, or None.
        steps_per_epoch: None where no epochs are recorded.
        gradients: ``norm mean_abs max_abs`` of each term, ``(steps, terms)``, NaN where not recorded; or
            nothing at all.
        gradients_every: steps between two of them; 0 without any.
    """

    source: Path
    terms: tuple[str, ...]
    losses: np.ndarray
    steps: np.ndarray
    used: np.ndarray | None = None
    steps_per_epoch: int | None = None
    gradients: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    gradients_every: int = 0


def read(path: Path) -> History:
    """The losses of the run in the folder ``path``, or of the CSV file ``path``.

    A CSV has either the columns of ``steps.csv`` (``loss.TERM``, perhaps ``weight.TERM``) or one column a
    loss, beside which ``step`` and ``epoch`` are allowed.

    Raises:
        UsageError: nothing there, no row, or a cell that is not a number.
    """
    file = path
    if not path.is_file():
        if not places.is_run(path):
            raise places.no_run(path)
        file = path / "steps.csv"
        if not file.is_file():
            hint = "its first epoch is not over; wait for it"
            raise UsageError(path=path, reason="has no steps.csv yet", hint=hint)
    columns = read_columns(file)
    recorded = [name.removeprefix("loss.") for name in columns if name.startswith("loss.")]
    terms = tuple(recorded or (name for name in columns if name not in NOT_LOSSES))
    if not terms:
        reason = f"has the columns {', '.join(columns)} and no losses"
        raise UsageError(path=file, reason=reason, allowed="one column a loss")
    losses = np.stack([columns[f"loss.{t}" if recorded else t] for t in terms], axis=1).astype("float32")
    if not np.isfinite(losses).all(axis=1).any():
        raise UsageError(path=file, reason=f"has no row in which all of {', '.join(terms)} are finite")
    steps = columns.get("step", np.arange(len(losses), dtype=float))
    gradients, every = _gradients(file.with_name("insight.csv"), terms, steps) if recorded else ({}, 0)
    return History(
        source=path,
        terms=terms,
        losses=losses,
        steps=steps,
        used=_used(columns, terms) if recorded else None,
        steps_per_epoch=_rows_of_epoch(columns),
        gradients=gradients,
        gradients_every=every,
    )


def read_columns(file: Path) -> dict[str, np.ndarray]:
    """A CSV of numbers with a header, as float64 columns; an empty cell is NaN, a cut-off last row skipped.

    Raises:
        UsageError: in one line, with the line of the file that is wrong.
    """
    with disk_errors(file, "read"):
        text = bounded.read_text(file, encoding="utf-8-sig", errors="replace", most=bounded.MOST_WHOLE)
    try:
        read = enumerate(csv.reader(text.splitlines()), start=1)
        lines = [(number, row) for number, row in read if any(row)]
    except csv.Error as error:
        raise UsageError(path=file, reason=f"is no table ({error})", hint="mend it") from None
    if not lines:
        hint = "it needs a line of names and then a row of losses a step"
        raise UsageError(path=file, reason="is empty", hint=hint)
    names = [name.strip() for name in lines[0][1]]
    if any(is_number(name) for name in names):
        hint = "its first line must name the columns"
        raise UsageError(path=file, reason="starts with numbers", hint=hint)
    if len(set(names)) < len(names):
        raise UsageError(path=file, reason="names a column twice", hint=", ".join(names))
    rows = lines[1:]
    if rows and not text.endswith("\n") and len(rows[-1][1]) < len(names):
        rows = rows[:-1]  # a run that is still running
    if not rows:
        raise UsageError(path=file, reason="has a header and no rows", hint="there is nothing to replay")
    return dict(zip(names, np.array([_numbers(file, *line, names) for line in rows]).T, strict=True))


def _numbers(file: Path, number: int, row: list[str], names: list[str]) -> list[float]:
    if len(row) != len(names):
        reason = f"has {len(row)} cells in line {number} and {len(names)} in the header"
        raise UsageError(path=file, reason=reason, hint="mend it")
    for cell, name in zip(row, names, strict=True):
        if cell.strip() and not is_number(cell):
            hint = "mend it or remove the column"
            wrong = UsageError(path=file, key=name, value=cell[:40], reason="no number", hint=hint)
            raise wrong.within(f"{file}, line {number}")
    return [float(cell) if cell.strip() else float("nan") for cell in row]


def _used(columns: dict[str, np.ndarray], terms: tuple[str, ...]) -> np.ndarray | None:
    names = [f"weight.{term}" for term in terms]
    if not all(name in columns for name in names):
        return None
    return np.stack([columns[name] for name in names], axis=1)


def _rows_of_epoch(columns: dict[str, np.ndarray]) -> int | None:
    """Rows of an epoch; the last one may be incomplete."""
    if "epoch" not in columns:
        return None
    return int(np.unique(columns["epoch"], return_counts=True)[1].max())


def _gradients(file: Path, terms: tuple[str, ...], steps: np.ndarray) -> tuple[dict[str, Any], int]:
    """What ``insight.csv`` beside the steps holds, laid out by step."""
    if not file.is_file():
        return {}, 0
    columns = read_columns(file)
    needed = ["step", *(f"{kind}.{term}" for kind in STATISTICS for term in terms)]
    if lost := [name for name in needed if name not in columns]:
        reason = f"has no column {lost[0]}"
        raise UsageError(path=file, reason=reason, hint="put a whole copy of it back, or remove it")
    rows = np.searchsorted(steps, columns["step"])
    known = (rows < len(steps)) & (steps[rows.clip(max=len(steps) - 1)] == columns["step"])
    tables = {}
    for kind in STATISTICS:
        table = np.full((len(steps), len(terms)), np.nan, dtype="float32")
        for i, term in enumerate(terms):
            table[rows[known], i] = columns[f"{kind}.{term}"][known]
        tables[kind] = table
    gaps = np.diff(columns["step"])
    return tables, int(gaps.min()) if len(gaps) else len(steps)
