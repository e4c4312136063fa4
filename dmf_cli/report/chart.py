"""Interactive lines: what hovers, what can be toggled, and how much of a long record is drawn.

Charts are transparent and carry both colours of a line (light and dark page) in the tags of its renderer; the
page's script paints them. The name of a renderer is ``toggle:NAME``: a button of the page hides it.
"""

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dmf_cli.figures import palette
from dmf_cli.figures import style as look

ROWS = 1500  # of a long record, about; every spike is kept
MANY_STEPS = 400  # from here on, lines of single steps are a mist that needs a mean
BAND = 0.14  # opacity


@dataclasses.dataclass
class Chart:
    """One chart of the page.

    Args:
        key: unique in the page.
        title: what it shows.
        caption: its numbers in words, for those who cannot see it.
        model: the bokeh figure.
        toggles: what can be hidden: name -> number of its colour.
        legend: what its lines are, where they cannot be toggled.
        wide: over the whole width of the page.
    """

    key: str
    title: str
    caption: str
    model: Any
    toggles: dict[str, int] = dataclasses.field(default_factory=dict)
    legend: dict[str, int] = dataclasses.field(default_factory=dict)
    wide: bool = True


def figure(x_label: str, y_label: str, *, log: bool = False, height: int = 270, x_range: Any = None) -> Any:
    """An empty chart; charts with one ``x_range`` are zoomed together."""
    from bokeh.models import BoxZoomTool, PanTool, PrintfTickFormatter, ResetTool, WheelZoomTool
    from bokeh.plotting import figure as new

    options = {"x_range": x_range} if x_range is not None else {}
    made = new(
        height=height,
        sizing_mode="stretch_width",
        y_axis_type="log" if log else "linear",
        tools=[],
        min_border_left=52,
        min_border_right=8,
        **options,
    )
    zoom = BoxZoomTool(dimensions="width")
    made.add_tools(PanTool(dimensions="width"), zoom, WheelZoomTool(dimensions="width"), ResetTool())
    made.toolbar.active_drag = zoom
    made.toolbar.logo = None
    made.toolbar.autohide = True
    made.xaxis.axis_label, made.yaxis.axis_label = x_label, y_label
    made.background_fill_alpha = made.border_fill_alpha = 0
    made.outline_line_color = None
    for axis in (*made.xaxis, *made.yaxis):
        axis.axis_label_text_font_style = "normal"
        axis.minor_tick_line_color = None
    made.x_range.range_padding = 0.02
    if x_label in ("epoch", "step"):
        made.xaxis.ticker.min_interval = 1
    if not log:
        made.yaxis.formatter = PrintfTickFormatter(format="%.3g")
    return made


def lines(
    made: Any,
    x: Sequence[float],
    series: Mapping[str, np.ndarray],
    *,
    label: str,
    toggles: bool = True,
    start: int = 0,
    dots: bool = False,
) -> dict[str, int]:
    """Draw ``series`` over ``x`` with one hover box for all; returns what can be toggled.

    Args:
        made: of :func:`figure`.
        x: steps or epochs.
        series: name -> values, NaN where there is none.
        label: what x is, for the hover box.
        toggles: whether the names can be hidden.
        start: where a moving mean may begin (it must not reach back into the warm-up).
        dots: mark each value: epochs are few.
    """
    from bokeh.models import ColumnDataSource, HoverTool

    every = {name: look.finite(values.tolist()) for name, values in series.items()}
    window = len(x) // 100 if len(x) >= MANY_STEPS else 1
    kept = thin(list(every.values()), len(x))
    data: dict[str, Any] = {"x": np.asarray(x, np.float64)[kept]}
    for i, values in enumerate(every.values()):
        data[f"v{i}"] = values[kept].astype(np.float32)
        if window > 1:
            mean = np.concatenate([values[:start], moving_mean(values[start:], window)])
            data[f"m{i}"] = mean[kept].astype(np.float32)
    source = ColumnDataSource(data)
    for i, name in enumerate(every):
        one = {"source": source, **_look(i, name if toggles else None)}
        if window > 1:
            mark(made.line("x", f"v{i}", line_width=1, line_alpha=0.3, **one), i)
        mark(made.line("x", f"m{i}" if window > 1 else f"v{i}", line_width=2, **one), i)
        if dots:
            one.pop("line_dash")
            mark(made.scatter("x", f"v{i}", size=5, fill_color=one["line_color"], **one), i)
    anchor = made.line("x", "v0", source=source, line_alpha=0, name="anchor")  # what hovers is never hidden
    boxes = [(label, "@x{0,0}"), *((name, f"@v{i}{{%.4g}}") for i, name in enumerate(every))]
    formats = {f"@v{i}": "printf" for i in range(len(every))}
    how = {"tooltips": boxes, "formatters": formats, "mode": "vline", "line_policy": "nearest"}
    made.add_tools(HoverTool(renderers=[anchor], **how))
    return {name: i for i, name in enumerate(every)} if toggles else {}


