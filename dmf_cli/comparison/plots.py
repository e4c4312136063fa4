"""A comparison to look at: differences, images, curves over epochs, ranks."""

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from dmf_cli.comparison.compare import Comparison, Row
from dmf_cli.comparison.versus import Versus
from dmf_cli.errors import RunFolderError
from dmf_cli.figures import series
from dmf_cli.figures.description import Axis, Bar, Dots, Figure, Line, Mark, Panel, Rule, shorten
from dmf_cli.run_folder import csv_log
from dmf_cli.run_folder.csv_log import Columns
from dmf_cli.terminal.formats import count

NAME_LENGTH = 60  # characters of a setting's name
MOST_DOTS = 20_000
CURVES = {
    "val_mean_dice": ("Validation Dice, mean over classes", Axis("0 to 1")),
    "val_foreground_dice": ("Validation Dice, foreground", Axis("0 to 1")),
    "val_objective": ("Validation objective", Axis("loss")),
}


def write(folder: Path, comparison: Comparison) -> None:
    """``differences.png images.png curves.png ranks.png`` in ``folder``."""
    from dmf_cli.comparison import ranks
    from dmf_cli.figures import matplotlib_renderer, style

    for draw in figures(comparison).values():
        if (figure := draw()).panels:
            matplotlib_renderer.write(folder, figure)
    if (made := ranks.draw(comparison)) is not None:
        style.save(folder / "ranks.png", made)


def figures(comparison: Comparison) -> dict[str, Callable[[], Figure]]:
    """Name -> what draws it; there are no differences where one setting is alone."""
    drawn = {"differences": lambda: forest(comparison)} if comparison.baseline else {}
    return {**drawn, "images": lambda: images(comparison), "curves": lambda: _curves_of(comparison)}


def _curves_of(comparison: Comparison) -> Figure:
    runs = runs_of(comparison)
    return curves(runs, {path: _epochs(path) for paths in runs.values() for path in paths})


def runs_of(comparison: Comparison) -> dict[str, list[Path]]:
    """Setting -> its runs, each fold of a repetition by itself."""
    return {row.group.name: [path for folds in row.group.runs for path in folds] for row in comparison.rows}


def forest(comparison: Comparison) -> Figure:
    """Differences to the baseline with their intervals, and each pair of repetitions."""
    rows = [(row.group.name, row.versus) for row in comparison.rows if row.versus]
    paired = any(one.paired for _, one in rows)
    reach = _reach([one for _, one in rows])
    marks: list[Mark] = [Rule("", 0.0, solid=True)]
    for i, (_, one) in enumerate(rows):
        marks += _difference(one, -i, reach)
    better = "left" if comparison.lower else "right"
    dots = ", and each pair of repetitions (dots)" if paired else ""
    against = f"Difference to {shorten(comparison.baseline, NAME_LENGTH)}"
    title = f"{against}\nwith its 95 % interval{dots}; blue: more than chance"
    x = Axis(f"difference in {comparison.metric} ({better} is better)", limits=_limits(rows, reach))
    y = Axis(rows=tuple(name for name, _ in rows))
    return Figure("differences", (Panel("differences", title, x, y, marks=tuple(marks)),), _size(len(rows)))


def _reach(against: Sequence[Versus]) -> float:
    """How far the axis goes from 0, near the points: two seeds can have an interval from -1 to 1."""
    points = series.known(*(np.append(one.by_seed, one.difference.mean) for one in against))
    largest = float(np.abs(points).max(initial=0.0))
    return 4.0 * largest if largest > 1e-9 else 0.01  # nothing differs: an axis that shows as much


def _limits(rows: Sequence[tuple[str, Versus]], reach: float) -> tuple[float, float]:
    """All points and intervals, with a margin, as far as ``reach``."""
    gaps = [one.difference for _, one in rows]
    ends = series.known(
        *(np.array([gap.low, gap.mean, gap.high, 0.0]) for gap in gaps), *(v.by_seed for _, v in rows)
    )
    margin = 0.05 * float(np.ptp(ends)) or 0.5 * reach
    return max(float(ends.min()) - margin, -reach), min(float(ends.max()) + margin, reach)


def _difference(one: Versus, y: float, reach: float) -> list[Mark]:
    """A bar, a diamond and dots; a triangle where the bar continues beyond the axis."""
    gap, colour = one.difference, 0 if one.significant else None
    marks: list[Mark] = []
    if not math.isnan(gap.low):
        marks.append(Bar("", gap.low, gap.high, y, colour))
        if gap.low < -reach:
            marks.append(Dots("", np.array([-reach]), np.array([y]), colour, marker="left", size=6))
        if gap.high > reach:
            marks.append(Dots("", np.array([reach]), np.array([y]), colour, marker="right", size=6))
    marks.append(Dots("", np.array([gap.mean]), np.array([y]), colour, marker="diamond", size=6))
    if len(one.by_seed):
        below = np.full(len(one.by_seed), y - 0.22)
        marks.append(Dots("", np.asarray(one.by_seed), below, colour, size=3.5, faint=True))
    return marks


