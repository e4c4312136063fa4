"""One description, two renderers: what a picture shows, a chart shows too."""

import matplotlib
import numpy as np
import pytest

from dmf_cli.figures import bokeh_renderer, matplotlib_renderer, palette, series
from dmf_cli.figures.description import Axis, Bar, Dots, Figure, Line, Panel, Rule, Shade, lines, shorten

NAN = np.nan


def panel(**fields):
    drawn = (
        Line("first", np.array([1.0, 2.0, NAN, 4.0]), 0, band=np.full(4, 0.5), detail="3 runs"),
        Line("second", np.array([100.0, 10.0, 1.0, 1.0]), 8),
    )
    given = {"key": "one", "title": "A title", "x": Axis("epoch", whole=True), "y": Axis("loss", log=True)}
    return Panel(**{**given, "at": np.arange(1.0, 5.0), "lines": drawn, **fields})


def figure(*panels, **fields):
    return Figure("name", panels, (6.0, 4.0), **fields)


def of_type(renderers, kind):
    return [one for one in renderers if type(one.glyph).__name__ == kind]


def test_titles_axes_names_and_colours_are_the_same():
    described = figure(panel())
    axes = matplotlib_renderer.draw(described).axes[0]
    (chart,) = bokeh_renderer.charts([described])
    assert axes.get_title() == chart.panel.title == "A title"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "loss")
    assert (chart.model.xaxis.axis_label, chart.model.yaxis.axis_label) == ("epoch", "loss")
    assert (axes.get_yscale(), type(chart.model.y_scale).__name__) == ("log", "LogScale")
    named = {
        text.get_text(): line for text, line in zip(axes.get_legend().get_texts(), axes.lines, strict=True)
    }
    assert list(named) == ["first (3 runs)", "second"]
    assert chart.names == {"first": 0, "second": 8}
    drawn = of_type(chart.model.renderers, "Line")[:2]
    for line, glyph in zip(named.values(), drawn, strict=True):
        assert matplotlib.colors.to_hex(line.get_color()).upper() == glyph.glyph.line_color
        assert glyph.tags == [glyph.glyph.line_color, glyph.tags[1]]
        assert glyph.tags[1] in palette.SERIES_DARK
    assert [line.get_linestyle() for line in named.values()] == ["-", "--"]
    assert [glyph.glyph.line_dash for glyph in drawn] == [[], [6]]
    assert len(axes.collections) == len(of_type(chart.model.renderers, "VArea")) == 1  # the band


def test_marks_are_drawn_by_both():
    marks = (
        Dots("row", np.array([1.0, 2.0]), np.zeros(2), 2, ("image a", "image b"), faint=True),
        Bar("row", 1.0, 3.0, 0.0, 2, middle=1.5),
        Bar("", 1.0, 3.0, -1.0, None),
        Shade("warm-up", "x", 0.0, 1.0),
        Shade("conflict", "y", -1.0, 0.0),
        Rule("best epoch 2", 2.0, 0.5),
    )
    described = figure(panel(marks=marks, lines=(), y=Axis(rows=("row", "other"))), legend="inside")
    axes = matplotlib_renderer.draw(described).axes[0]
    (chart,) = bokeh_renderer.charts([described])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["row", "other"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "row",
        "warm-up",
        "conflict",
        "best epoch 2",
    ]
    shades = [part for part in chart.model.center if type(part).__name__ == "BoxAnnotation"]
    assert [(s.left, s.right) for s in shades[:1]] == [(0.0, 1.0)]
    assert [(s.bottom, s.top) for s in shades[1:]] == [(-1.0, 0.0)]
    assert [part.location for part in chart.model.center if type(part).__name__ == "Span"] == [2.0]
    grey = [g for g in of_type(chart.model.renderers, "Line") if g.glyph.line_color == palette.NEUTRAL]
    assert [glyph.tags for glyph in grey] == [[]]  # on both pages
    assert palette.NEUTRAL in [matplotlib.colors.to_hex(line.get_color()) for line in axes.lines]
    (box,) = of_type(chart.model.renderers, "HBar")
    assert (box.glyph.left, box.glyph.right, axes.patches[0].get_width()) == (1.0, 3.0, 2.0)
    assert {one.name for one in chart.model.renderers if one.name} == {"toggle:row"}
    assert list(of_type(chart.model.renderers, "Scatter")[0].data_source.data["name"]) == [
        "image a",
        "image b",
    ]


