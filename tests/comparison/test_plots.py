"""The figures of a comparison as data: what each shows, and how far its axes go."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from dmf_cli.comparison import plots
from dmf_cli.figures.description import Bar, Dots

NAN = math.nan


def row(name, per_image=(), versus=None):
    group = SimpleNamespace(name=name, per_image=np.array(per_image, float), runs=[[name]])
    return SimpleNamespace(group=group, versus=versus)


def against(mean, low, high, by_seed=(), significant=False):
    gap = SimpleNamespace(mean=mean, low=low, high=high)
    return SimpleNamespace(difference=gap, by_seed=np.array(by_seed), significant=significant, paired=True)


def comparison(*rows, images=(), total=None):
    counted = SimpleNamespace(total=total or len(images))
    return SimpleNamespace(
        metric="foreground.dice", lower=False, rows=rows, baseline="fixed", images=images, counted=counted
    )


def test_differences_are_blue_where_chance_did_not_make_them():
    rows = [
        row("fixed"),
        row("a", versus=against(0.1, 0.05, 0.15, [0.09, 0.11], True)),
        row("b", versus=against(0.01, -0.1, 0.12)),
    ]
    (panel,) = plots.forest(comparison(*rows)).panels
    assert panel.y.rows == ("a", "b")
    bars = [mark for mark in panel.marks if isinstance(mark, Bar)]
    assert [(bar.low, bar.high, bar.y, bar.colour) for bar in bars] == [
        (0.05, 0.15, 0, 0),
        (-0.1, 0.12, -1, None),
    ]
    low, high = panel.x.limits
    assert (low, high) == pytest.approx((-0.1125, 0.1625))


def test_an_interval_that_dwarfs_its_points_ends_in_triangles():
    (panel,) = plots.forest(comparison(row("a", versus=against(0.01, -1.0, 1.0, [0.0, 0.02])))).panels
    assert panel.x.limits == pytest.approx((-0.08, 0.08))
    beyond = [(mark.marker, mark.x[0]) for mark in panel.marks if isinstance(mark, Dots)][:2]
    assert beyond == [("left", pytest.approx(-0.08)), ("right", pytest.approx(0.08))]
    (panel,) = plots.forest(comparison(row("a", versus=against(0.0, NAN, NAN)))).panels
    assert panel.x.limits == pytest.approx((-0.005, 0.005))  # nothing differs
    assert not [mark for mark in panel.marks if isinstance(mark, Bar)]


def test_images_that_are_undefined_are_no_dots():
    scores = [0.2, NAN, 0.4, 0.6]
    found = comparison(row("a", scores), row("b", [NAN] * 4), images=("i", "j", "k", "l"), total=5)
    (panel,) = plots.images(found).panels
    dots, box, mean = panel.marks
    assert (dots.x.tolist(), dots.names) == ([0.2, 0.4, 0.6], ("i", "k", "l"))
    assert (box.low, box.middle, box.high) == pytest.approx((0.3, 0.4, 0.5))
    assert mean.x[0] == pytest.approx(0.4)
    assert panel.words == (
        "Each dot is one of 3 test images (2 more not counted), the mean over its repetitions. "
        "a: median 0.400, quartiles 0.300 and 0.500; b: no image counts."
    )


def test_curves_end_with_the_shortest_run_and_have_gaps_afterwards():
    epochs = {
        "1": {"val_objective": [3.0, 2.0, 1.0]},
        "2": {"val_objective": [5.0, 4.0]},
        "3": {"val_objective": [1.0, 1.0, 1.0]},
    }
    figure = plots.curves({"a": ["1", "2"], "b": ["3", "4"]}, epochs)
    (panel,) = figure.panels
    first, second = panel.lines
    np.testing.assert_array_equal(first.y, [4.0, 3.0, NAN])
    np.testing.assert_allclose(first.band, [math.sqrt(2), math.sqrt(2), NAN])
    assert (first.detail, second.detail, second.band) == ("2 runs", "1 run", None)
    assert (panel.title, panel.toggles, panel.at.tolist()) == ("Validation objective", True, [1, 2, 3])
    assert plots.curves({"a": ["4"]}, epochs).panels == ()
