"""A comparison as files (CSV, JSON, Markdown, LaTeX) and as a table for the terminal."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dmf_cli.results import _latex
from dmf_cli.results._text import csv_text, markdown_row, markdown_text
from dmf_cli.results.atomic import write_atomic
from dmf_cli.results.comparison.compare import Comparison, Row
from dmf_cli.results.comparison.intervals import Interval
from dmf_cli.results.summary import jsonable

if TYPE_CHECKING:
    from rich.table import Table

COLUMNS = (
    "setting",
    "n",
    "mean ± std",
    "95 % interval",
    "difference",
    "its 95 % interval",
    "p seeds",
    "p images",
    "effect",
    "rank",
    "wins",
)
RECORD = (
    "setting",
    "baseline",
    "n",
    "images",
    "mean",
    "std",
    "low",
    "high",
    "difference",
    "difference_low",
    "difference_high",
    "paired",
    "p_seeds",
    "smallest_p_seeds",
    "p_images",
    "effect",
    "seeds_needed",
    "rank",
    "wins",
)


def write(folder: Path, comparison: Comparison) -> None:
    """``comparison.{csv,json,md,tex}`` in ``folder``, each whole or not at all."""
    records = [record(row, comparison) for row in comparison.rows]
    described = {"metric": comparison.metric, "scored": comparison.described, "baseline": comparison.baseline}
    content = {
        **described,
        "verdict": comparison.verdict,
        "settings": [
            {**dict(zip(RECORD, values, strict=True)), "runs": [str(path) for path in row.group.runs]}
            for values, row in zip(records, comparison.rows, strict=True)
        ],
        "left_out": list(comparison.left_out),
    }
    rows = [cells(row) for row in comparison.rows]
    heading = f"against {comparison.baseline}"
    files = {
        "comparison.csv": csv_text(RECORD, records),
        "comparison.json": json.dumps(jsonable(content), indent=2, allow_nan=False) + "\n",
        "comparison.md": markdown(comparison),
        "comparison.tex": _latex.table(title(comparison), notes(comparison), COLUMNS, {heading: rows}),
    }
    for name, text in files.items():
        write_atomic(folder / name, text)


def record(row: Row, comparison: Comparison) -> list[Any]:
    """One row of the CSV, in the order of ``RECORD``; NaN where there is nothing to say."""
    one = row.versus
    against = (
        [*_ends(one.difference), one.paired, one.p_seeds, one.smallest_p, one.p_images, one.effect]
        if one
        else [math.nan, math.nan, math.nan, "", math.nan, math.nan, math.nan, math.nan]
    )
    needed = one.seeds_needed if one and one.seeds_needed is not None else ""
    return [
        row.group.name,
        comparison.baseline,
        len(row.group.means),
        len(comparison.images),
        row.mean.mean,
        row.std,
        row.mean.low,
        row.mean.high,
        *against,
        needed,
        row.rank,
        row.wins,
    ]


def cells(row: Row) -> list[str]:
    """One row for people, in the order of ``COLUMNS``."""
    one, spread = row.versus, "" if math.isnan(row.std) else f" ± {row.std:.3f}"
    head = [row.group.name, str(len(row.group.means)), f"{row.mean.mean:.3f}{spread}", _between(row.mean)]
    tail = [_number(row.rank, 2), str(row.wins)]
    if one is None:
        return [*head, "baseline", "", "", "", "", *tail]
    difference = [f"{one.difference.mean:+.3f}", _between(one.difference, "+.3f")]
    return [
        *head,
        *difference,
        _number(one.p_seeds, 3),
        _number(one.p_images, 3),
        _number(one.effect, 2),
        *tail,
    ]


def title(comparison: Comparison) -> str:
    """``foreground.dice on busi, 58 test images, threshold 0.5, ...``."""
    return f"{comparison.metric} on {comparison.described}"


def notes(comparison: Comparison) -> list[str]:
    """The answer, what the columns are, and what was left out."""
    paired = all(row.versus.paired for row in comparison.rows if row.versus)
    least = max(row.versus.smallest_p for row in comparison.rows if row.versus)
    over = {row.mean.over for row in comparison.rows}
    return [
        f"Result: {comparison.verdict}",
        f"n: repetitions; intervals: for a new sample of {' or of '.join(sorted(over))}; rank: mean over "
        "images; wins: repetitions in which it is best",
        f"p seeds: exact permutation of {'paired ' if paired else ''}repetitions, {least:.2g} at least with "
        "so many; p images: Wilcoxon over images, seeds averaged first: about these networks only; both "
        "Holm corrected; effect: Hedges' g over paired repetitions",
        *(f"left out: {line}" for line in comparison.left_out),
    ]


def markdown(comparison: Comparison) -> str:
    """The table as GitHub Markdown."""
    lines = [f"# {markdown_text(title(comparison))}", "", markdown_row(COLUMNS)]
    lines += [
        "|:--" + "|--:" * (len(COLUMNS) - 1) + "|",
        *(markdown_row(cells(row)) for row in comparison.rows),
    ]
    return "\n".join([*lines, "", *(f"- {markdown_text(note)}" for note in notes(comparison)), ""])


def render(comparison: Comparison) -> "Table":
    """A table for the terminal, in two lines a setting where it is narrow."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title=escape(title(comparison)), title_justify="left")
    table.caption, table.caption_justify = "\n".join(escape(note) for note in notes(comparison)), "left"
    table.add_column("setting", overflow="fold")
    for column in (
        "n",
        "mean ± std\n95 % interval",
        "difference\n95 % interval",
        "p seeds\np images",
        "effect",
        "rank\nwins",
    ):
        table.add_column(column, justify="right", no_wrap=True)
    for row in comparison.rows:
        name, n, mean, interval, difference, between, p_seeds, p_images, effect, rank, wins = cells(row)
        style = "bold" if row.versus and row.versus.significant else None
        table.add_row(
            escape(name.replace(", ", "\n")),
            n,
            f"{mean}\n{interval}",
            f"{difference}\n{between}",
            f"{p_seeds}\n{p_images}",
            effect,
            f"{rank}\n{wins}",
            style=style,
        )
    return table


def _ends(interval: Interval) -> list[float]:
    return [interval.mean, interval.low, interval.high]


def _between(interval: Interval, how: str = ".3f") -> str:
    return "-" if math.isnan(interval.low) else f"[{interval.low:{how}}, {interval.high:{how}}]"


def _number(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"
