"""Intervals that cover what they say, and winners that are none by chance."""

import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from dmf_cli.comparison import intervals
from dmf_cli.comparison.groups import Group
from dmf_cli.comparison.intervals import interval
from dmf_cli.comparison.versus import versus

STUDIES = 2000
# Standard deviations of the effects of a seed, of an image, and of both together.
SPREADS = [(0.03, 0.01, 0.01), (0.005, 0.25, 0.1), (0.02, 0.25, 0.1), (0.05, 0.1, 0.1), (0.0, 0.0, 0.1)]


@pytest.mark.parametrize(("seeds", "images"), [(3, 60), (5, 40), (10, 100)])
@pytest.mark.parametrize("spread", SPREADS, ids=str)
def test_intervals_cover_93_to_97_percent(spread, seeds, images):
    rng, hits = np.random.default_rng(1), 0
    for _ in range(STUDIES):
        scores = rng.normal(0, spread[0], (seeds, 1)) + rng.normal(0, spread[1], (1, images))
        found = interval(scores + rng.normal(0, spread[2], (seeds, images)))
        hits += found.low <= 0 <= found.high
    assert 0.93 <= hits / STUDIES <= 0.97


@pytest.mark.parametrize("spread", SPREADS, ids=str)
def test_two_seeds_are_covered_too_if_not_as_exactly(spread):
    rng, hits = np.random.default_rng(1), 0
    for _ in range(STUDIES):
        scores = rng.normal(0, spread[0], (2, 1)) + rng.normal(0, spread[1], (1, 60))
        found = interval(scores + rng.normal(0, spread[2], (2, 60)))
        hits += found.low <= 0 <= found.high
    assert 0.92 <= hits / STUDIES <= 0.99


