"""Single tests, effects and sample sizes, against SciPy and against sums by hand."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from dmf_cli.comparison import ranks, significance
from dmf_cli.comparison.intervals import Parts


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


def test_the_permutation_tests_are_scipys():
    a, b = np.random.default_rng(3).normal(0, 1, (2, 5))
    kinds = {"independent": significance.unpaired_permutation(a, b)}
    kinds["samples"] = significance.paired_permutation(a - b)
    for kind, p in kinds.items():
        scipys = stats.permutation_test(
            (a, b) if kind == "independent" else (a - b,),
            (lambda x, y: x.mean() - y.mean()) if kind == "independent" else (lambda x: x.mean()),
            permutation_type=kind,
            n_resamples=np.inf,
        )
        assert p == pytest.approx(scipys.pvalue, abs=1e-12), kind


def test_wilcoxon_is_the_count_of_all_signs():
    values = np.array([0.3, -0.1, 0.7, 0.45, 0.2, -0.05, 0.61])
    rank = stats.rankdata(np.abs(values))
    seen = rank[values > 0].sum()
    sums = [
        sum(r for r, sign in zip(rank, s, strict=True) if sign)
        for s in itertools.product((0, 1), repeat=len(rank))
    ]
    middle = rank.sum() / 2
    exact = np.mean([abs(total - middle) >= abs(seen - middle) for total in sums])
    assert significance.wilcoxon(values) == pytest.approx(exact)


def test_wilcoxon_at_the_ends():
    assert math.isnan(significance.wilcoxon(np.array([])))
    assert significance.wilcoxon(np.zeros(3)) == 1.0
    values = np.array([0.1, 0.3, -0.05, 0.2, 0.12])
    assert significance.wilcoxon(values) == pytest.approx(stats.wilcoxon(values).pvalue)


def test_smallest_p_is_what_the_tests_give_at_best():
    assert [significance.smallest_p(n) for n in (1, 3, 6)] == [1.0, 0.25, 2 / 64]
    assert significance.smallest_p(3, 3) == 2 / 20
    assert [significance.seeds_to_reach(k) for k in (1, 3, 5)] == [6, 7, 8]
    for n in range(1, 9):
        assert significance.paired_permutation(np.arange(1.0, n + 1)) == significance.smallest_p(n)
    for n, m in ((2, 3), (3, 3), (1, 4)):
        best = significance.unpaired_permutation(np.arange(n) + 100.0, np.arange(m) + 0.0)
        assert best == pytest.approx(significance.smallest_p(n, m))


def test_the_least_p_of_permutations_that_are_drawn():
    """20,000 of more than a million sign flips cannot show a p of 2 / 2^20."""
    assert [significance.drawn(n) for n in (14, 15)] == [False, True]
    assert [significance.drawn(7, 7), significance.drawn(9, 9)] == [False, True]
    assert significance.smallest_p(14) == 2 / 2**14
    assert significance.smallest_p(20) == significance.smallest_p(10, 10) == 1 / 20_001
    assert significance.paired_permutation(np.arange(1.0, 41.0)) == significance.smallest_p(40)
    assert significance.seeds_to_reach(2000) > significance.MANY


def test_holm():
    np.testing.assert_allclose(significance.holm([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06])
    np.testing.assert_allclose(significance.holm([0.01, math.nan]), [0.01, math.nan])
    assert significance.holm([]) == []


def test_effect_sizes():
    x = np.array([0.1, 0.2, 0.3, 0.2])
    # J of three degrees of freedom is gamma(3/2) / (sqrt(3/2) gamma(1)).
    exact = math.gamma(1.5) / (math.sqrt(1.5) * math.gamma(1.0))
    assert significance.effect_size(x) == pytest.approx(x.mean() / x.std(ddof=1) * exact)
    for few in ([0.1], [0.1, 0.2], [0.1, 0.1, 0.1]):
        assert math.isnan(significance.effect_size(np.array(few)))
    # Ranks 1, 2, 3 of sizes 0.1, 0.2, 0.3: (3 + 2 - 1) / 6.
    assert significance.rank_biserial(np.array([0.3, -0.1, 0.2, 0.0])) == pytest.approx(4 / 6)
    assert significance.rank_biserial(np.array([-0.3, -0.1])) == -1.0
    assert significance.rank_biserial(np.zeros(2)) == 0.0
    assert math.isnan(significance.rank_biserial(np.array([])))


def test_hedges_g_is_not_biased():
    rng = np.random.default_rng(0)
    mean = np.mean([significance.effect_size(rng.normal(0.5, 1.0, 5)) for _ in range(4000)])
    assert mean == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(("difference", "comparisons"), [(1.0, 1), (1.5, 3), (1.9, 1)])
def test_the_seeds_that_are_needed_find_four_in_five(difference, comparisons):
    needed = significance.seeds_needed(difference, 1.0, comparisons=comparisons)
    rng, alpha = np.random.default_rng(1), significance.ALPHA / comparisons
    found = [
        significance.paired_permutation(rng.normal(difference, 1.0, needed)) <= alpha for _ in range(500)
    ]
    assert 0.74 < np.mean(found) < 0.92
    fewer = [
        significance.paired_permutation(rng.normal(difference, 1.0, needed - 1)) <= alpha for _ in range(500)
    ]
    assert np.mean(fewer) < 0.83  # one fewer is hardly enough


def test_seeds_needed_at_the_ends():
    assert significance.seeds_needed(0.1, 1e-9) == significance.seeds_to_reach(1)
    assert significance.seeds_needed(-0.1, 0.01) == significance.seeds_needed(0.1, 0.01)
    assert significance.seeds_needed(1e-3, 0.1) is None  # more than anybody trains
    assert significance.seeds_needed(0.0, 0.1) is None
    assert significance.seeds_needed(0.1, math.nan) is None
    # Images with a standard error of .05 never distinguish .05 from 0, whatever the seeds.
    assert significance.seeds_needed(0.05, 0.01, Parts(0, 0, 0.05**2, 59)) is None
    assert significance.seeds_needed(0.05, 0.01, Parts(0, 0, 0.01**2, 59)) is not None


def test_critical_difference_is_demsars_table():
    # Demsar 2006, table 5a: q at .05 is 1.960, 2.343, 2.569, 2.728 for 2 to 5 classifiers.
    for k, q in ((2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728)):
        assert ranks.critical_difference(k, 30) == pytest.approx(
            q * math.sqrt(k * (k + 1) / (6 * 30)), abs=5e-4
        )


def test_bars_join_what_cannot_be_distinguished():
    assert ranks.cliques([1.0, 1.4, 2.6, 2.9, 4.0], 0.5) == [(1.0, 1.4), (2.6, 2.9)]
    assert ranks.cliques([1.0, 1.4, 1.8], 0.5) == [(1.0, 1.4), (1.4, 1.8)]
    assert ranks.cliques([1.0, 3.0], 0.5) == []
    assert ranks.cliques([1.5, 1.5], 0.5) == [(1.5, 1.5)]
