"""Interactive charts from descriptions: what hovers, what can be hidden, how much of a long record is drawn.

Charts are transparent and carry both colours of a line (light and dark page) in the tags of its renderer; the
page's script paints them. The name of a renderer is ``toggle:NAME``: a button of the page hides it. See
:mod:`dmf_cli.figures.description`.
"""

import dataclasses
import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from dmf_cli.figures import palette
from dmf_cli.figures.description import Axis, Bar, Dots, Figure, Line, Panel, Rule, Shade

ROWS = 1500  # of a long record, about; every spike is kept
FEW = 60  # epochs up to which each has a dot


@dataclasses.dataclass(frozen=True)
class Chart:
    """One panel in a page.

    Args:
        panel: what it shows.
        model: the bokeh figure.
    """

    panel: Panel
    model: Any

    @property
    def names(self) -> dict[str, int]:
        """Line or dots -> number of the colour."""
        named: list[Line | Dots] = [*self.panel.lines]
        named += [mark for mark in self.panel.marks if isinstance(mark, Dots) and mark.label]
        return {one.label: one.colour or 0 for one in named}


def charts(figures: Iterable[Figure]) -> list[Chart]:
    """A chart for each panel that has something to show; those over the same quantity are zoomed together."""
    made: list[Chart] = []
    for panel in (panel for figure in figures for panel in figure.panels if panel.lines or panel.marks):
        linked = next((one.model.x_range for one in made if one.panel.x == panel.x), None)
        made.append(Chart(panel, _chart(panel, linked)))
    return made


def _chart(panel: Panel, x_range: Any) -> Any:
    model = _empty(panel, x_range)
    if panel.lines:
        _lines(model, panel)
    for mark in panel.marks:
        if isinstance(mark, Dots):
            _dots(model, mark, panel.x.label)
        elif isinstance(mark, Bar):
            _bar(model, mark)
        elif isinstance(mark, Shade):
            _shade(model, mark)
        else:
            _rule(model, mark)
    return model


def _empty(panel: Panel, x_range: Any) -> Any:
    from bokeh.models import BoxZoomTool, PanTool, ResetTool, WheelZoomTool
    from bokeh.plotting import figure as new

    rows = len(panel.y.rows)
    made = new(
        height=90 + 46 * rows if rows else 300 if panel.height > 1 else 270 if panel.full else 220,
        sizing_mode="stretch_width",
        x_axis_type="log" if panel.x.log else "linear",
        y_axis_type="log" if panel.y.log else "linear",
        tools=[],
        min_border_left=52,
        min_border_right=8,
        **({"x_range": x_range} if x_range is not None else {}),
    )
    zoom = BoxZoomTool(dimensions="width")
    made.add_tools(PanTool(dimensions="width"), zoom, WheelZoomTool(dimensions="width"), ResetTool())
    made.toolbar.active_drag = zoom
    made.toolbar.logo = None
    made.toolbar.autohide = True
    made.background_fill_alpha = made.border_fill_alpha = 0
    made.outline_line_color = None
    made.x_range.range_padding = 0.02
    _axis(made.xaxis, made.x_range, panel.x)
    _axis(made.yaxis, made.y_range, panel.y)
    made.yaxis.visible = made.ygrid.visible = not rows  # a legend says which row is which
    return made


def _axis(parts: Any, span: Any, axis: Axis) -> None:
    from bokeh.models import PrintfTickFormatter

    parts.axis_label = axis.label
    parts.axis_label_text_font_style = "normal"
    parts.minor_tick_line_color = None
    if axis.whole:
        parts.ticker.min_interval = 1
    elif not axis.log:
        parts.formatter = PrintfTickFormatter(format="%.3g")
    if axis.limits:
        span.start, span.end = axis.limits


def _lines(made: Any, panel: Panel) -> None:
    """All lines from one table, with one hover box for all."""
    from bokeh.models import ColumnDataSource, HoverTool

    kept = thin([line.y for line in panel.lines], len(panel.at))
    data: dict[str, Any] = {"x": panel.at[kept]}
    for i, line in enumerate(panel.lines):
        data[f"v{i}"] = _short(line.y[kept])
        if line.mean is not None:
            data[f"m{i}"] = _short(line.mean[kept])
    source = ColumnDataSource(data)
    for i, line in enumerate(panel.lines):
        _line(made, panel, line, i, source)
    anchor = made.line("x", "v0", source=source, line_alpha=0, name="anchor")  # what hovers is never hidden
    label = panel.x.label.partition(" (")[0]
    boxes = [(label, "@x{0,0}"), *((line.label, f"@v{i}{{%.4g}}") for i, line in enumerate(panel.lines))]
    formats = {f"@v{i}": "printf" for i in range(len(panel.lines))}
    how = {"tooltips": boxes, "formatters": formats, "mode": "vline", "line_policy": "nearest"}
    made.add_tools(HoverTool(renderers=[anchor], **how))


