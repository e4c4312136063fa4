"""Pictures from descriptions. See :mod:`dmf_cli.figures.description`."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from matplotlib.ticker import MaxNLocator

from dmf_cli.figures import palette, style
from dmf_cli.figures.description import Axis, Bar, Dots, Figure, Line, Panel, Rule, Shade, shorten
from dmf_cli.figures.series import known

MANY = 13  # names from which a legend has two columns
AN_INCH = 14  # characters of a title or a legend, about
MARKERS = {"circle": "o", "diamond": "D", "left": "<", "right": ">"}


def write(folder: Path, figure: Figure, source: str = "") -> None:
    """``NAME.png`` in ``folder``, whole or not at all.

    Args:
        folder: an existing one.
        figure: what to draw.
        source: what it was drawn from, such as the name of a run: it stands in the corner.

    Raises:
        RunFolderError: disk full, read-only, no permission.
    """
    with style.style():
        picture = draw(figure)
        if source:
            style.name_it(picture, source)
        style.save(folder / f"{figure.name}.png", picture)


def draw(figure: Figure) -> Picture:
    """The picture, in the style that is in force."""
    count, columns = len(figure.panels), min(figure.columns, len(figure.panels))
    rows = math.ceil(count / columns)
    shared = len({panel.x.label for panel in figure.panels}) == 1
    picture = Picture(figsize=figure.size)
    heights = [panel.height for panel in figure.panels[::columns]]
    grid = picture.subplots(rows, columns, squeeze=False, sharex=shared, height_ratios=heights)
    every = grid.ravel()
    for i, (axes, panel) in enumerate(zip(every, figure.panels, strict=False)):
        _panel(axes, panel)
        room = int(AN_INCH * (figure.size[0] / columns - 1)) if columns > 1 else None
        title = "\n".join(shorten(line, room) if room else line for line in panel.title.split("\n"))
        axes.set_title(style.text(title))
        if shared and i + columns < count:  # the panel below says it
            axes.set_xlabel("")
        axes.tick_params(labelbottom=not shared or i + columns >= count)
        if i % columns and panel.y == figure.panels[i - 1].y:  # the panel to the left says it
            axes.set_ylabel("")
        if figure.legend in ("inside", "beside"):
            _legend(axes, panel, beside=figure.legend == "beside")
    for axes in every[count:]:
        axes.set_axis_off()
    if figure.legend == "below":
        _below(picture, figure)
    return picture


def _panel(axes: Axes, panel: Panel) -> None:
    for line in panel.lines:
        _line(axes, panel, line)
    for mark in panel.marks:
        if isinstance(mark, Dots):
            _dots(axes, mark)
        elif isinstance(mark, Bar):
            _bar(axes, mark)
        elif isinstance(mark, Shade):
            span = axes.axvspan if mark.axis == "x" else axes.axhspan
            span(mark.low, mark.high, color="0.9", lw=0, zorder=0, label=style.text(mark.label))
        else:
            _rule(axes, mark)
    if not panel.marks and not len(known(*(line.y for line in panel.lines))):
        axes.text(0.5, 0.5, "no finite value", transform=axes.transAxes, ha="center", color="0.45")
    if panel.window > 1:
        where: dict[str, Any] = {"transform": axes.transAxes, "ha": "right", "va": "top", "color": "0.45"}
        axes.text(0.995, 0.99, f"bold: mean over {panel.window} steps", **where)
    _x_axis(axes, panel)
    _y_axis(axes, panel.y)


def _line(axes: Axes, panel: Panel, line: Line) -> None:
    """A line; values that stand alone, as in a run of one epoch, are dots that can be seen."""
    colour, dashes = palette.line(line.colour)
    look: dict[str, Any] = {"color": colour, "linestyle": dashes}
    values = line.y
    if line.mean is not None:
        if len(panel.lines) <= len(palette.SERIES):
            axes.plot(panel.at, values, **{**look, "linewidth": 0.7, "alpha": 0.35})
        values = line.mean
    if line.band is not None:
        low, high = values - line.band, values + line.band
        axes.fill_between(panel.at, low, high, color=colour, alpha=palette.BAND, linewidth=0)
    finite = np.pad(np.isfinite(values), 1)
    alone = np.flatnonzero(finite[1:-1] & ~finite[:-2] & ~finite[2:]).tolist()
    dots = {"marker": "o", "markersize": 4, "markevery": alone} if alone else {}
    label = f"{shorten(line.label, 60)} ({line.detail})" if line.detail else shorten(line.label, 60)
    step = "steps-post" if line.held else "default"
    axes.plot(panel.at, values, label=style.text(label), drawstyle=step, **dots, **look)


def _dots(axes: Axes, dots: Dots) -> None:
    axes.plot(
        dots.x, dots.y, MARKERS[dots.marker], color=palette.mark(dots.colour), markersize=dots.size,
        alpha=0.45 if dots.faint else 1.0, markeredgewidth=0 if dots.faint else None,
        clip_on=dots.marker not in ("left", "right"), zorder=1 if dots.faint else 4,
        label=style.text(dots.label) or None,
    )  # fmt: skip


def _bar(axes: Axes, bar: Bar) -> None:
    colour = palette.mark(bar.colour)
    if bar.middle is None:
        axes.plot([bar.low, bar.high], [bar.y, bar.y], color=colour, linewidth=2.2)
        return
    axes.barh(bar.y, bar.high - bar.low, left=bar.low, height=0.5, color=colour, alpha=0.3, zorder=2)
    axes.plot([bar.middle] * 2, [bar.y - 0.25, bar.y + 0.25], color=colour, linewidth=2, zorder=3)


def _rule(axes: Axes, rule: Rule) -> None:
    look = {"color": "0.3", "linewidth": 1.0} if rule.solid else {"color": "0.6", "linestyle": "--"}
    axes.axvline(rule.x, zorder=0, label=style.text(rule.label) or None, **look)
    if rule.y is not None:
        axes.plot(rule.x, rule.y, "o", color=palette.mark(0), markersize=6)


def _x_axis(axes: Axes, panel: Panel) -> None:
    axes.set_xlabel(style.text(panel.x.label))
    axes.margins(x=0.02)
    if panel.x.log:
        axes.set_xscale("log")
    if panel.x.limits:
        axes.set_xlim(panel.x.limits)
    elif panel.x.whole and len(panel.at) and panel.at[0] == panel.at[-1]:
        axes.set_xlim(panel.at[0] - 0.5, panel.at[0] + 0.5)
    if panel.x.whole:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))


def _y_axis(axes: Axes, axis: Axis) -> None:
    axes.set_ylabel(style.text(axis.label))
    if axis.log:
        axes.set_yscale("log")
    if axis.limits:
        axes.set_ylim(axis.limits)
    if axis.rows:
        names = [style.text(shorten(name, 60)) for name in axis.rows]
        axes.set_yticks(range(0, -len(names), -1), names)
        axes.set_ylim(0.4 - len(names), 0.6)


def _legend(axes: Axes, panel: Panel, *, beside: bool) -> None:
    """Its lines and marks by name, where the axis does not say already which its only line is."""
    handles, names = axes.get_legend_handles_labels()
    if names in ([], [panel.y.label]):
        return
    place: dict[str, Any] = {"loc": "best"}
    if beside:
        names = [shorten(name, 24) for name in names]
        place = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0), "ncols": 1 + (len(names) > MANY)}
    axes.legend(handles, names, **place)


def _below(picture: Picture, figure: Figure) -> None:
    """One legend for all panels, in as many columns as there is room for."""
    handles, names = picture.axes[0].get_legend_handles_labels()
    room, each = AN_INCH * figure.size[0], [len(name) + 6 for name in names]
    columns = len(names) if sum(each) <= room else max(1, int(room // max(each)))
    picture.legend(handles, names, loc="outside lower center", ncols=min(columns, 6))
