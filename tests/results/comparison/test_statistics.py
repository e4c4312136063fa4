"""Intervals that cover what they say, tests that name no false winner."""

import math

import numpy as np
import pytest
from scipy import stats

from dmf_cli.results.comparison import significance
from dmf_cli.results.comparison.intervals import interval

STUDIES = 2000


@pytest.mark.parametrize(("seeds", "images"), [(3, 60), (5, 40), (10, 100)])
@pytest.mark.parametrize("spread", [(0.03, 0.01, 0.01), (0.005, 0.25, 0.1), (0.02, 0.25, 0.1)], ids=str)
def test_intervals_cover_93_to_97_percent(spread, seeds, images):
    rng, hits = np.random.default_rng(1), 0
    for _ in range(STUDIES):
        scores = rng.normal(0, spread[0], (seeds, 1)) + rng.normal(0, spread[1], (1, images))
        found = interval(scores + rng.normal(0, spread[2], (seeds, images)))
        hits += found.low <= 0 <= found.high
    assert 0.93 <= hits / STUDIES <= 0.97


@pytest.mark.parametrize("strategies", [1, 3])
@pytest.mark.parametrize("seeds", [3, 6, 8])
def test_false_winners_among_equal_strategies_are_at_most_5_percent(seeds, strategies):
    rng, false = np.random.default_rng(2), 0
    for _ in range(STUDIES):
        means = rng.normal(0, 1, (strategies + 1, seeds))
        p = [significance.paired_permutation(row - means[0]) for row in means[1:]]
        false += min(significance.holm(p)) <= significance.ALPHA
    assert false / STUDIES <= 0.05 + 1.65 * math.sqrt(0.05 * 0.95 / STUDIES)
    if seeds == 3:
        assert false == 0


def test_the_interval_of_one_seed_is_that_of_its_images():
    x = np.random.default_rng(0).normal(0.7, 0.2, (1, 30))
    found = interval(x)
    low, high = stats.t.interval(0.95, 29, x.mean(), stats.sem(x[0]))
    assert (found.low, found.high, found.over) == (pytest.approx(low), pytest.approx(high), "images")


def test_intervals_without_enough_to_go_on():
    assert math.isnan(interval(np.array([[0.5]])).low)
    assert interval(np.array([[0.5]])).over == "nothing"
    same = interval(np.full((3, 4), 0.5))
    assert (same.mean, same.low, same.high) == (0.5, 0.5, 0.5)
    assert math.isnan(interval(np.full((2, 3), np.nan)).mean)


def test_permutation_tests_by_hand():
    assert significance.paired_permutation(np.array([1.0, 2.0, 3.0])) == 2 / 8
    assert significance.paired_permutation(np.array([1.0, -1.0])) == 1.0
    # 3 and 4 against 1 and 2: two of the six ways to choose two are as extreme.
    assert significance.unpaired_permutation(np.array([3.0, 4.0]), np.array([1.0, 2.0])) == pytest.approx(
        2 / 6
    )
    many = np.random.default_rng(0).normal(1, 1, 40)
    assert significance.paired_permutation(many) < 0.001
    assert significance.unpaired_permutation(many, many - 3) < 0.001


def test_the_unpaired_test_is_scipys():
    a, b = np.random.default_rng(3).normal(0, 1, (2, 5))
    scipys = stats.permutation_test((a, b), lambda x, y: x.mean() - y.mean(), n_resamples=np.inf)
    assert significance.unpaired_permutation(a, b) == pytest.approx(scipys.pvalue, abs=1e-12)


def test_smallest_p_and_the_seeds_it_takes():
    assert [significance.smallest_p(n) for n in (1, 3, 6)] == [1.0, 0.25, 2 / 64]
    assert significance.smallest_p(3, 3) == 2 / 20
    assert [significance.seeds_to_reach(k) for k in (1, 3, 5)] == [6, 7, 8]
    assert significance.seeds_needed(np.array([0.1, 0.1 + 1e-6, 0.1 - 1e-6])) == 6
    assert significance.seeds_needed(np.array([0.1, -0.08, 0.02])) > 50
    assert significance.seeds_needed(np.array([0.1])) is None


def test_holm_and_effect_size():
    np.testing.assert_allclose(significance.holm([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06])
    np.testing.assert_allclose(significance.holm([0.01, math.nan]), [0.01, math.nan])
    x = np.array([0.1, 0.2, 0.3, 0.2])
    assert significance.effect_size(x) == pytest.approx(x.mean() / x.std(ddof=1) * (1 - 3 / 11))
    assert math.isnan(significance.effect_size(np.array([0.1])))


def test_wilcoxon_ignores_images_without_a_pair():
    assert significance.wilcoxon(np.array([np.nan, np.nan])) != significance.wilcoxon(np.zeros(3)) == 1.0
    values = np.array([0.1, np.nan, 0.3, -0.05, 0.2, 0.12])
    assert significance.wilcoxon(values) == pytest.approx(stats.wilcoxon(values[~np.isnan(values)]).pvalue)
