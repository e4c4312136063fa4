"""An interval as a small SVG picture in a cell of a table: it scrolls, prints and sorts with it."""

import math
from collections.abc import Sequence

from markupsafe import Markup

WIDTH, HEIGHT = 110, 16


def interval(
    mean: float,
    low: float,
    high: float,
    span: tuple[float, float],
    *,
    zero: bool = False,
    clear: bool = False,
) -> str:
    """A dot with a bar from ``low`` to ``high`` on a scale that all rows share; "" without a mean.

    Args:
        mean: where the dot is.
        low: NaN for no bar.
        high: likewise.
        span: left and right end of the scale.
        zero: draw a line at 0, which a difference is compared with.
        clear: in the colour of what chance could not have made.
    """
    if math.isnan(mean):
        return ""
    middle, parts = HEIGHT / 2, []
    if zero:
        at = _at(0.0, span)
        parts.append(f'<line class="axis" x1="{at}" x2="{at}" y1="0" y2="{HEIGHT}" stroke-width="1.5"/>')
    if not math.isnan(low):
        ends = f'x1="{_at(low, span)}" x2="{_at(high, span)}" y1="{middle}" y2="{middle}"'
        parts.append(f'<line class="bar" {ends} stroke-width="2"/>')
    parts.append(f'<circle class="dot" cx="{_at(mean, span)}" cy="{middle}" r="3.5"/>')
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    body = "".join(parts)
    style = ' class="clear"' if clear else ""
    return Markup(f'<svg {size} aria-hidden="true" focusable="false"><g{style}>{body}</g></svg>')


def span(values: Sequence[float], *, zero: bool = False) -> tuple[float, float]:
    """A scale that holds all of ``values`` (NaN aside), with 0 inside on request."""
    known = [value for value in values if not math.isnan(value)] + ([0.0] if zero else [])
    if not known:
        return 0.0, 1.0
    low, high = min(known), max(known)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _at(value: float, ends: tuple[float, float]) -> float:
    return round(5 + (WIDTH - 10) * (value - ends[0]) / (ends[1] - ends[0]), 1)
