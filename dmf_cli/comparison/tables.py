"""A comparison as files (CSV, JSON, Markdown, LaTeX) and as a table for the terminal."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dmf_cli.comparison import intervals, paper
from dmf_cli.comparison.compare import Comparison, Row
from dmf_cli.comparison.events import EventRow, Events
from dmf_cli.comparison.notes import notes, title
from dmf_cli.comparison.versus import Versus
from dmf_cli.files import write_atomic
from dmf_cli.metrics.summary import jsonable
from dmf_cli.terminal.formats import between, decimals, p_value, score, spread
from dmf_cli.terminal.narrow import Fitted, Name, add_numbers
from dmf_cli.terminal.text import csv_text, markdown_row, markdown_text

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
    "p both",
    "g seeds",
    "r images",
    "rank",
    "wins",
)
# Of `COLUMNS`, as they stand above each other where a line has 80 characters.
STACKED = ((1,), (2, 3), (4, 5), (6, 7, 8), (9, 10), (11, 12))
# What is dropped first where a line has fewer, by the first column of a stack.
NARROW = ("g seeds", "rank", "p seeds", "difference", "n")
RECORD = (
    "setting",
    "baseline",
    "n",
    "images",
    "mean",
    "own_mean",
    "std",
    "low",
    "high",
    "bootstrap_low",
    "bootstrap_high",
    "difference",
    "difference_low",
    "difference_high",
    "difference_bootstrap_low",
    "difference_bootstrap_high",
    "paired",
    "p_seeds",
    "smallest_p_seeds",
    "p_images",
    "p_both",
    "effect_seeds",
    "effect_images",
    "significant",
    "margin",
    "p_equivalent",
    "rank",
    "wins",
)
EVENTS = (
    "kind", "of_images", "setting", "mean", "std", "images", "images_only_here", "images_only_baseline",
    "baseline", "difference", "difference_low", "difference_high", "p_seeds", "p_images", "p_both",
    "significant",
)  # fmt: skip


def write(folder: Path, comparison: Comparison) -> None:
    """The files of a comparison in ``folder``, each whole or not at all.

    ``comparison.{csv,json,md,tex}`` and ``comparison_methods.tex``; ``comparison_events.csv`` too where
    something happened that no score counts.
    """
    files = {
        "comparison.csv": csv_text(RECORD, [record(row) for row in comparison.rows]),
        "comparison.json": json.dumps(jsonable(content(comparison)), indent=2, allow_nan=False) + "\n",
        "comparison.md": markdown(comparison),
        "comparison.tex": paper.latex(comparison),
        paper.METHODS: paper.methods(comparison),
    }
    if comparison.events:
        files["comparison_events.csv"] = csv_text(EVENTS, _event_records(comparison))
    for name, text in files.items():
        write_atomic(folder / name, text)


def content(comparison: Comparison) -> dict[str, Any]:
    """Everything, as plain data; NaN where there is nothing to say."""
    return {
        "metric": comparison.metric,
        "scored": comparison.described,
        "baseline": comparison.baseline,
        "verdict": comparison.verdict,
        "excluded": comparison.excluded,
        "power": comparison.power,
        "conditions": {one.name: {"value": one.value, "same": one.same} for one in comparison.kept},
        "images": _counted_images(comparison),
        "events": [_event(one) for one in comparison.events],
        "friedman_p": comparison.friedman,
        "settings": [
            {
                **dict(zip(RECORD, record(row), strict=True)),
                "repetitions": [dict(label) for label in row.group.repetitions],
                "means": row.group.means.tolist(),
                "weights": {
                    one.term: {"mean": one.mean, "low": one.low, "high": one.high} for one in row.weights
                },
                "runs": [[str(path) for path in paths] for paths in row.group.runs],
            }
            for row in comparison.rows
        ],
        "left_out": list(comparison.skipped),
    }


def _counted_images(comparison: Comparison) -> dict[str, Any]:
    excluded = [
        {"why": one.kind, "everywhere": one.everywhere, "images": list(one.images)}
        for one in comparison.counted.excluded
    ]
    return {"count": len(comparison.images), "of": comparison.counted.total, "excluded": excluded}


def _event(events: Events) -> dict[str, Any]:
    """Counts a repetition, and their difference to the baseline's."""
    return {
        "kind": events.kind,
        "images": events.images,
        "settings": [
            {
                "setting": row.group.name,
                "mean": row.mean,
                "std": row.std,
                "images": row.images,
                "images_only_here": row.only,
                "images_only_baseline": row.baseline_only,
                "counts": row.group.means.tolist(),
                **(_difference(row.versus) if row.versus else {}),
                "significant": row.significant,
            }
            for row in events.rows
        ],
    }


def _difference(one: Versus) -> dict[str, Any]:
    return {
        "baseline": one.baseline.name,
        "difference": one.difference.mean,
        "difference_low": one.difference.low,
        "difference_high": one.difference.high,
        "p_seeds": one.p_seeds,
        "p_images": one.p_images,
        "p_both": one.p_both,
    }


def _event_records(comparison: Comparison) -> list[list[Any]]:
    """Rows in the order of ``EVENTS``."""
    flat = [
        {"kind": events["kind"], "of_images": events["images"], **one}
        for events in map(_event, comparison.events)
        for one in events["settings"]
    ]
    return [[one.get(name, "") for name in EVENTS] for one in flat]


