"""Intervals for a mean over seeds and images, both of which are samples.

Scores form a matrix: one row a repetition (a seed), one column an image. Repetitions share the images, so
the figures of one row are not independent, and neither are those of one column. With the mean squares of
the crossed random-effects model, the variance of the mean has a part of the seeds and one of the images,

    MS_rows / (rows * columns)    and    (MS_columns - MS_residual) / (rows * columns),

each known with its own degrees of freedom. There are two usual ways to a half-width from them: one t for
the sum, with Satterthwaite's degrees of freedom, and each part at its own t (Zou & Donner, Statist. Med.
27, 2008),

    t_f * sqrt(seeds + images)    and    sqrt(t_(rows-1)^2 * seeds + t_(columns-1)^2 * images).

With few seeds the first covers too little, as f itself is estimated, and the second too much. Their mean is
taken: 94 to 97 % from three seeds on, 94 to 98 % at two, whichever part is the larger. A percentile bootstrap
over the same two factors falls to 58 %; it is there for those who want it (:func:`bootstrap`).
``scripts/simulate_compare.py`` prints all of them.
"""

import dataclasses
import functools
import math

import numpy as np
from scipy import optimize, special

LEVEL = 0.95
DRAWS = 2000  # of the bootstrap
SMALLEST_P = 1e-9  # below, a p value says no more


@dataclasses.dataclass(frozen=True)
class Parts:
    """What the variance of a mean is made of.

    Args:
        seeds: the part of the repetitions; unpaired: of those of the setting.
        seeds_freedom: degrees of freedom; 0 if there is one repetition and nothing is known of them.
        images: the part of the images.
        images_freedom: degrees of freedom; 0 for one image.
        others: unpaired: the part of the repetitions of the baseline.
        others_freedom: degrees of freedom; 0 where repetitions are paired.
    """

    seeds: float
    seeds_freedom: float
    images: float
    images_freedom: float
    others: float = 0.0
    others_freedom: float = 0.0

    @property
    def over(self) -> str:
        """What was taken as a sample: ``seeds and images``, ``images``, ``seeds`` or ``nothing``."""
        known = (("seeds", self.seeds_freedom), ("images", self.images_freedom))
        return " and ".join(name for name, freedom in known if freedom > 0) or "nothing"

    @property
    def total(self) -> float:
        """The variance of the mean."""
        return self.seeds + self.images + self.others

    def half(self, alpha: float) -> float:
        """Half the width of the two-sided interval that misses with probability ``alpha``."""
        every = (
            (self.seeds, self.seeds_freedom),
            (self.images, self.images_freedom),
            (self.others, self.others_freedom),
        )
        known = [(part, freedom) for part, freedom in every if freedom > 0]
        separate = sum((_t(freedom, alpha) ** 2 * part for part, freedom in known), 0.0)
        if self.others_freedom > 0:
            # Two or three seeds of the noisier side are estimated too poorly for one t of the sum.
            return math.sqrt(separate)
        total = sum(part for part, _ in known)
        spread = sum(part**2 / freedom for part, freedom in known)
        together = _t(total**2 / spread, alpha) ** 2 * total if spread > 0 else 0.0
        return (math.sqrt(separate) + math.sqrt(together)) / 2.0

    def p(self, mean: float) -> float:
        """The alpha at which the interval of ``mean`` just reaches 0; NaN where nothing was sampled."""
        if self.over == "nothing" or math.isnan(mean):
            return math.nan
        if mean == 0:
            return 1.0
        if self.half(SMALLEST_P) <= abs(mean):
            return SMALLEST_P if self.total > 0 else 0.0
        return float(optimize.brentq(lambda alpha: self.half(alpha) - abs(mean), SMALLEST_P, 1.0))


def _t(freedom: float, alpha: float) -> float:
    """Student's t that is exceeded, on either side, with probability ``alpha``."""
    return float(special.stdtrit(freedom, 1.0 - alpha / 2.0))


NOTHING = Parts(0.0, 0.0, 0.0, 0.0)


