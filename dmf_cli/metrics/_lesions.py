"""Detection: lesions are connected components, each of which is found or not."""

import dataclasses
from typing import Literal

import numpy as np

from dmf_cli import parameters
from dmf_cli.metrics._ratio import ratio
from dmf_cli.parts import metric
from dmf_cli.ranges import Fraction

Connectivity = Literal[1, 2]


@dataclasses.dataclass(frozen=True)
class Lesions:
    """Connected components of truth and prediction, as int64 arrays of any common shape.

    Args:
        lesions: in the truth.
        found: of these, covered by the prediction.
        predicted: in the prediction.
        false: of these, not covered by the truth.
    """

    lesions: np.ndarray
    found: np.ndarray
    predicted: np.ndarray
    false: np.ndarray

    def pooled(self, axis: int = 0) -> "Lesions":
        """Added up over images."""
        return Lesions(*(np.asarray(part).sum(axis=axis) for part in dataclasses.astuple(self)))


def lesions(
    truth: np.ndarray, prediction: np.ndarray, *, connectivity: Connectivity = 2, overlap: Fraction = 0.0
) -> Lesions:
    """The components of two masks of one image.

    A component is covered if more than the share ``overlap`` of its pixels is inside the other mask. So at
    0 one common pixel will do, and one predicted component can find several lesions.

    Args:
        truth: mask of any number of axes; everything that is not 0 is inside.
        prediction: mask of the same shape.
        connectivity: 1: pixels are neighbours if they share a side (4 in 2-D); 2: a corner too (8 in 2-D).
        overlap: in [0, 1).

    Raises:
        ConfigError: an option out of range.

    Example:
        >>> found = lesions(np.array([[1, 0, 1]]), np.array([[1, 0, 0]]))
        >>> int(found.lesions), int(found.found), int(found.false)
        (2, 1, 0)
    """
    parameters.check(lesions, {"connectivity": connectivity, "overlap": overlap}, "metrics.")
    truth, prediction = np.asarray(truth) != 0, np.asarray(prediction) != 0
    there, covered = _covered(truth, prediction, connectivity, overlap)
    predicted, right = _covered(prediction, truth, connectivity, overlap)
    return Lesions(*(np.asarray(n, np.int64) for n in (there, covered, predicted, predicted - right)))


@metric(better="high")
def lesion_sensitivity(components: Lesions) -> np.ndarray:
    """Lesion-wise sensitivity: how many of the lesions were found at least in part.

    Range [0, 1], 1 is best. NaN for an image without a lesion. Pooled: of all lesions of all images.

    Source: Maier-Hein et al., Nat. Methods 21 (2024) 195 (per-lesion detection); components by SciPy.
    """
    return ratio(components.found, components.lesions)


@metric(better="low")
def lesion_fp(components: Lesions) -> np.ndarray:
    """False positives per image: predicted components that touch no lesion.

    Range [0, inf), 0 is best, defined for every image; the mean over images is the x axis of a FROC curve.

    Source: Bunch et al., Proc. SPIE 127 (1977) 124 (free-response ROC); components by SciPy.
    """
    return np.asarray(components.false, np.float64)


def lesion_confusion(
    truth: np.ndarray,
    prediction: np.ndarray,
    classes: int,
    *,
    connectivity: Connectivity = 2,
    overlap: Fraction = 0.0,
) -> np.ndarray:
    """As which class each lesion was predicted: ``(classes, classes)`` int64, truth in the rows.

    Lesions are the components of each class above 0. One is missed (column 0) unless more than the share
    ``overlap`` of its pixels is predicted as any class above 0; else it counts as the class that most of
    these pixels have, the first of equals. Row 0 counts the predicted components of each class that are no
    lesion: not more than that share of them lies in a lesion of any class. ``[0, 0]`` is 0: background has
    no components.

    Args:
        truth: label map of any number of axes, values in [0, classes).
        prediction: the same shape and values.
        classes: number of classes, background included.
        connectivity: see :func:`lesions`; so is ``overlap``.

    Raises:
        ConfigError: an option out of range.

    Example:
        >>> lesion_confusion(np.array([1, 1, 0, 2]), np.array([2, 2, 0, 0]), 3).tolist()
        [[0, 0, 0], [0, 0, 1], [1, 0, 0]]
    """
    parameters.check(lesions, {"connectivity": connectivity, "overlap": overlap}, "metrics.")
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    confusion = np.zeros((classes, classes), np.int64)
    for c in range(1, classes):
        for inside in _shares(truth == c, prediction, classes, connectivity):
            missed = inside[1:].sum() <= overlap * inside.sum()
            confusion[c, 0 if missed else 1 + np.argmax(inside[1:])] += 1
        for inside in _shares(prediction == c, truth, classes, connectivity):
            confusion[0, c] += inside[1:].sum() <= overlap * inside.sum()
    return confusion


def _components(mask: np.ndarray, connectivity: int) -> tuple[np.ndarray, int]:
    """Numbers from 1 on in the components of ``mask``, and how many there are."""
    from scipy import ndimage

    structure = ndimage.generate_binary_structure(mask.ndim, min(connectivity, mask.ndim))
    labels, n = ndimage.label(mask, structure)
    return labels, int(n)


def _shares(mask: np.ndarray, labels: np.ndarray, classes: int, connectivity: int) -> np.ndarray:
    """``(components of mask, classes)``: how many pixels of each component have each label."""
    if not mask.any():
        return np.zeros((0, classes), np.int64)
    numbers, n = _components(mask, connectivity)
    pairs = (numbers[mask].astype(np.int64) - 1) * classes + labels[mask]
    return np.bincount(pairs, minlength=n * classes).reshape(n, classes)


def _covered(mask: np.ndarray, other: np.ndarray, connectivity: int, overlap: float) -> tuple[int, int]:
    """Components of ``mask``, and how many of them ``other`` covers."""
    labels, n = _components(mask, connectivity)
    size = np.bincount(labels.ravel(), minlength=n + 1)[1:]
    common = np.bincount(labels[other], minlength=n + 1)[1:]
    return n, int(np.sum(common > overlap * size))
