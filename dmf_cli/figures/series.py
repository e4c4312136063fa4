"""Arithmetic on the values of a line: gaps, moving means, and whether an axis is logarithmic."""

from collections.abc import Sequence

import numpy as np

MANY_STEPS = 400  # from here on, lines of single steps are a mist that needs a mean
WIDE = 30  # from this ratio of the largest to the smallest value on, an axis is logarithmic


def finite(values: Sequence[float] | np.ndarray) -> np.ndarray:
    """As an array, with NaN for infinity: a gap in a line."""
    array = np.asarray(values, np.float64)
    return np.where(np.isfinite(array), array, np.nan)


def known(*series: np.ndarray) -> np.ndarray:
    """All finite values of ``series`` in one array."""
    values = np.concatenate(series) if series else np.empty(0)
    return values[np.isfinite(values)]


def wide(*series: np.ndarray) -> bool:
    """Whether a linear axis would hide the small values."""
    values = known(*series)
    return bool(len(values) and values.min() > 0 and values.max() / values.min() >= WIDE)


def window(steps: int) -> int:
    """How many of ``steps`` values are averaged; 1 where each can be seen."""
    return steps // 100 if steps >= MANY_STEPS else 1


def moving_mean(values: np.ndarray, window: int) -> np.ndarray:
    """Mean of the last ``window`` values (of fewer at the start) that are finite."""
    finite = np.isfinite(values)
    sums, counts = np.cumsum(np.where(finite, values, 0.0)), np.cumsum(finite).astype(float)
    for total in (sums, counts):
        total[window:] -= total[:-window].copy()
    means: np.ndarray = np.divide(sums, counts, out=np.full(len(values), np.nan), where=counts > 0)
    return means


def still(rows: np.ndarray) -> int:
    """How many steps, from the first on, had the weights of the first; 0 when they never move.

    Args:
        rows: ``(terms, steps)``.
    """
    same = np.all(np.isclose(rows, rows[:, :1], rtol=1e-6, atol=1e-9), axis=0)
    start = int(np.argmin(same))
    return start if start > 1 else 0