@dataclasses.dataclass(frozen=True)
class Interval:
    """A mean with its two-sided 95 % confidence interval; ``low`` and ``high`` are NaN if unknown.

    Args:
        mean: of all scores.
        low: lower end.
        high: upper end.
        parts: what its variance is made of.
    """

    mean: float
    low: float
    high: float
    parts: Parts = NOTHING

    @property
    def over(self) -> str:
        """See :attr:`Parts.over`."""
        return self.parts.over


def interval(scores: np.ndarray) -> Interval:
    """The mean of ``scores`` ``(repetitions, images)``, all of them defined, and its interval."""
    return around(mean_of(scores), parts(scores))


def around(mean: float, of: Parts, comparisons: int = 1) -> Interval:
    """The interval of ``mean``; of several, so wide that all of them hold at once (Bonferroni)."""
    if of.over == "nothing":
        return Interval(mean, math.nan, math.nan)
    half = of.half((1.0 - LEVEL) / comparisons)
    return Interval(mean, mean - half, mean + half, of)


def mean_of(scores: np.ndarray) -> float:
    """Mean of all scores; NaN if there are none."""
    return float(np.mean(scores)) if np.size(scores) else math.nan


def parts(scores: np.ndarray) -> Parts:
    """Variance of the mean of ``scores`` ``(repetitions, images)``, rows and columns crossed."""
    whole = np.asarray(scores, np.float64)
    repetitions, images = whole.shape
    if min(whole.shape) > 1:
        rows, columns, residual = _squares(whole)
        # A variance cannot be negative: less than the residual is chance.
        seen = max(columns - residual, 0.0)
        return Parts(rows / whole.size, repetitions - 1, seen / whole.size, images - 1)
    if whole.size < 2:
        return NOTHING
    variance, freedom = float(np.var(whole, ddof=1)) / whole.size, whole.size - 1
    return Parts(0.0, 0.0, variance, freedom) if images > 1 else Parts(variance, freedom, 0.0, 0.0)


def unpaired_parts(a: np.ndarray, b: np.ndarray) -> Parts:
    """Variance of the difference of two means whose repetitions are others and whose images are the same.

    Each side has a variance of its own over its repetitions. With one repetition on each side nothing is
    known of them, and the images alone count; with one against several nothing is said at all, as whatever
    is known of the several is not known of the one.
    """
    images = a.shape[1]
    least, most = sorted((len(a), len(b)))
    if images < 2 or least < 2 <= most:
        return NOTHING
    shared = float(np.var(a.mean(axis=0) - b.mean(axis=0), ddof=1)) / images
    if most < 2:
        return Parts(0.0, 0.0, shared, images - 1)
    (rows_a, _, rest_a), (rows_b, _, rest_b) = _squares(a), _squares(b)
    seen = max(shared - rest_a / a.size - rest_b / b.size, 0.0)
    return Parts(rows_a / a.size, len(a) - 1, seen, images - 1, rows_b / b.size, len(b) - 1)


def bootstrap(scores: np.ndarray) -> tuple[float, float]:
    """Percentile interval of the mean over resampled repetitions and resampled images; NaN if unknown.

    The usual one, and too narrow with few repetitions: five or six of them cannot be resampled into a
    distribution (see the simulation).
    """
    scores = np.asarray(scores, np.float64)
    if scores.size < 2:
        return math.nan, math.nan
    rows, columns = _shares(*scores.shape)
    means = np.einsum("dr,dr->d", rows, columns @ scores.T)
    low, high = np.percentile(means, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return float(low), float(high)


@functools.lru_cache(maxsize=4)
def _shares(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """How often each row and column is drawn, as shares: the same draws for every setting."""
    rng = np.random.default_rng(0)
    return tuple(rng.multinomial(n, np.full(n, 1 / n), DRAWS) / n for n in (rows, columns))  # type: ignore[return-value]


def _squares(scores: np.ndarray) -> tuple[float, float, float]:
    """Mean squares of rows, columns and residual of a matrix without gaps."""
    rows, columns = scores.shape
    by_row, by_column, mean = scores.mean(axis=1), scores.mean(axis=0), scores.mean()
    residual = scores - by_row[:, None] - by_column[None, :] + mean
    return (
        columns * float(np.var(by_row, ddof=1)),
        rows * float(np.var(by_column, ddof=1)),
        float((residual**2).sum()) / ((rows - 1) * (columns - 1)),
    )
