"""Division with a declared value where both sides are 0."""

import math

import numpy as np


def ratio(above: np.ndarray, below: np.ndarray, *, undefined: float | np.ndarray = math.nan) -> np.ndarray:
    """``above / below`` in float64, and ``undefined`` where ``below`` is 0; shapes broadcast."""
    above, below = np.asarray(above, np.float64), np.asarray(below, np.float64)
    return np.where(below == 0, undefined, above / np.where(below == 0, 1.0, below))
