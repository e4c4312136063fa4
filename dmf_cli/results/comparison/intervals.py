"""Intervals for a mean over seeds and images, both of which are samples.

Scores form a matrix: one row a repetition (a seed), one column an image. Repetitions share the images, so
the figures of one row are not independent, and neither are those of one column. The variance of the mean
is that of a crossed random-effects model,

    Var = (MS_rows + MS_columns - MS_residual) / (rows * columns),

and its degrees of freedom are Satterthwaite's. A percentile bootstrap over the same two factors covers far
less than it says with the three to five seeds that people can pay for (``scripts/simulate_compare.py``
prints both), and is therefore not what is reported.
"""

import dataclasses
import math

import numpy as np
from scipy import stats

LEVEL = 0.95


@dataclasses.dataclass(frozen=True)
class Interval:
    """A mean with its two-sided 95 % confidence interval; ``low`` and ``high`` are NaN if unknown.

    Args:
        mean: of all scores.
        low: lower end.
        high: upper end.
        over: what was taken as a sample: ``seeds and images``, ``images``, ``seeds`` or ``nothing``.
    """

    mean: float
    low: float
    high: float
    over: str


def interval(scores: np.ndarray) -> Interval:
    """The mean of ``scores`` ``(repetitions, images)`` and its interval.

    NaN scores (an image that does not count in a repetition) are left out of the mean; the spread is
    estimated from the images that count in every repetition.
    """
    scores = np.asarray(scores, np.float64)
    rows = [float(np.nanmean(row)) for row in scores if not np.isnan(row).all()]
    mean = sum(rows) / len(rows) if rows else math.nan
    whole = scores[:, ~np.isnan(scores).any(axis=0)]
    repetitions, images = whole.shape
    if repetitions > 1 and images > 1:
        error, freedom = _crossed(whole)
        over = "seeds and images"
    elif max(repetitions, images) > 1 and min(repetitions, images) == 1:
        error, freedom = float(np.std(whole, ddof=1)) / math.sqrt(whole.size), whole.size - 1.0
        over = "images" if images > 1 else "seeds"
    else:
        return Interval(mean, math.nan, math.nan, "nothing")
    half = error * float(stats.t.ppf(0.5 + LEVEL / 2, freedom)) if error > 0 else 0.0
    return Interval(mean, mean - half, mean + half, over)


def _crossed(scores: np.ndarray) -> tuple[float, float]:
    """Standard error of the mean and its degrees of freedom, rows and columns crossed."""
    rows, columns = scores.shape
    by_row, by_column, mean = scores.mean(axis=1), scores.mean(axis=0), scores.mean()
    residual = scores - by_row[:, None] - by_column[None, :] + mean
    squares = (
        columns * float(np.var(by_row, ddof=1)),
        rows * float(np.var(by_column, ddof=1)),
        float((residual**2).sum()) / ((rows - 1) * (columns - 1)),
    )
    freedoms = (rows - 1, columns - 1, (rows - 1) * (columns - 1))
    # A sum below its largest part is chance: a variance component cannot be negative.
    total = max(squares[0] + squares[1] - squares[2], squares[0], squares[1])
    spread = sum(s**2 / f for s, f in zip(squares, freedoms, strict=True))
    freedom = total**2 / spread if spread > 0 else 1.0
    return math.sqrt(total / (rows * columns)), max(1.0, freedom)
