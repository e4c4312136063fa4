"""What a figure shows, as plain data: both renderers draw pictures and interactive charts from it alone.

A :class:`Figure` has panels; a :class:`Panel` has two axes, lines over common x values, and marks. The number
of a colour is that of ``palette.SERIES``; None is grey.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from dmf_cli.figures import series

Legend = Literal["inside", "beside", "below", "none"]


@dataclasses.dataclass(frozen=True)
class Axis:
    """One axis of a panel.

    Args:
        label: its quantity; what is in parentheses at the end is no part of its name.
        log: logarithmic.
        limits: None for those of the values.
        whole: ticks at whole numbers only, such as epochs.
        rows: names of horizontal rows in place of numbers: row ``i`` is at ``-i``, the first on top.
    """

    label: str = ""
    log: bool = False
    limits: tuple[float, float] | None = None
    whole: bool = False
    rows: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Line:
    """Values over the x values of its panel.

    Args:
        label: its name.
        y: NaN for a gap.
        colour: its number; beyond the last colour come dashes.
        mean: moving mean, drawn bold over a mist of ``y``; None for few values.
        band: half the height of a band around it, or None.
        held: each value holds until the next.
        detail: what is said of it in parentheses.
    """

    label: str
    y: np.ndarray
    colour: int = 0
    mean: np.ndarray | None = None
    band: np.ndarray | None = None
    held: bool = False
    detail: str = ""


@dataclasses.dataclass(frozen=True)
class Dots:
    """Points with a place of their own.

    Args:
        label: its name; "" for none.
        x: values.
        y: values.
        colour: its number, or None.
        names: of the single points.
        marker: circle, diamond, or a triangle that points beyond the axis.
        size: of a marker, in points.
        faint: there are many, one over the other.
    """

    label: str
    x: np.ndarray
    y: np.ndarray
    colour: int | None = 0
    names: tuple[str, ...] = ()
    marker: Literal["circle", "diamond", "left", "right"] = "circle"
    size: float = 4.0
    faint: bool = False


@dataclasses.dataclass(frozen=True)
class Bar:
    """A horizontal bar from ``low`` to ``high`` at ``y``: an interval, or a box of quartiles with its median.

    Args:
        label: its name; "" for none.
        low: left end.
        high: right end.
        y: where it is.
        colour: its number, or None.
        middle: where a box has its median; None for a thin bar.
    """

    label: str
    low: float
    high: float
    y: float
    colour: int | None = 0
    middle: float | None = None


@dataclasses.dataclass(frozen=True)
class Shade:
    """A shaded stretch of an axis."""

    label: str
    axis: Literal["x", "y"]
    low: float
    high: float


@dataclasses.dataclass(frozen=True)
class Rule:
    """A vertical line at ``x``, with a dot at ``y`` if there is one; ``solid`` for the zero of an axis."""

    label: str
    x: float
    y: float | None = None
    solid: bool = False


Mark = Dots | Bar | Shade | Rule


@dataclasses.dataclass(frozen=True)
class Panel:
    """One pair of axes.

    Args:
        key: unique in a page.
        title: what it shows.
        x: horizontal axis.
        y: vertical axis.
        at: x values of the lines.
        lines: over ``at``.
        marks: everything else.
        notes: sentences on what is drawn, for those who cannot see it.
        window: how many values the moving means average.
        toggles: in a page the lines can be hidden by their names.
        height: against that of the other panels.
        full: over the whole width of a page.
    """

    key: str
    title: str
    x: Axis
    y: Axis
    at: np.ndarray = dataclasses.field(default_factory=lambda: np.empty(0))
    lines: tuple[Line, ...] = ()
    marks: tuple[Mark, ...] = ()
    notes: tuple[str, ...] = ()
    window: int = 1
    toggles: bool = False
    height: float = 1.0
    full: bool = True

    @property
    def words(self) -> str:
        """Its lines and notes as sentences: ``bce from 0.500 to 0.462 (lowest 0.31, highest 0.69); ...``."""
        notes = [*self.notes, *([f"Bold: mean over {self.window} steps"] if self.window > 1 else [])]
        return " ".join(f"{part}." for part in ("; ".join(map(_said, self.lines)), *notes) if part)


@dataclasses.dataclass(frozen=True)
class Figure:
    """One picture, or several charts of a page.

    Args:
        name: of its file.
        panels: row by row.
        size: width and height of the picture in inches.
        columns: panels in a row.
        legend: in or beside each panel, or one below all of them with the lines of the first.
    """

    name: str
    panels: tuple[Panel, ...]
    size: tuple[float, float]
    columns: int = 1
    legend: Legend = "beside"


def lines(
    values: Mapping[str, Sequence[float] | np.ndarray], *, start: int | None = None
) -> tuple[Line, ...]:
    """A line for each of ``values``, in the colours' order.

    Args:
        values: label -> y values.
        start: where moving means may begin, for they must not reach back into the warm-up; None for no means.
    """
    made = []
    for colour, (label, y) in enumerate(values.items()):
        y = series.finite(y)
        window = series.window(len(y)) if start is not None else 1
        mean = np.concatenate([y[:start], series.moving_mean(y[start:], window)]) if window > 1 else None
        made.append(Line(label, y, colour, mean))
    return tuple(made)


def shorten(name: str, length: int) -> str:
    """A name with its middle replaced by an ellipsis where it is longer than ``length``."""
    if len(name) <= length:
        return name
    head = (length - 1) // 2
    return f"{name[:head]}…{name[-(length - 1 - head) :]}"


def _said(line: Line) -> str:
    name = f"{line.label} ({line.detail})" if line.detail else line.label
    values = series.known(line.y)
    if not len(values):
        return f"{name}: no finite value"
    first, last, least, most = (f"{v:.3g}" for v in (values[0], values[-1], values.min(), values.max()))
    return f"{name} from {first} to {last} (lowest {least}, highest {most})"
