"""Is a difference more than chance? Tests of repetitions and of images, and what they can say at all.

Permutation tests are written out. ``scipy.stats.permutation_test`` of the absolute difference gives the same
exact p for pairs but takes 6 to 85 times as long, and misses regroupings whose t differs by rounding only.
"""

import dataclasses
import functools
import itertools
import math
from collections.abc import Sequence

import numpy as np
from scipy import special, stats

from dmf_cli.comparison.intervals import NOTHING, Parts

ALPHA, POWER = 0.05, 0.8
MOST = 20_000  # exact permutations that are enumerated; beyond, as many are drawn
MANY = 1000  # seeds; what takes more is not going to be done
TIE = 1e-12  # differences below are rounding


def wilcoxon(differences: np.ndarray) -> float:
    """Two-sided Wilcoxon signed-rank test over images; 1 if no difference is left, NaN without images."""
    values = np.asarray(differences, np.float64)
    if not len(values):
        return math.nan
    values = np.where(np.abs(values) < TIE, 0.0, values)
    if not values.any():
        return 1.0
    return float(stats.wilcoxon(values, zero_method="wilcox").pvalue)


def paired_permutation(differences: np.ndarray) -> float:
    """Two-sided sign-flip test of paired repetitions: the share of flips at least as extreme.

    Exact up to 14 pairs; of more, :data:`MOST` flips are drawn, see :func:`drawn`.
    """
    values = np.asarray(differences, np.float64)
    signs, added = _signs(len(values)), int(drawn(len(values)))
    extreme = int(np.sum(np.abs(signs @ values) >= abs(values.sum()) - TIE))
    # Of flips that are drawn, the one that was seen is one more.
    return (added + extreme) / (added + len(signs))


def drawn(n: int, other: int | None = None) -> bool:
    """Whether a permutation test of ``n`` pairs, or of ``n`` against ``other``, draws some of its ways."""
    return _ways(n, other) > MOST


def _ways(n: int, other: int | None) -> int:
    return 2**n if other is None else math.comb(n + other, n)


@functools.lru_cache(maxsize=4)
def _signs(n: int) -> np.ndarray:
    """Every way to flip the signs of ``n`` differences, or ``MOST`` of them."""
    if drawn(n):
        return np.random.default_rng(0).choice((1.0, -1.0), (MOST, n))
    return 1.0 - 2.0 * (np.arange(2**n)[:, None] >> np.arange(n) & 1)


def unpaired_permutation(a: np.ndarray, b: np.ndarray) -> float:
    """Two-sided permutation test of two sets of repetitions: the share of regroupings at least as extreme.

    The statistic is Welch's t: sets that differ in spread alone do not count as different (Janssen, Stat.
    Probab. Lett. 36, 1997). 1 if a side has one repetition: nothing is known of its spread.
    """
    pooled, n = np.concatenate([a, b]), len(a)
    if min(n, len(b)) < 2:
        return 1.0
    observed = _welch(pooled[None], n)[0]
    orders = _regroupings(len(pooled), n)
    extreme = int(np.sum(_welch(pooled[orders], n) >= observed * (1 - 1e-9)))
    # Of regroupings that are drawn, the one that was seen is one more.
    added = int(drawn(n, len(b)))
    return (added + extreme) / (added + len(orders))


@functools.lru_cache(maxsize=8)
def _regroupings(total: int, n: int) -> np.ndarray:
    """Orders of ``total`` repetitions, the first ``n`` of which are one side: all, or ``MOST`` of them."""
    if drawn(n, total - n):
        rng = np.random.default_rng(0)
        return np.argsort(rng.random((MOST, total)), axis=1)
    every = set(range(total))
    return np.array(
        [(*chosen, *sorted(every - set(chosen))) for chosen in itertools.combinations(range(total), n)]
    )


def _welch(rows: np.ndarray, n: int) -> np.ndarray:
    """The size of Welch's t of the first ``n`` columns against the others; without any spread infinite."""
    a, b = rows[:, :n], rows[:, n:]
    gap = np.abs(a.mean(axis=1) - b.mean(axis=1))
    error = np.sqrt(a.var(axis=1, ddof=1) / n + b.var(axis=1, ddof=1) / (rows.shape[1] - n))
    return np.where(gap < TIE, 0.0, gap / np.maximum(error, TIE))


