"""The critical-difference diagram of Demsar (J. Mach. Learn. Res. 7, 2006)."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from dmf_cli.comparison.compare import Comparison
from dmf_cli.comparison.intervals import LEVEL
from dmf_cli.figures import palette, style

NAME_LENGTH = 42  # characters of a setting's name
STEP = 0.34  # between two lines of names, in inches


def draw(comparison: Comparison) -> Figure | None:
    """Mean ranks over images on one axis; a bar joins what Nemenyi's test does not distinguish.

    Blocks are the test images, repetitions averaged first: it speaks of these networks. None for
    one setting, or if fewer than two images count for all of them.
    """
    rows = sorted(comparison.rows, key=lambda row: row.rank)
    images = len(comparison.images)
    if images < 2 or len(rows) < 2:
        return None
    mean = [row.rank for row in rows]
    critical = critical_difference(len(rows), images)
    bars = cliques(mean, critical)
    half = (len(rows) + 1) // 2
    with style.style():
        height = 1.5 + STEP * half + 0.12 * len(bars)
        made = Figure(figsize=(9.0, height))
        axes = made.subplots()
        axes.set_axis_off()
        _axis(axes, len(rows), critical)
        for i, (low, high) in enumerate(bars):
            axes.plot([low - 0.03, high + 0.03], [-0.12 * (i + 1)] * 2, color="0.1", linewidth=4)
        start = -0.12 * (len(bars) + 1) - 0.15
        for i, row in enumerate(rows):
            _name(axes, row.rank, style.text(row.group.name, NAME_LENGTH), i, len(rows), start)
        axes.set_ylim(start - STEP * half, 1.0)
        axes.set_title(_title(images, comparison.friedman), fontsize=9)
    return made


def critical_difference(settings: int, images: int) -> float:
    """Nemenyi's: mean ranks that differ by less are not distinguished at .05."""
    q = float(stats.studentized_range.ppf(LEVEL, settings, np.inf)) / math.sqrt(2)
    return q * math.sqrt(settings * (settings + 1) / (6 * images))


def cliques(mean: Sequence[float], critical: float) -> list[tuple[float, float]]:
    """The longest stretches of sorted mean ranks that are shorter than ``critical``, two settings or more."""
    stretches: list[tuple[int, int]] = []
    for first in range(len(mean)):
        last = max(i for i in range(first, len(mean)) if mean[i] - mean[first] < critical)
        if last > first and not any(a <= first and last <= b for a, b in stretches):
            stretches.append((first, last))
    return [(mean[first], mean[last]) for first, last in stretches]


def _axis(axes: Axes, settings: int, critical: float) -> None:
    """Ranks from 1 to the number of settings, and the critical difference as a ruler above."""
    axes.plot([1, settings], [0, 0], color="0.2", linewidth=1)
    for rank in range(1, settings + 1):
        axes.plot([rank, rank], [0, 0.1], color="0.2", linewidth=1)
        axes.text(rank, 0.14, f"{rank}", ha="center", va="bottom")
    end = 1 + critical
    axes.plot([1, end], [0.58, 0.58], color="0.2", linewidth=1.5, marker="|", markersize=7)
    axes.text(end + 0.02 * settings, 0.58, f"critical difference {critical:.2f}", va="center", fontsize=8.5)
    margin = 0.75 * max(settings - 1, 1)
    axes.set_xlim(1 - margin, max(settings, end) + margin)


def _name(axes: Axes, rank: float, name: str, i: int, settings: int, start: float) -> None:
    """The better half to the left, its best on top; the others to the right, the last on top."""
    half, reach = (settings + 1) // 2, 0.06 * max(settings - 1, 1)
    left = i < half
    y = start - STEP * (i if left else settings - 1 - i)
    x, side = (1 - reach, "right") if left else (settings + reach, "left")
    axes.plot([rank, rank, x], [0, y, y], color=palette.SERIES[0], linewidth=1)
    gap = -0.3 * reach if left else 0.3 * reach
    label = f"{name}  {rank:.2f}" if left else f"{rank:.2f}  {name}"
    axes.text(x + gap, y, label, ha=side, va="center", fontsize=8.5)


def _title(images: int, friedman: float) -> str:
    tested = "" if math.isnan(friedman) else f"; Friedman's p = {friedman:.2g}"
    return (
        f"Mean rank over {images} test images (1 is best), repetitions averaged first{tested}\n"
        "A bar joins settings that Nemenyi's test at .05 does not distinguish"
    )
