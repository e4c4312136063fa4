"""Is a difference more than chance? Tests of repetitions and of images, and what they can say at all."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

ALPHA, POWER = 0.05, 0.8
MOST = 20_000  # exact permutations that are enumerated; beyond, as many are drawn
TIE = 1e-12  # differences below are rounding


def wilcoxon(differences: np.ndarray) -> float:
    """Two-sided Wilcoxon signed-rank test over images; 1 if no difference is left, NaN without images."""
    values = np.asarray(differences, np.float64)
    values = values[~np.isnan(values)]
    if not len(values):
        return math.nan
    values = np.where(np.abs(values) < TIE, 0.0, values)
    if not values.any():
        return 1.0
    return float(stats.wilcoxon(values, zero_method="wilcox").pvalue)


def paired_permutation(differences: np.ndarray) -> float:
    """Two-sided exact sign-flip test of paired repetitions: the share of flips at least as extreme."""
    values = np.asarray(differences, np.float64)
    n = len(values)
    if 2**n <= MOST:
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=n)))
        return float(np.mean(np.abs(signs @ values) >= abs(values.sum()) - TIE))
    signs = np.random.default_rng(0).choice((1.0, -1.0), (MOST, n))
    return float((1 + np.sum(np.abs(signs @ values) >= abs(values.sum()) - TIE)) / (MOST + 1))


def unpaired_permutation(a: np.ndarray, b: np.ndarray) -> float:
    """Two-sided permutation test of two sets of repetitions: the share of regroupings at least as extreme."""
    pooled, n = np.concatenate([a, b]), len(a)
    observed = abs(np.mean(a) - np.mean(b))
    total = pooled.sum()

    def extreme(chosen: np.ndarray) -> np.ndarray:
        first = pooled[chosen].sum(axis=1)
        return np.abs(first / n - (total - first) / (len(pooled) - n)) >= observed - TIE

    if math.comb(len(pooled), n) <= MOST:
        return float(np.mean(extreme(np.array(list(itertools.combinations(range(len(pooled)), n))))))
    rng = np.random.default_rng(0)
    drawn = np.argsort(rng.random((MOST, len(pooled))), axis=1)[:, :n]
    return float((1 + np.sum(extreme(drawn))) / (MOST + 1))


def smallest_p(n: int, other: int | None = None) -> float:
    """The smallest p that a permutation test of ``n`` pairs (or of ``n`` against ``other``) can give."""
    if other is None:
        return min(1.0, 2.0 / 2**n)
    ways = math.comb(n + other, n)
    return min(1.0, (2.0 if n == other else 1.0) / ways)


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down correction; NaN stays NaN and does not count."""
    known = sorted((value, i) for i, value in enumerate(p) if not math.isnan(value))
    corrected, largest = [math.nan] * len(p), 0.0
    for rank, (value, i) in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - rank) * value))
        corrected[i] = largest
    return corrected


def effect_size(differences: np.ndarray) -> float:
    """Hedges' g of paired repetitions: mean difference over its standard deviation, small-sample corrected.

    NaN with fewer than two repetitions or without spread.
    """
    n = len(differences)
    spread = float(np.std(differences, ddof=1)) if n > 1 else 0.0
    if spread < TIE:
        return math.nan
    return float(np.mean(differences)) / spread * (1.0 - 3.0 / (4.0 * (n - 1) - 1.0) if n > 2 else 0.5)


def seeds_to_reach(comparisons: int) -> int:
    """Paired seeds from which the exact test can give .05 at all, after Holm over ``comparisons``."""
    return next(n for n in itertools.count(1) if comparisons * smallest_p(n) <= ALPHA)


def seeds_needed(differences: np.ndarray, comparisons: int = 1) -> int | None:
    """Paired seeds with which the observed difference would be found with 80 % power; None if unknown.

    From the normal approximation to the paired t test at .05 / ``comparisons``, and never fewer than
    :func:`seeds_to_reach`.
    """
    values = np.asarray(differences, np.float64)
    if len(values) < 2 or abs(values.mean()) < TIE:
        return None
    z = float(stats.norm.ppf(1 - ALPHA / 2 / comparisons) + stats.norm.ppf(POWER))
    ratio = float(np.std(values, ddof=1)) / abs(float(values.mean()))
    return max(seeds_to_reach(comparisons), math.ceil((z * ratio) ** 2 + z**2 / 8))