def welch(a: np.ndarray, b: np.ndarray) -> float:
    """Two-sided p of two sets of repetitions, each side with a spread and a t of its own (Cochran).

    The permutation test holds its level if the two sets have one distribution; this one if they are normal,
    whatever their spread. NaN if a side has one repetition.
    """
    if min(len(a), len(b)) < 2:
        return math.nan
    sides = [(float(np.var(side, ddof=1)) / len(side), len(side) - 1.0) for side in (a, b)]
    (one, freedom), (other, others) = sides
    return Parts(one, freedom, 0.0, 0.0, other, others).p(float(np.mean(a) - np.mean(b)))


def unpaired(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """The larger p of the two tests above, and the least that so many repetitions can give."""
    parametric = welch(a, b)
    p = unpaired_permutation(a, b)
    return (p if math.isnan(parametric) else max(p, parametric)), smallest_p(len(a), len(b))


def smallest_p(n: int, other: int | None = None) -> float:
    """The smallest p that a permutation test of ``n`` pairs (or of ``n`` against ``other``) can give.

    Where ways are drawn it is that of none of them being as extreme, whatever their true share.
    """
    if other is not None and min(n, other) < 2:
        return 1.0
    if drawn(n, other):
        return 1.0 / (1 + MOST)
    twins = other is None or n == other  # the same difference with the other sign is as extreme
    return min(1.0, (2.0 if twins else 1.0) / _ways(n, other))


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

    NaN with fewer than three repetitions (it has no mean then) or without spread. With few repetitions it is
    large by chance: in studies of equal settings it is beyond 1 in 9 % with three repetitions, in 7 % with
    four, 5 % with five, and 2 % with seven.
    """
    n = len(differences)
    spread = float(np.std(differences, ddof=1)) if n > 2 else 0.0
    if spread < TIE:
        return math.nan
    half = (n - 1) / 2
    correction = math.exp(math.lgamma(half) - math.lgamma(half - 0.5)) / math.sqrt(half)
    return float(np.mean(differences)) / spread * correction


def rank_biserial(differences: np.ndarray) -> float:
    """Matched-pairs rank-biserial correlation: the effect that goes with Wilcoxon's test.

    From -1 (every image lower) over 0 to 1 (every image higher), images weighted by the rank of their
    difference; 0 if no difference is left, NaN without images. Kerby, Compr. Psychol. 3, 2014.
    """
    values = np.asarray(differences, np.float64)
    if not len(values):
        return math.nan
    values = values[np.abs(values) >= TIE]
    if not len(values):
        return 0.0
    ranks = stats.rankdata(np.abs(values))
    return float((np.sign(values) * ranks).sum() / ranks.sum())


def seeds_to_reach(comparisons: int) -> int:
    """Paired seeds from which the test can give .05 at all, after Holm over ``comparisons``.

    More than ``MANY`` where no number of seeds does, as the ways that are drawn are too few.
    """
    return next((n for n in range(1, MANY + 1) if comparisons * smallest_p(n) <= ALPHA), MANY + 1)


def seeds_needed(
    difference: float, by_seed: float, images: Parts = NOTHING, comparisons: int = 1
) -> int | None:
    """Paired seeds with which a true ``difference`` would be found with 80 % power.

    Args:
        difference: to be found; its sign does not matter.
        by_seed: standard deviation of the difference of one pair of seeds.
        images: what the test images add, which more seeds do not take away.
        comparisons: settings that are compared with the baseline.

    Returns:
        the power of the paired t test at .05 / ``comparisons`` stands for that of the permutation test, and
        never fewer than :func:`seeds_to_reach`. None if it takes more than ``MANY``, or more test images.
    """
    size, alpha = abs(difference), ALPHA / comparisons
    if not size > TIE or math.isnan(by_seed):
        return None
    for n in range(seeds_to_reach(comparisons), MANY + 1):
        parts = dataclasses.replace(images, seeds=by_seed**2 / n, seeds_freedom=n - 1)
        if _power(size, by_seed, n, alpha) >= POWER and reach(size, parts, alpha):
            return n
    return None


def _power(difference: float, spread: float, n: int, alpha: float) -> float:
    """Of the two-sided paired t test; with so few seeds that all must agree, of their agreeing."""
    if spread < TIE:
        return 1.0
    ratio = difference / spread
    agree = float(special.ndtr(ratio)) ** n if alpha / smallest_p(n) < 2 else 1.0
    if ratio * math.sqrt(n) > 30:
        return agree
    power = float(stats.nct.sf(special.stdtrit(n - 1, 1 - alpha / 2), n - 1, ratio * math.sqrt(n)))
    return min(agree, power)


def reach(difference: float, parts: Parts, alpha: float) -> bool:
    """Whether four in five intervals for new seeds and images would leave 0 out."""
    z = float(special.ndtri(POWER))
    return difference >= parts.half(alpha) + z * math.sqrt(parts.total)
