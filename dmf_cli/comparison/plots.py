"""A comparison to look at: differences, images, curves over epochs, ranks."""

import csv
import math
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dmf_cli.comparison import ranks
from dmf_cli.comparison.compare import Comparison, Row, lower_is_better
from dmf_cli.comparison.versus import Versus
from dmf_cli.figures import style
from dmf_cli.run_folder import headline

LONGEST = 60  # characters of a setting's name


def write(folder: Path, comparison: Comparison) -> None:
    """``differences.png images.png curves.png ranks.png`` in ``folder``."""
    drawn = {
        "differences": forest(comparison) if comparison.baseline else None,
        "images": boxes(comparison),
        "curves": curves(comparison),
        "ranks": ranks.draw(comparison),
    }
    for name, made in drawn.items():
        if made is not None:
            style.save(folder / f"{name}.png", made)


def forest(comparison: Comparison) -> Figure:
    """Differences to the baseline with their intervals, and each pair of repetitions."""
    rows = [row for row in reversed(comparison.rows) if row.versus]
    paired = any(row.versus.paired for row in rows if row.versus)
    with style.style():
        made, axes = _axes(len(rows))
        axes.axvline(0.0, color="0.3", linewidth=1.0)
        for y, row in enumerate(rows):
            if row.versus:
                _bar(axes, y, row.versus)
        _names(axes, rows)
        _room(axes)
        better = "left" if lower_is_better(comparison.metric) else "right"
        axes.set_xlabel(f"difference in {comparison.metric} ({better} is better)")
        dots = ", and each pair of repetitions (dots)" if paired else ""
        axes.set_title(
            f"Difference to {style.text(comparison.baseline, LONGEST)}\nwith its 95 % interval{dots}; "
            "blue: more than chance",
            fontsize=9,
        )
    return made


def _bar(axes: Axes, y: int, one: Versus) -> None:
    colour = style.COLOURS[0] if one.significant else "0.35"
    if not math.isnan(one.difference.low):
        axes.plot([one.difference.low, one.difference.high], [y, y], color=colour, linewidth=2.2)
    axes.plot(one.difference.mean, y, "D", color=colour, markersize=6)
    if len(one.by_seed):
        axes.plot(
            one.by_seed, np.full(len(one.by_seed), y - 0.22), "o", color=colour, alpha=0.5, markersize=3.5
        )


def _room(axes: Axes) -> None:
    """Two seeds can have an interval from -1 to 1: the axis keeps near the dots and the means."""
    points = np.concatenate(
        [np.atleast_1d(line.get_xdata()) for line in axes.lines if line.get_marker() in "oD"]
    )
    points = points[np.isfinite(points)]
    if not len(points):
        return
    largest = float(np.abs(points).max())
    reach = 4.0 * largest if largest > 1e-9 else 0.01  # nothing differs: an axis that shows as much
    low, high = axes.get_xlim()
    for line in list(axes.lines):
        x, y = np.atleast_1d(line.get_xdata()), np.atleast_1d(line.get_ydata())
        for end, mark in ((reach, ">"), (-reach, "<")):
            if (end > 0 and x.max() > end) or (end < 0 and x.min() < end):  # it goes on beyond
                axes.plot(end, y[0], mark, color=line.get_color(), clip_on=False)
    axes.set_xlim(max(low, -reach), min(high, reach))


def boxes(comparison: Comparison) -> Figure:
    """Scores of single images, repetitions averaged first: dots, quartiles, median, mean."""
    rows = list(reversed(comparison.rows))
    with style.style():
        made, axes = _axes(len(rows))
        for y, row in enumerate(rows):
            _box(axes, y, row.group.per_image)
        _names(axes, rows)
        axes.set_xlabel(f"{comparison.metric} of one image")
        axes.set_title(
            f"{len(comparison.images)} test images, repetitions averaged first: quartiles (box), "
            "median (bar), mean (diamond)",
            fontsize=9,
        )
    return made


def _box(axes: Axes, y: int, values: np.ndarray) -> None:
    if not len(values):
        return
    lower, middle, upper = np.percentile(values, [25, 50, 75])
    spread = np.random.default_rng(0).uniform(-0.28, 0.28, len(values))
    axes.plot(values, y + spread, "o", color="0.6", alpha=0.45, markersize=2.5, zorder=1)
    axes.barh(y, upper - lower, left=lower, height=0.5, color=style.COLOURS[0], alpha=0.3, zorder=2)
    axes.plot([middle, middle], [y - 0.25, y + 0.25], color=style.COLOURS[0], linewidth=2, zorder=3)
    axes.plot(values.mean(), y, "D", color=style.COLOURS[1], markersize=5, zorder=3)


def curves(comparison: Comparison) -> Figure | None:
    """Validation figures over epochs: mean over repetitions, and a band of one standard deviation."""
    scope = headline.MEAN if comparison.metric.startswith(f"{headline.MEAN}.") else headline.UNION
    columns = (headline.MONITORS[scope], headline.OBJECTIVE)
    with style.style():
        made = Figure(figsize=(9.0, 3.4 + 0.1 * len(comparison.rows)))
        panels = made.subplots(1, len(columns))
        drawn = 0
        for axes, column in zip(panels, columns, strict=True):
            for i, row in enumerate(comparison.rows):
                runs = [path for paths in row.group.runs for path in paths]
                drawn += _band(axes, [s for s in (_series(path, column) for path in runs) if len(s)], i, row)
            axes.set_title(f"{column}: mean and one standard deviation of the runs", fontsize=9)
            style.scale(axes, *(line.get_ydata() for line in axes.lines))
            style.epoch_axis(axes, [1, max((len(line.get_xdata()) for line in axes.lines), default=1)])
        if not drawn:
            return None
        handles, labels = panels[0].get_legend_handles_labels()
        short = max(map(len, labels), default=0) < LONGEST // 2
        made.legend(handles, labels, loc="outside lower left", ncols=3 if short else 1)
    return made


def _band(axes: Axes, series: list[np.ndarray], index: int, row: Row) -> int:
    if not series:
        return 0
    length = min(map(len, series))  # runs that stopped early end the curve: a mean of others would jump
    table = np.array([s[:length] for s in series])
    mean, spread = table.mean(axis=0), table.std(axis=0, ddof=1) if len(table) > 1 else np.zeros(length)
    x, look = np.arange(1, length + 1), style.look(index)
    label = f"{style.text(row.group.name, LONGEST)} ({len(table)} run{'s' * (len(table) > 1)})"
    style.draw(axes, x.tolist(), mean.tolist(), label=label, **look)
    axes.fill_between(x, mean - spread, mean + spread, color=look["color"], alpha=0.15, linewidth=0)
    return 1


def _series(run: Path, column: str) -> np.ndarray:
    """One column of a run's epochs.csv; empty where there is none."""
    try:
        with (run / "epochs.csv").open(newline="", encoding="utf-8") as file:
            return np.array([float(line[column]) for line in csv.DictReader(file)])
    except (OSError, ValueError, KeyError, TypeError):
        return np.empty(0)


def _axes(rows: int) -> tuple[Figure, Axes]:
    made = Figure(figsize=(8.0, 1.3 + 0.42 * rows))
    return made, made.subplots()


def _names(axes: Axes, rows: list[Row]) -> None:
    axes.set_yticks(range(len(rows)), [style.text(row.group.name, LONGEST) for row in rows])
    axes.set_ylim(-0.6, len(rows) - 0.4)