def images(comparison: Comparison) -> Figure:
    """Scores of single images, repetitions averaged first: dots, quartiles, median, mean."""
    every = max(1, len(comparison.images) * len(comparison.rows) // MOST_DOTS)
    names = np.array(comparison.images[::every], dtype=object)
    marks: list[Mark] = []
    said, drawn = [], set()
    for i, row in enumerate(comparison.rows):
        drawn |= set(names[np.isfinite(row.group.per_image[::every])])
        points, words = _scores(row, names, every, i)
        marks += points
        said.append(words)
    rest = comparison.counted.total - len(drawn)
    more = f" ({rest} more {'not drawn: too many' if every > 1 else 'not counted'})" if rest else ""
    title = (
        f"Scores of {len(comparison.images)} test images, repetitions averaged first:\n"
        "quartiles (box), median (bar), mean (diamond)"
    )
    what = f"Each dot is one of {len(drawn)} test images{more}, the mean over its repetitions"
    y = Axis(rows=tuple(row.group.name for row in comparison.rows))
    x = Axis(f"{comparison.metric} of one image")
    panel = Panel("images", title, x, y, marks=tuple(marks), notes=(what, "; ".join(said)), toggles=True)
    return Figure("images", (panel,), _size(len(comparison.rows)), legend="none")


def _scores(row: Row, names: np.ndarray, every: int, i: int) -> tuple[list[Mark], str]:
    """Marks of one setting, and its quartiles in words."""
    name, scores = row.group.name, row.group.per_image
    values = series.known(scores)
    if not len(values):
        return [], f"{name}: no image counts"
    low, middle, high = np.percentile(values, [25, 50, 75])
    shown = scores[::every]
    there = np.isfinite(shown)
    jitter = np.random.default_rng(0).uniform(-0.28, 0.28, int(there.sum())) - i
    marks: list[Mark] = [
        Dots(name, shown[there], jitter, i, tuple(names[there]), faint=True),
        Bar(name, low, high, -i, i, middle),
        Dots(name, np.array([values.mean()]), np.array([-float(i)]), i, marker="diamond", size=6),
    ]
    return marks, f"{name}: median {middle:.3f}, quartiles {low:.3f} and {high:.3f}"


def curves(groups: Mapping[str, Sequence[Path]], epochs: Mapping[Path, Columns]) -> Figure:
    """Validation figures over epochs: mean over repetitions, and a band of one standard deviation.

    Args:
        groups: setting -> its runs.
        epochs: run -> columns of its ``epochs.csv``; a run without them is skipped.
    """
    panels = []
    for column, (title, scale) in CURVES.items():
        tables = {
            name: _table([epochs.get(path, {}) for path in paths], column) for name, paths in groups.items()
        }
        if any(table.size for table in tables.values()):
            panels.append(_curve(column, title, scale, tables))
    size = (4.5 * max(2, len(panels)), 3.4 + 0.1 * len(groups))
    return Figure("curves", tuple(panels), size, columns=len(panels), legend="below")


def _curve(column: str, title: str, scale: Axis, tables: Mapping[str, np.ndarray]) -> Panel:
    length = max(table.shape[-1] for table in tables.values())
    drawn = tuple(
        _mean(name, table, i, length) for i, (name, table) in enumerate(tables.items()) if table.size
    )
    log = scale.label == "loss" and series.wide(*(line.y for line in drawn))
    scale = Axis(f"{scale.label}, mean ± std of the runs", log)
    at, x = np.arange(1.0, length + 1), Axis("epoch", whole=True)
    return Panel(column, title, x, scale, at, drawn, toggles=True, height=2, full=False)


def _mean(name: str, table: np.ndarray, colour: int, length: int) -> Line:
    """Mean and standard deviation over the runs ``(runs, epochs)`` of one setting."""
    rest, runs = (0, length - table.shape[1]), len(table)
    y = np.pad(table.mean(axis=0), rest, constant_values=np.nan)
    band = np.pad(table.std(axis=0, ddof=1), rest, constant_values=np.nan) if runs > 1 else None
    return Line(name, y, colour, band=band, detail=count(runs, "run"))


def _table(runs: Sequence[Columns], column: str) -> np.ndarray:
    """``(runs, epochs)``, as long as the shortest of them: a mean of fewer runs would jump."""
    values = [series.finite(run[column]) for run in runs if run.get(column)]
    length = min(map(len, values), default=0)
    return np.array([one[:length] for one in values]).reshape(len(values), length)


def _epochs(run: Path) -> Columns:
    """The columns of a run's epochs.csv; none where it cannot be read."""
    with contextlib.suppress(RunFolderError):
        return csv_log.read(run / "epochs.csv")
    return {}


def _size(rows: int) -> tuple[float, float]:
    return 8.0, 1.4 + 0.42 * rows