def record(row: Row) -> list[Any]:
    """One row of the CSV, in the order of ``RECORD``; NaN where there is nothing to say."""
    one, mean = row.versus, row.mean
    against = [math.nan] * 5 + [""] + [math.nan] * 6 + [""]
    if one:
        tests = [one.p_seeds, one.smallest_p, one.p_images, one.p_both, one.effect, one.effect_images]
        between = [one.difference.mean, one.difference.low, one.difference.high, *one.bootstrapped]
        against = [*between, one.paired, *tests, one.significant]
    return [
        row.group.name,
        one.baseline.name if one else "",
        len(row.group.means),
        row.group.scores.shape[1],
        mean.mean,
        row.own,
        row.std,
        mean.low,
        mean.high,
        *row.bootstrapped,
        *against,
        row.equivalence.margin if row.equivalence else math.nan,
        row.equivalence.p if row.equivalence else math.nan,
        row.rank,
        row.wins,
    ]


def cells(comparison: Comparison) -> list[list[str]]:
    """Every row for people, in the order of ``COLUMNS``."""
    return [_cells(row, "baseline" if comparison.baseline else "") for row in comparison.rows]


def event_cells(comparison: Comparison) -> dict[str, list[list[str]]]:
    """Heading -> rows of what no score counts, in the order of ``COLUMNS``.

    A heading is like ``false alarms, of 12 images: count a repetition``.
    """
    role = "baseline" if comparison.baseline else ""
    return {
        f"{events.where}: count a repetition": [_event_cells(row, role) for row in events.rows]
        for events in comparison.events
    }


def _event_cells(row: EventRow, role: str) -> list[str]:
    interval = intervals.interval(row.group.scores)
    head = [row.group.name, str(len(row.group.means)), spread(row.mean, row.std)]
    return [*head, between(interval.low, interval.high), *_against(row.versus, role), "", ""]


def _cells(row: Row, role: str) -> list[str]:
    head = [row.group.name, str(len(row.group.means)), spread(row.mean.mean, row.std)]
    head += [between(row.mean.low, row.mean.high), *_against(row.versus, role)]
    return [*head, decimals(row.rank, 2), str(row.wins)]


def _against(one: Versus | None, role: str) -> list[str]:
    """Difference, interval, tests and effects; ``role`` in place of the difference of a baseline."""
    if one is None:
        return [role, *[""] * 6]
    return [
        score(one.difference.mean, "+"),
        between(one.difference.low, one.difference.high, "+"),
        *(p_value(p) for p in (one.p_seeds, one.p_images, one.p_both)),
        *(decimals(effect, 2) for effect in (one.effect, one.effect_images)),
    ]


def markdown(comparison: Comparison) -> str:
    """The table as GitHub Markdown."""
    lines = [f"# {markdown_text(title(comparison))}", "", markdown_row(COLUMNS)]
    lines += [
        "|:--" + "|--:" * (len(COLUMNS) - 1) + "|",
        *map(markdown_row, cells(comparison)),
    ]
    for heading, rows in event_cells(comparison).items():
        lines += ["", f"## {markdown_text(heading)}", "", markdown_row(COLUMNS[:-2])]
        lines += ["|:--" + "|--:" * (len(COLUMNS) - 3) + "|", *(markdown_row(one[:-2]) for one in rows)]
    below = [*notes(comparison), *(f"excluded: {line}" for line in comparison.skipped)]
    return "\n".join([*lines, "", *(f"- {markdown_text(note)}" for note in below), ""])


def render(comparison: Comparison) -> Fitted:
    """A table for the terminal, several lines a setting, without some columns where it is narrow."""
    return Fitted(lambda without: _rendered(comparison, without), NARROW)


def _rendered(comparison: Comparison, without: Sequence[str]) -> "Table":
    """The table without the stacks that begin with the columns ``without``."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(
        box=box.SIMPLE_HEAD,
        title=escape(title(comparison)),
        title_justify="left",
        # One setting has to fit in 80 columns, where terminals and logs end.
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    values, events = cells(comparison), event_cells(comparison)
    every = [*values, *(one for rows in events.values() for one in rows)]
    table.add_column("setting")
    shown = [stack for stack in STACKED if COLUMNS[stack[0]] not in without]
    for stack in shown:
        head = "\n".join(COLUMNS[i].removeprefix("its ") for i in stack)
        add_numbers(table, head, [one[i] for one in every for i in stack])
    for row, one in zip(comparison.rows, values, strict=True):
        stacks = ["\n".join(one[i] for i in stack) for stack in shown]
        style = "bold" if row.versus and row.versus.significant else None
        table.add_row(Name(one[0].replace(", ", "\n")), *stacks, style=style)
    for heading, rows in events.items():
        table.add_section()
        table.add_row(Name(heading.replace(": ", "\n").replace(", ", "\n")), style="bold")
        for one in rows:
            stacks = ["\n".join(one[i] for i in stack) for stack in shown]
            table.add_row(Name(one[0].replace(", ", "\n")), *stacks)
    gone = [COLUMNS[i] for stack in STACKED if stack not in shown for i in stack]
    said = [f"Too narrow here for {', '.join(gone)}: comparison.csv has them"] if gone else []
    answer, *rest = [escape(line) for line in notes(comparison)]
    lines = [f"[not dim]{answer}[/]", *map(escape, said), *rest]
    table.caption, table.caption_justify = "\n".join(lines), "left"
    return table