def mark(renderer: Any, index: int) -> None:
    """Tell the page's script which colour this is."""
    renderer.tags = list(colours(index))


def log_scale(*series: np.ndarray) -> bool:
    """Whether a linear axis would hide the small values; the same rule as in the figures."""
    values = np.concatenate([look.finite(s.tolist()) for s in series]) if series else np.empty(0)
    values = values[~np.isnan(values)]
    return bool(len(values) and values.min() > 0 and values.max() / values.min() >= look.WIDE)


def thin(series: Sequence[np.ndarray], length: int, rows: int = ROWS) -> np.ndarray:
    """Rows to draw: of each stretch the first, and where each series has its lowest and highest value.

    Args:
        series: each of ``length`` values.
        length: how many rows there are.
        rows: about how many to keep.

    Returns:
        Sorted row numbers, the first and the last among them; all of them for a short record.
    """
    if length <= rows:
        return np.arange(length)
    buckets = max(8, rows // (1 + 2 * len(series)))
    edges = np.linspace(0, length, buckets + 1).astype(int)
    kept = {*edges[:-1].tolist(), length - 1}
    for values in series:
        for low, high in itertools.pairwise(edges.tolist()):
            part = values[low:high]
            if not np.isnan(part).all():
                kept |= {low + int(np.nanargmin(part)), low + int(np.nanargmax(part))}
            if np.isnan(part).any():  # a gap stays a gap
                kept.add(low + int(np.isnan(part).argmax()))
    return np.array(sorted(kept))


def in_words(series: Mapping[str, np.ndarray], digits: int = 3) -> str:
    """``cbdice from 0.500 to 0.462 (lowest 0.31, highest 0.69); ...``."""
    said = []
    for name, values in series.items():
        known = values[np.isfinite(values)]
        if not len(known):
            said.append(f"{name}: no finite value")
            continue
        ends, least, most = (f"{v:.{digits}g}" for v in (known[-1], known.min(), known.max()))
        said.append(f"{name} from {known[0]:.{digits}g} to {ends} (lowest {least}, highest {most})")
    return "; ".join(said)


def moving_mean(values: np.ndarray, window: int) -> np.ndarray:
    """Mean of the last ``window`` values (of fewer at the start) that are not NaN."""
    known = np.isfinite(values)
    sums, counts = np.cumsum(np.where(known, values, 0.0)), np.cumsum(known).astype(float)
    for total in (sums, counts):
        total[window:] -= total[:-window].copy()
    return np.divide(sums, counts, out=np.full(len(values), math.nan), where=counts > 0)


def embed(charts: Sequence[Chart]) -> tuple[str, dict[str, str]]:
    """The script that draws ``charts``, and the place of each in the page by its key."""
    if not charts:
        return "", {}
    from bokeh.embed import components

    script, places = components({chart.key: chart.model for chart in charts}, wrap_script=False)
    return script, dict(places)


def library() -> str:
    """BokehJS, without widgets and tables, as text for the page."""
    from bokeh.resources import Resources

    return "\n".join(Resources(mode="inline", components=["bokeh"], log_level="error").js_raw)


def colours(index: int) -> tuple[str, str]:
    """Of a light and of a dark page."""
    dark = palette.SERIES_DARK  # the same hues as in every figure, brighter where the page is dark
    return look.COLOURS[index % len(look.COLOURS)], dark[index % len(dark)]


def _look(index: int, toggle: str | None) -> dict[str, Any]:
    dash = ("solid", "dashed", "dotted", "dashdot")[index // len(look.COLOURS) % 4]
    how: dict[str, Any] = {"line_color": colours(index)[0], "line_dash": dash}
    return how if toggle is None else {**how, "name": f"toggle:{toggle}"}
