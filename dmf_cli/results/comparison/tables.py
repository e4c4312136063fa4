"""A comparison as files (CSV, JSON, Markdown, LaTeX) and as a table for the terminal."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dmf_cli.results import _latex
from dmf_cli.results._text import csv_text, markdown_row, markdown_text
from dmf_cli.results.atomic import write_atomic
from dmf_cli.results.comparison.compare import Comparison, Row
from dmf_cli.results.comparison.events import Events
from dmf_cli.results.comparison.intervals import Interval
from dmf_cli.results.comparison.versus import Versus
from dmf_cli.results.narrow import Fitted, Name, add_numbers
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
    "p both",
    "g seeds",
    "r images",
    "rank",
    "wins",
)
# Of `COLUMNS`, as they stand above each other where a line has 80 characters.
STACKED = ((1,), (2, 3), (4, 5), (6, 7, 8), (9, 10), (11, 12))
# What is left out first where a line has fewer, by the first column of a stack.
NARROW = ("g seeds", "rank", "p seeds", "difference", "n")
# A page is not wide enough for all of them in one table.
PRINTED = (
    ("setting", "n", "mean ± std", "95 % interval", "difference", "its 95 % interval"),
    ("setting", "p seeds", "p images", "p both", "g seeds", "r images", "rank", "wins"),
)
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
    "rank",
    "wins",
)


def write(folder: Path, comparison: Comparison) -> None:
    """``comparison.{csv,json,md,tex}`` in ``folder``, each whole or not at all."""
    files = {
        "comparison.csv": csv_text(RECORD, [record(row) for row in comparison.rows]),
        "comparison.json": json.dumps(jsonable(content(comparison)), indent=2, allow_nan=False) + "\n",
        "comparison.md": markdown(comparison),
        "comparison.tex": latex(comparison),
    }
    for name, text in files.items():
        write_atomic(folder / name, text)


def content(comparison: Comparison) -> dict[str, Any]:
    """Everything, as plain data; NaN where there is nothing to say."""
    return {
        "metric": comparison.metric,
        "scored": comparison.described,
        "baseline": comparison.baseline,
        "verdict": comparison.verdict,
        "power": comparison.power,
        "images": _counted_images(comparison),
        "events": [_event(one) for one in comparison.events],
        "friedman_p": comparison.friedman,
        "settings": [
            {
                **dict(zip(RECORD, record(row), strict=True)),
                "repetitions": [dict(label) for label in row.group.repetitions],
                "means": row.group.means.tolist(),
                "runs": [[str(path) for path in paths] for paths in row.group.runs],
            }
            for row in comparison.rows
        ],
        "left_out": list(comparison.left_out),
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
        "p_both": one.p_both,
        "significant": one.significant,
    }


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
        row.rank,
        row.wins,
    ]


def cells(comparison: Comparison) -> list[list[str]]:
    """Every row for people, in the order of ``COLUMNS``."""
    return [_cells(row, "baseline" if comparison.baseline else "") for row in comparison.rows]


def _cells(row: Row, role: str) -> list[str]:
    one, spread = row.versus, "" if math.isnan(row.std) else f" ± {_score(row.std)}"
    head = [row.group.name, str(len(row.group.means)), f"{_score(row.mean.mean)}{spread}", _between(row.mean)]
    tail = [_number(row.rank, 2), str(row.wins)]
    if one is None:
        return [*head, role, *[""] * 6, *tail]
    return [
        *head,
        _score(one.difference.mean, "+"),
        _between(one.difference, "+"),
        *("<0.001" if p < 0.001 else _number(p, 3) for p in (one.p_seeds, one.p_images, one.p_both)),
        *(_number(effect, 2) for effect in (one.effect, one.effect_images)),
        *tail,
    ]


def title(comparison: Comparison) -> str:
    """``foreground.dice on busi, 58 test images, threshold 0.5, ...``."""
    return f"{comparison.metric} on {comparison.described}"


def notes(comparison: Comparison) -> list[str]:
    """The answer, what it would take to know more, and what the columns are."""
    found = [row.versus for row in comparison.rows if row.versus]
    over = sorted({row.mean.over for row in comparison.rows})
    power = [comparison.power] if comparison.power else []
    said = [
        f"Result: {comparison.verdict}",
        f"Images: {comparison.counted.described}",
        *(line for one in comparison.events for line in _said(one)),
        *(f"Power: {line}" for line in power),
        f"n: repetitions{_within(comparison)}; intervals: for a new sample of {' or of '.join(over)}; rank: "
        f"mean over images; wins: best in so many of the repetitions that all have ({comparison.common})",
    ]
    if not found:
        return said
    return [
        *said,
        f"p seeds: exact permutation of {_counted(found)}; p images: Wilcoxon over images, seeds averaged "
        f"first, about these networks only; p both: {_both(found)}, as the "
        "interval; Holm corrected, p both and the intervals of differences Bonferroni (all hold at once); "
        "better or worse is said if p seeds and p both are .05 or less",
        "g seeds: Hedges' g over pairs of repetitions; r images: rank-biserial, from -1 to 1",
    ]


def _said(events: Events) -> list[str]:
    """``false alarms on 12 images: weighting=var 1.0, weighting=fixed 0.0 a repetition; ...``."""
    each = ", ".join(f"{row.group.name} {row.mean:.1f}" for row in events.rows)
    tested = [
        f"{row.group.name} {row.versus.difference.mean:+.1f} {_between(row.versus.difference, '+')}, "
        f"p seeds {row.versus.p_seeds:.3f}, p both {row.versus.p_both:.3f}"
        for row in events.rows
        if row.versus
    ]
    return [f"{events.kind}, of {events.images} images a repetition: " + "; ".join([each, *tested])]


def _both(found: Sequence[Versus]) -> str:
    """``for new seeds and images``; one repetition against several says nothing."""
    over = sorted({one.difference.over for one in found} - {"nothing"})
    return f"for new {' or new '.join(over)}" if over else "not known of one repetition"


def _within(comparison: Comparison) -> str:
    """What a repetition is the mean of, where it is more than one run."""
    if len(comparison.within) < 2:
        return ""
    keys = dict.fromkeys(key for part in comparison.within for key, _ in part)
    return f" (seeds), each the mean of {len(comparison.within)} runs that differ in {' and '.join(keys)}"


def _counted(found: Sequence[Versus]) -> str:
    """``8 pairs of repetitions, 0.0078 at least with so many``; of several, the smallest and the largest."""
    pairs = sorted({len(one.by_seed) for one in found if one.paired})
    parts = [f"{_range([str(n) for n in pairs])} pairs of repetitions"] if pairs else []
    parts += ["unpaired repetitions"] if any(not one.paired for one in found) else []
    least = sorted({f"{one.smallest_p:.2g}" for one in found}, key=float)
    return f"{' or '.join(parts)}, {_range(least)} at least with so many"


def _range(values: Sequence[str]) -> str:
    return values[0] if len(values) == 1 else f"{values[0]} to {values[-1]}"


def markdown(comparison: Comparison) -> str:
    """The table as GitHub Markdown."""
    lines = [f"# {markdown_text(title(comparison))}", "", markdown_row(COLUMNS)]
    lines += [
        "|:--" + "|--:" * (len(COLUMNS) - 1) + "|",
        *map(markdown_row, cells(comparison)),
    ]
    below = [*notes(comparison), *(f"left out: {line}" for line in comparison.left_out)]
    return "\n".join([*lines, "", *(f"- {markdown_text(note)}" for note in below), ""])


def latex(comparison: Comparison) -> str:
    """Two tables for ``booktabs`` that fit a page each (one of a single setting, which is tested against
    nothing); what was left out is a comment."""
    what, rows = title(comparison), cells(comparison)
    figures, tests = notes(comparison), []
    if comparison.baseline:
        figures, tests = figures[:-2], figures[-2:]
    captions = [(what, figures), *([(f"{what}, continued", tests)] if tests else [])]
    text = [f"% left out: {line}\n" for line in comparison.left_out]
    head = f"against {comparison.baseline}" if comparison.baseline else "one setting"
    for (sentence, rest), columns in zip(captions, PRINTED, strict=False):
        chosen = [COLUMNS.index(name) for name in columns]
        sections = {head: [[one[i] for i in chosen] for one in rows]}
        text.append(_latex.table(sentence, rest, columns, sections, small=True))
    return "".join(text)


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
    values = cells(comparison)
    table.add_column("setting")
    shown = [stack for stack in STACKED if COLUMNS[stack[0]] not in without]
    for stack in shown:
        head = "\n".join(COLUMNS[i].removeprefix("its ") for i in stack)
        add_numbers(table, head, [one[i] for one in values for i in stack])
    for row, one in zip(comparison.rows, values, strict=True):
        stacks = ["\n".join(one[i] for i in stack) for stack in shown]
        style = "bold" if row.versus and row.versus.significant else None
        table.add_row(Name(one[0].replace(", ", "\n")), *stacks, style=style)
    gone = [COLUMNS[i] for stack in STACKED if stack not in shown for i in stack]
    said = [f"Too narrow here for {', '.join(gone)}: comparison.csv has them"] if gone else []
    lines = [escape(line) for line in (*said, *notes(comparison))]
    table.caption, table.caption_justify = "\n".join(lines), "left"
    return table


def _between(interval: Interval, sign: str = "") -> str:
    if math.isnan(interval.low):
        return "-"
    return f"[{_score(interval.low, sign)}, {_score(interval.high, sign)}]"


def _score(value: float, sign: str = "") -> str:
    """Three decimals, fewer of a large number such as a distance in pixels."""
    size = abs(value)
    return _number(value, 3 if size < 10 else 2 if size < 100 else 1, sign)


def _number(value: float, digits: int, sign: str = "") -> str:
    return "-" if math.isnan(value) else f"{value:{sign}.{digits}f}"