def test_other_seeds_on_the_same_images_are_covered():
    rng, hits = np.random.default_rng(4), 0
    for _ in range(STUDIES // 2):
        image = rng.normal(0, 0.25, (1, 50))  # shared: it is no part of the difference
        a, b = (
            image + rng.normal(0, 0.02, (n, 1)) + rng.normal(0, 0.03, (1, 50)) + rng.normal(0, 0.1, (n, 50))
            for n in (4, 6)
        )
        found = intervals.around(a.mean() - b.mean(), intervals.unpaired_parts(a, b))
        hits += found.low <= 0 <= found.high
        assert found.high - found.low < 0.25
    assert hits / (STUDIES // 2) >= 0.93


@pytest.mark.parametrize("reacts", [0.0, 0.05])
@pytest.mark.parametrize(("seeds", "settings", "studies"), [(3, 3, 60), (6, 1, 600), (9, 3, 250)])
def test_at_most_5_percent_false_winners_among_equal_settings(seeds, settings, studies, reacts):
    """Also when each image reacts to each setting, so that more seeds alone would find a difference."""
    rng, false = np.random.default_rng(2), 0
    for _ in range(studies):
        groups = _study(rng, seeds, settings, reacts)
        false += any(one.significant for one in versus([(group, groups[0]) for group in groups[1:]]))
    assert false / studies <= 0.05
    if seeds == 3:
        assert false == 0


def test_a_true_difference_is_found():
    rng = np.random.default_rng(5)
    found = []
    for _ in range(40):
        base, other = _study(rng, 8, 1, 0.02)
        better = Group(other.label, other.repetitions, other.runs, other.scores + 0.06)
        found.append(versus([(better, base)])[0].significant)
    assert np.mean(found) > 0.8


def _study(rng, seeds, settings, reacts, images=40):
    """One baseline and ``settings`` others, all equal."""
    image, made = rng.normal(0.7, 0.2, (1, images)), []
    names = tuple((("seed", str(seed)),) for seed in range(seeds))
    for i in range(settings + 1):
        own = rng.normal(0, 0.02, (seeds, 1)) + rng.normal(0, reacts, (1, images))
        x = image + own + rng.normal(0, 0.08, (seeds, images))
        made.append(Group((("setting", str(i)),), names, ((Path(),),) * seeds, x))
    return made


def test_the_interval_of_one_seed_is_that_of_its_images():
    x = np.random.default_rng(0).normal(0.7, 0.2, (1, 30))
    found = interval(x)
    low, high = stats.t.interval(0.95, 29, x.mean(), stats.sem(x[0]))
    assert (found.low, found.high, found.over) == (pytest.approx(low), pytest.approx(high), "images")
    other = interval(x.T)
    assert (other.low, other.over) == (pytest.approx(low), "seeds")


def test_the_parts_are_those_of_an_analysis_of_variance():
    x = np.random.default_rng(1).normal(0, 1, (3, 7)) + np.arange(7)
    # Sums of squares, written out cell by cell.
    mean = x.mean()
    rows = sum((x[r].mean() - mean) ** 2 for r in range(3) for _ in range(7)) / 2
    columns = sum((x[:, c].mean() - mean) ** 2 for c in range(7) for _ in range(3)) / 6
    rest = sum((x[r, c] - x[r].mean() - x[:, c].mean() + mean) ** 2 for r in range(3) for c in range(7)) / (
        2 * 6
    )
    parts = intervals.parts(x)
    assert parts.seeds == pytest.approx(rows / 21)
    assert parts.images == pytest.approx((columns - rest) / 21)
    assert (parts.seeds_freedom, parts.images_freedom, parts.over) == (2, 6, "seeds and images")


def test_p_and_interval_agree():
    parts = intervals.parts(np.random.default_rng(2).normal(0.02, 0.1, (4, 30)))
    half = parts.half(0.05)
    assert parts.p(half) == pytest.approx(0.05)
    assert parts.p(-0.5 * half) > 0.05 > parts.p(1.5 * half)
    assert parts.p(0.0) == 1.0
    one = intervals.parts(np.random.default_rng(3).normal(0, 1, (1, 12)))
    t = 0.4 / math.sqrt(one.images)
    assert one.p(0.4) == pytest.approx(2 * stats.t.sf(t, 11))
    assert math.isnan(intervals.NOTHING.p(0.1))


def test_intervals_without_enough_repetitions():
    assert math.isnan(interval(np.array([[0.5]])).low)
    assert interval(np.array([[0.5]])).over == "nothing"
    same = interval(np.full((3, 4), 0.5))
    assert (same.mean, same.low, same.high) == (0.5, 0.5, 0.5)
    assert math.isnan(interval(np.empty((2, 0))).mean)
    assert math.isnan(intervals.bootstrap(np.array([[0.5]]))[0])
    assert intervals.unpaired_parts(np.ones((1, 1)), np.ones((2, 1))).over == "nothing"
    assert intervals.unpaired_parts(np.eye(3)[:1], np.eye(3)).over == "nothing"
    assert intervals.unpaired_parts(np.eye(3)[:1], np.eye(3)[1:2]).over == "images"


def test_the_bootstrap_is_that_of_resampled_rows_and_columns():
    x = np.random.default_rng(6).normal(0, 1, (6, 15))
    rng, means = np.random.default_rng(7), []
    for _ in range(3000):
        rows, columns = rng.integers(0, 6, 6), rng.integers(0, 15, 15)
        means.append(x[np.ix_(rows, columns)].mean())
    np.testing.assert_allclose(intervals.bootstrap(x), np.percentile(means, [2.5, 97.5]), atol=0.03)


def test_one_repetition_against_many_names_nobody():
    rng = np.random.default_rng(0)
    one, many = _study(rng, 1, 1, 0.0)[0], _study(rng, 20, 1, 0.0)[0]
    far = Group((("setting", "far"),), ((("seed", "99"),),), one.runs, one.scores + 5.0)
    (found,) = versus([(far, many)])
    assert (found.p_seeds, found.smallest_p, found.significant) == (1.0, 1.0, False)
    assert math.isnan(found.difference.low)
    assert math.isnan(found.p_both)
    assert found.difference.mean == pytest.approx(far.scores.mean() - many.scores.mean())


@pytest.mark.parametrize("settings", [1, 3])
def test_an_interval_that_leaves_out_0_and_its_p_agree(settings):
    """Also of several settings: their intervals hold all at once, as their p values do."""
    rng, both = np.random.default_rng(11), set()
    for gain in np.linspace(0.0, 0.08, 25):
        base, *others = _study(rng, 6, settings, 0.02)
        better = [Group(o.label, o.repetitions, o.runs, o.scores + gain) for o in others]
        for one in versus([(group, base) for group in better]):
            out = one.difference.low > 0 or one.difference.high < 0
            assert out == (one.p_both < 0.05)
            both.add(out)
    assert both == {True, False}


def test_intervals_of_several_settings_hold_all_at_once():
    rng, missed = np.random.default_rng(12), 0
    for _ in range(250):
        base, *others = _study(rng, 6, 4, 0.05)
        found = versus([(group, base) for group in others])
        missed += any(not one.difference.low <= 0 <= one.difference.high for one in found)
    assert missed / 250 <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 250)
