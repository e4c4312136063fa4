"""A comparison to look at: differences, images, curves over epochs, ranks."""

import csv
import math
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from dmf_cli.results import figure
from dmf_cli.results.comparison.compare import Comparison, Row, lower_is_better
from dmf_cli.results.comparison.intervals import LEVEL

CURVES = ("val_foreground_dice", "val_objective")
LONGEST = 60  # characters of a setting's name


def write(folder: Path, comparison: Comparison) -> None:
    """``differences.png images.png curves.png ranks.png`` in ``folder``."""
    drawn = {
        "differences": forest(comparison),
        "images": boxes(comparison),
        "curves": curves(comparison),
        "ranks": critical_difference(comparison),
    }
    for name, made in drawn.items():
        if made is not None:
            figure.save(folder / f"{name}.png", made)


def forest(comparison: Comparison) -> Figure:
    """Differences to the baseline with their intervals, and the differences of single repetitions."""
    rows = [row for row in comparison.rows if row.versus]
    base = next(row for row in comparison.rows if not row.versus)
    with figure.style():
        made, axes = _axes(len(rows))
        axes.axvline(0.0, color="0.3", linewidth=1.0)
        for y, row in enumerate(reversed(rows)):
            _bar(axes, y, row, base)
        _names(axes, list(reversed(rows)))
        better = "left" if lower_is_better(comparison.metric) else "right"
        axes.set_xlabel(f"difference in {comparison.metric} to {comparison.baseline} ({better} is better)")
        axes.set_title("Difference, its 95 % interval, and each pair of repetitions")
    return made


def _bar(axes: Axes, y: int, row: Row, base: Row) -> None:
    one = row.versus
    assert one is not None
    colour = figure.COLOURS[0] if one.significant else "0.35"
    if not math.isnan(one.difference.low):
        axes.plot([one.difference.low, one.difference.high], [y, y], color=colour, linewidth=2.2)
    axes.plot(one.difference.mean, y, "D", color=colour, markersize=6)
    if one.paired:
        each = row.group.means - base.group.means
        axes.plot(each, np.full(len(each), y - 0.22), "o", color=colour, alpha=0.5, markersize=3.5)


def boxes(comparison: Comparison) -> Figure:
    """Scores of single images, repetitions averaged first: dots, quartiles, median, mean."""
    rows = list(reversed(comparison.rows))
    with figure.style():
        made, axes = _axes(len(rows))
        for y, row in enumerate(rows):
            values = row.group.per_image[~np.isnan(row.group.per_image)]
            _box(axes, y, values)
        _names(axes, rows)
        axes.set_xlabel(f"{comparison.metric} of one image")
        axes.set_title(f"{len(comparison.images)} test images: quartiles, median (bar), mean (diamond)")
    return made


def _box(axes: Axes, y: int, values: np.ndarray) -> None:
    lower, middle, upper = np.percentile(values, [25, 50, 75])
    spread = np.random.default_rng(0).uniform(-0.28, 0.28, len(values))
    axes.plot(values, y + spread, "o", color="0.6", alpha=0.45, markersize=2.5, zorder=1)
    axes.barh(y, upper - lower, left=lower, height=0.5, color=figure.COLOURS[0], alpha=0.3, zorder=2)
    axes.plot([middle, middle], [y - 0.25, y + 0.25], color=figure.COLOURS[0], linewidth=2, zorder=3)
    axes.plot(values.mean(), y, "D", color=figure.COLOURS[1], markersize=5, zorder=3)


def curves(comparison: Comparison) -> Figure | None:
    """Validation figures over epochs: mean over repetitions, and a band of one standard deviation."""
    with figure.style():
        made = Figure(figsize=(9.0, 3.4))
        panels = made.subplots(1, len(CURVES))
        drawn = 0
        for axes, column in zip(panels, CURVES, strict=True):
            for i, row in enumerate(comparison.rows):
                series = [s for s in (_series(path, column) for path in row.group.runs) if len(s)]
                drawn += _band(axes, series, i, row)
            axes.set_title(column)
            figure.epoch_axis(axes, [1, max((len(line.get_xdata()) for line in axes.lines), default=1)])
        if not drawn:
            return None
        panels[0].legend()
    return made


def _band(axes: Axes, series: list[np.ndarray], index: int, row: Row) -> int:
    if not series:
        return 0
    length = min(map(len, series))
    table = np.array([s[:length] for s in series])
    mean, spread = table.mean(axis=0), table.std(axis=0, ddof=1) if len(table) > 1 else np.zeros(length)
    x, look = np.arange(1, length + 1), figure.look(index)
    axes.plot(x, mean, label=figure.text(row.group.name, LONGEST), **look)
    axes.fill_between(x, mean - spread, mean + spread, color=look["color"], alpha=0.15, linewidth=0)
    return 1


def _series(run: Path, column: str) -> np.ndarray:
    """One column of a run's epochs.csv; empty where there is none."""
    try:
        with (run / "epochs.csv").open(newline="", encoding="utf-8") as file:
            return np.array([float(line[column]) for line in csv.DictReader(file)])
    except (OSError, ValueError, KeyError, TypeError):
        return np.empty(0)


def critical_difference(comparison: Comparison) -> Figure | None:
    """Mean ranks over images; grey reaches as far as Nemenyi's test tells nothing apart (Demsar 2006)."""
    rows = sorted(comparison.rows, key=lambda row: row.rank)
    ranks = np.array([row.rank for row in rows])
    table = np.array([row.group.per_image for row in rows])
    images = int((~np.isnan(table).any(axis=0)).sum())
    if images < 2:
        return None
    k = len(rows)
    difference = (
        float(stats.studentized_range.ppf(LEVEL, k, np.inf))
        / math.sqrt(2)
        * math.sqrt(k * (k + 1) / (6 * images))
    )
    with figure.style():
        made, axes = _axes(k)
        for y, row in enumerate(reversed(rows)):
            axes.plot(
                [row.rank, row.rank + difference], [y, y], color="0.8", linewidth=5, solid_capstyle="butt"
            )
            axes.plot(row.rank, y, "D", color=figure.COLOURS[0], markersize=6)
        _names(axes, list(reversed(rows)))
        axes.set_xlim(min(1.0, ranks.min()) - 0.1, max(k, float(ranks.max()) + difference) + 0.1)
        axes.set_xlabel("mean rank over images (1 is best)")
        axes.set_title(
            f"Grey: ranks within the critical difference {difference:.2f} (Nemenyi, .05, {images} images)"
        )
    return made


def _axes(rows: int) -> tuple[Figure, Axes]:
    made = Figure(figsize=(8.0, 1.3 + 0.42 * rows))
    return made, made.subplots()


def _names(axes: Axes, rows: list[Row]) -> None:
    axes.set_yticks(range(len(rows)), [figure.text(row.group.name, LONGEST) for row in rows])
    axes.set_ylim(-0.6, len(rows) - 0.4)
