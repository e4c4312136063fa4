"""What is known of lesions in general: one piece, without holes. Each step is used only if it helps.

Largest component and cross-validation as the judge: Isensee et al., nnU-Net, Nat. Methods 18 (2021) 203.
"""

from collections.abc import Sequence

import numpy as np

STANDARD_ERRORS = 2.0
CHANGED = 5  # images, at least: all of five rising by chance has a probability of 1 in 32


def keep_largest(labels: np.ndarray) -> np.ndarray:
    """A label map ``(H, W)`` in which each class above 0 keeps its largest component; the rest is background.

    Pixels with a common side or corner are neighbours, as for the scores of lesions. Of components of one
    size the first from the top stays.

    Example:
        >>> keep_largest(np.array([[1, 0, 1, 1]])).tolist()
        [[0, 0, 1, 1]]
    """
    from scipy import ndimage  # slow to import

    kept = np.zeros_like(labels)
    for c in _classes(labels):
        numbers, _ = ndimage.label(labels == c, np.ones((3,) * labels.ndim))
        sizes = np.bincount(numbers.ravel())
        kept[numbers == 1 + np.argmax(sizes[1:])] = c
    return kept


def fill_holes(labels: np.ndarray) -> np.ndarray:
    """A label map ``(H, W)`` without holes: background that a class encloses gets this class.

    A class that lies in another one stays; a hole in both belongs to the inner one. What touches the edge
    of the image, if only by a side of a pixel, is no hole.

    Example:
        >>> fill_holes(np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]])).tolist()
        [[1, 1, 1], [1, 1, 1], [1, 1, 1]]
    """
    from scipy import ndimage

    filled = labels.copy()
    solid = {c: ndimage.binary_fill_holes(labels == c) for c in _classes(labels)}
    for c in sorted(solid, key=lambda c: solid[c].sum()):
        filled[solid[c] & (filled == 0)] = c
    return filled


def is_better(plain: Sequence[float], cleaned: Sequence[float]) -> bool:
    """Whether the Dice of validation images rises clearly.

    That is: it changes for five of them or more, and rises on average by more than two standard errors. One
    image never suffices, however much it gains: where all others stay as they are, the mean of the
    differences is exactly one standard error.

    Args:
        plain: Dice of each image without the step; NaN where undefined.
        cleaned: with it, of the same images in the same order. An image that is undefined in one of them
            does not count.

    Example:
        >>> is_better([0.5] * 9, [0.9] + [0.5] * 8)
        False
        >>> is_better([0.5] * 9, [0.6] * 5 + [0.5] * 4)
        True
    """
    differences = np.asarray(cleaned, np.float64) - np.asarray(plain, np.float64)
    differences = differences[np.isfinite(differences)]
    if np.count_nonzero(differences) < CHANGED:
        return False
    error = differences.std(ddof=1) / np.sqrt(len(differences))
    return bool(differences.mean() > STANDARD_ERRORS * error)


def _classes(labels: np.ndarray) -> list[int]:
    return [int(c) for c in np.unique(labels) if c]
