"""The mean over classes, where a class may be undefined."""

import numpy as np
from numpy.typing import ArrayLike


def mean_over_classes(values: ArrayLike) -> np.ndarray:
    """Mean over the last axis of the classes that are defined; NaN where none is.

    A class that an image neither has nor is predicted to have is undefined there (NaN). It is
    excluded from the mean of that image: it does not count as 0, nor as 1.

    Args:
        values: ``(..., classes)``, a score of each class above 0.

    Example:
        >>> mean_over_classes(np.array([[0.8, np.nan], [0.6, 0.2], [np.nan, np.nan]])).tolist()
        [0.8, 0.4, nan]
    """
    scores = np.asarray(values, np.float64)
    defined = ~np.isnan(scores)
    count = defined.sum(axis=-1)
    total = np.where(defined, scores, 0.0).sum(axis=-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
