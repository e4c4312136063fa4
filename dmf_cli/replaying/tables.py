"""Weights of several strategies on one history, as a table for the terminal and as CSV."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dmf_cli.files import write_atomic
from dmf_cli.replaying.history import History
from dmf_cli.terminal.text import csv_text

if TYPE_CHECKING:
    from rich.table import Table

USED = "as trained"
COLUMNS = ("weighting", "term", "mean", "final", "min", "max", "distance")
LEGEND = (
    "Weights over all steps, warm-up included; distance: mean over the steps of half the sum of the "
    "differences to the weights it was trained with (0: the same, 1: all weight elsewhere)"
)


def summarise(history: History, replayed: Mapping[str, np.ndarray]) -> list[tuple[str | float, ...]]:
    """A row of ``COLUMNS`` for each strategy and term; distance is NaN where no weights were recorded.

    Args:
        history: what was recorded.
        replayed: label -> weights ``(steps, terms)``.
    """
    rows: list[tuple[str | float, ...]] = []
    for label, weights in replayed.items():
        distance = float("nan")
        if history.used is not None:
            known = np.isfinite(history.used).all(axis=1)
            distance = float(0.5 * np.abs(weights - history.used)[known].sum(axis=1).mean())
        for i, term in enumerate(history.terms):
            w = weights[:, i].astype(float)
            rows.append((label, term, *map(float, (w.mean(), w[-1], w.min(), w.max())), distance))
    return rows


def write(folder: Path, history: History, replayed: Mapping[str, np.ndarray]) -> None:
    """``summary.csv`` (the table) and ``weights.csv`` (each step) in ``folder``.

    Raises:
        RunFolderError: disk full, read-only, no permission.
    """
    write_atomic(folder / "summary.csv", csv_text(COLUMNS, summarise(history, replayed)))
    names = [f"{label}.{term}" for label in replayed for term in history.terms]
    table = np.concatenate([history.steps[:, None], *replayed.values()], axis=1)
    rows = ([int(row[0]), *map(float, row[1:])] for row in table)
    write_atomic(folder / "weights.csv", csv_text(["step", *names], rows))


def render(history: History, replayed: Mapping[str, np.ndarray]) -> "Table":
    """The table for the terminal."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    title = f"{history.source}: {len(history.steps)} steps"
    table = Table(box=box.SIMPLE_HEAD, title=escape(title), title_justify="left", caption_justify="left")
    far = history.used is not None
    for column in COLUMNS if far else COLUMNS[:-1]:
        table.add_column(column, justify="left" if column in COLUMNS[:2] else "right", overflow="fold")
    last = None
    for label, term, *figures in summarise(history, replayed):
        first = label != last
        if first and last is not None:
            table.add_section()
        last = label
        shown = figures[:-1] + ([figures[-1]] if far and first else [])
        cells = [f"{value:.3f}" for value in shown]
        table.add_row(escape(str(label)) if first else "", escape(str(term)), *cells)
    table.caption = LEGEND if far else LEGEND.partition(";")[0]
    return table