def _line(made: Any, panel: Panel, line: Line, i: int, source: Any) -> None:
    colour, dashes = palette.line(line.colour)
    name = _name(line.label) if panel.toggles else {}
    drawn, one = [], {"source": source, "line_color": colour, **name}
    if line.band is not None:
        band = {"fill_color": colour, "fill_alpha": palette.BAND, **name}
        low = line.y - line.band
        if panel.y.log:  # where no number is 0 or below
            low = np.where(low > 0, low, line.y / 10)
        drawn.append(made.varea(panel.at, low, line.y + line.band, **band))
    if line.mean is not None and len(panel.lines) <= len(palette.SERIES):
        drawn.append(made.line("x", f"v{i}", line_dash=dashes, line_width=1, line_alpha=0.3, **one))
    shown = f"v{i}" if line.mean is None else f"m{i}"
    if line.held:
        drawn.append(made.step("x", shown, mode="after", line_dash=dashes, line_width=2, **one))
    else:
        drawn.append(made.line("x", shown, line_dash=dashes, line_width=2, **one))
    if panel.x.label == "epoch" and len(panel.at) < FEW:
        drawn.append(made.scatter("x", f"v{i}", size=5, fill_color=colour, **one))
    for renderer in drawn:
        _tag(renderer, line.colour)


def _dots(made: Any, dots: Dots, quantity: str) -> None:
    """The name of a single point hovers over it."""
    from bokeh.models import ColumnDataSource, HoverTool

    data: dict[str, Any] = {"x": _short(dots.x), "y": _short(dots.y)}
    source = ColumnDataSource(data | ({"name": list(dots.names)} if dots.names else {}))
    colour = palette.mark(dots.colour)
    how = {"size": 1.5 * dots.size, "line_color": None, "fill_color": colour, "marker": dots.marker}
    drawn = made.scatter(
        "x", "y", source=source, fill_alpha=0.55 if dots.faint else 1, **how, **_name(dots.label)
    )
    _tag(drawn, dots.colour)
    if dots.names:
        made.add_tools(HoverTool(renderers=[drawn], tooltips=[("image", "@name"), (quantity, "@x{0.000}")]))


def _bar(made: Any, bar: Bar) -> None:
    colour, name = palette.mark(bar.colour), _name(bar.label)
    if bar.middle is None:
        _tag(made.line([bar.low, bar.high], [bar.y] * 2, line_color=colour, line_width=2, **name), bar.colour)
        return
    box = {"height": 0.5, "fill_color": colour, "fill_alpha": 0.3, "line_color": None}
    _tag(made.hbar(bar.y, left=bar.low, right=bar.high, **box, **name), bar.colour)
    ends = [bar.y - 0.25, bar.y + 0.25]
    _tag(made.line([bar.middle] * 2, ends, line_color=colour, line_width=3, **name), bar.colour)


def _shade(made: Any, shade: Shade) -> None:
    from bokeh.models import BoxAnnotation

    low, high = ("left", "right") if shade.axis == "x" else ("bottom", "top")
    made.add_layout(
        BoxAnnotation(**{low: shade.low, high: shade.high}, name="shade", line_alpha=0, level="underlay")
    )


def _rule(made: Any, rule: Rule) -> None:
    from bokeh.models import Span

    dash = "solid" if rule.solid else "dashed"
    made.add_layout(Span(location=rule.x, dimension="height", line_dash=dash, name="mark"))
    if rule.y is not None:
        _tag(made.scatter([rule.x], [rule.y], size=9, line_color=None, fill_color=palette.line(0)[0]), 0)


def _name(label: str) -> dict[str, str]:
    return {"name": f"toggle:{label}"} if label else {}


def _short(values: np.ndarray) -> np.ndarray:
    """Half the bytes: no screen has more digits."""
    return values.astype(np.float32)


def _tag(renderer: Any, number: int | None) -> None:
    """Name this colour for the page's script; grey is for both pages."""
    renderer.tags = [] if number is None else list(colours(number))


def colours(number: int) -> tuple[str, str]:
    """Of a light and of a dark page."""
    return palette.line(number)[0], palette.line(number, dark=True)[0]


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


def embed(charts: Sequence[Chart]) -> tuple[str, dict[str, str]]:
    """The script that draws ``charts``, and the place of each in the page by its key."""
    if not charts:
        return "", {}
    from bokeh.embed import components

    script, places = components({chart.panel.key: chart.model for chart in charts}, wrap_script=False)
    return script, dict(places)


def library() -> str:
    """BokehJS, without widgets and tables, as text for the page."""
    from bokeh.resources import Resources

    return "\n".join(Resources(mode="inline", components=["bokeh"], log_level="error").js_raw)