def test_a_band_that_reaches_below_0_ends_above_it_on_a_logarithmic_axis():
    wide = Line("loss", np.array([1.0, 2.0]), 0, band=np.array([0.5, 3.0]))
    (chart,) = bokeh_renderer.charts([figure(panel(at=np.arange(2.0), lines=(wide,)))])
    (band,) = of_type(chart.model.renderers, "VArea")
    assert list(band.data_source.data["y1"]) == [0.5, 0.2]


def test_a_row_of_panels_says_once_what_is_on_its_axes():
    described = figure(panel(), panel(key="two"), panel(key="three"), columns=2, legend="below")
    picture = matplotlib_renderer.draw(described)
    assert [axes.get_ylabel() for axes in picture.axes] == ["loss", "", "loss", ""]
    assert [axes.get_xlabel() for axes in picture.axes[:3]] == ["", "epoch", "epoch"]
    assert not picture.axes[3].axison
    assert len(picture.legends[0].get_texts()) == 2


def test_charts_over_one_quantity_are_zoomed_together():
    other = panel(key="other", x=Axis("score"))
    one, two, three = bokeh_renderer.charts([figure(panel(), other), figure(panel(key="third"))])
    assert one.model.x_range is three.model.x_range
    assert one.model.x_range is not two.model.x_range


def test_what_has_no_line_has_no_chart():
    assert bokeh_renderer.charts([figure(panel(lines=()))]) == []


@pytest.mark.parametrize("few", [True, False])
def test_a_moving_mean_is_bold_over_a_mist_where_lines_are_few(few):
    count = 2 if few else len(palette.SERIES) + 1
    values = np.random.default_rng(0).random((count, 1000))
    drawn = lines({f"t{i}": y for i, y in enumerate(values)}, start=100)
    described = figure(panel(at=np.arange(1000.0), lines=drawn, window=series.window(1000), y=Axis("loss")))
    axes = matplotlib_renderer.draw(described).axes[0]
    (chart,) = bokeh_renderer.charts([described])
    assert len(axes.lines) == len(of_type(chart.model.renderers, "Line")) - 1 == (2 * count if few else count)
    assert axes.texts[0].get_text() == "bold: mean over 10 steps"
    assert chart.panel.words.endswith("Bold: mean over 10 steps.")
    np.testing.assert_array_equal(drawn[0].mean[:100], values[0, :100])


def test_a_moving_mean_is_that_of_the_finite_values():
    mean = series.moving_mean(np.array([1.0, NAN, 3.0, 5.0, NAN, NAN]), 2)
    np.testing.assert_array_equal(mean, [1.0, 1.0, 3.0, 4.0, 5.0, NAN])
    np.testing.assert_array_equal(series.moving_mean(np.array([1.0, 2.0]), 5), [1.0, 1.5])


def test_lines_are_said_in_words():
    said = panel(notes=("Shaded: the warm-up, until step 12",)).words
    assert said == (
        "first (3 runs) from 1 to 4 (lowest 1, highest 4); second from 100 to 1 (lowest 1, highest 100). "
        "Shaded: the warm-up, until step 12."
    )
    assert panel(lines=lines({"x": [NAN, np.inf]})).words == "x: no finite value."


def test_a_long_name_keeps_its_ends():
    assert shorten("weighting=var,loss=cbdice", 11) == "weigh…bdice"
    assert shorten("short", 11) == "short"
