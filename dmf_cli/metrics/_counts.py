"""Confusion matrices and the four counts that every overlap metric is a ratio of."""

import dataclasses

import numpy as np

from dmf_cli.errors import DatasetError


@dataclasses.dataclass(frozen=True)
class Counts:
    """Pixels of one structure against the rest, as int64 arrays of any common shape.

    Metrics work elementwise: counts of shape ``(images,)`` give one value an image. Adding up the
    counts before the ratio is what "pooled" means, see :meth:`pooled`.

    Args:
        tp: in the structure, and predicted so.
        fp: predicted, but outside.
        fn: inside, but not predicted.
        tn: outside, and predicted so.
    """

    tp: np.ndarray
    fp: np.ndarray
    fn: np.ndarray
    tn: np.ndarray

    @property
    def truth(self) -> np.ndarray:
        """Pixels of the structure in the truth."""
        truth: np.ndarray = self.tp + self.fn
        return truth

    @property
    def predicted(self) -> np.ndarray:
        """Pixels of the structure in the prediction."""
        predicted: np.ndarray = self.tp + self.fp
        return predicted

    @property
    def total(self) -> np.ndarray:
        """All pixels."""
        total: np.ndarray = self.tp + self.fp + self.fn + self.tn
        return total

    def pooled(self, axis: int = 0) -> "Counts":
        """Counts added up over the images, so that a large lesion weighs more than a small one."""
        return Counts(*(getattr(self, name).sum(axis=axis) for name in ("tp", "fp", "fn", "tn")))

    def complement(self) -> "Counts":
        """The same pixels seen from everything outside the structure."""
        return Counts(tp=self.tn, fp=self.fn, fn=self.fp, tn=self.tp)

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.tn + other.tn)

    def __getitem__(self, key: object) -> "Counts":
        return Counts(*(getattr(self, name)[key] for name in ("tp", "fp", "fn", "tn")))


def confusion(truth: np.ndarray, prediction: np.ndarray, classes: int) -> np.ndarray:
    """How often each class was predicted as each: ``(classes, classes)`` int64, truth in the rows.

    Args:
        truth: integer label map of any shape, values in [0, classes).
        prediction: the same shape and values.
        classes: number of classes, background included.

    Raises:
        DatasetError: maps of different shapes, or a label outside the classes.

    Example:
        >>> confusion(np.array([0, 1, 1]), np.array([0, 0, 1]), 2).tolist()
        [[1, 0], [1, 1]]
    """
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    if truth.shape != prediction.shape:
        reason = f"has shape {truth.shape} and prediction {prediction.shape}"
        raise DatasetError(key="truth", reason=reason, allowed="label maps of one size")
    for kind, labels in (("truth", truth), ("prediction", prediction)):
        _check_labels(kind, labels, classes)
    pairs = truth.ravel().astype(np.int64) * classes + prediction.ravel().astype(np.int64)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def class_counts(matrix: np.ndarray) -> Counts:
    """Each class against the rest: confusion matrices ``(..., classes, classes)`` give ``(..., classes)``."""
    tp = np.diagonal(matrix, axis1=-2, axis2=-1)
    fp, fn = matrix.sum(axis=-2) - tp, matrix.sum(axis=-1) - tp
    return Counts(tp, fp, fn, matrix.sum(axis=(-2, -1))[..., None] - tp - fp - fn)


def foreground_counts(matrix: np.ndarray) -> Counts:
    """The union of all classes above 0 as one structure: ``(..., classes, classes)`` give ``(...)``.

    A lesion pixel with the wrong lesion class is right here: the scores of the classes show that mistake.
    """
    return Counts(
        tp=matrix[..., 1:, 1:].sum(axis=(-2, -1)),
        fp=matrix[..., 0, 1:].sum(axis=-1),
        fn=matrix[..., 1:, 0].sum(axis=-1),
        tn=matrix[..., 0, 0],
    )


def _check_labels(kind: str, labels: np.ndarray, classes: int) -> None:
    """Integers in [0, classes), or a ``DatasetError``."""
    if labels.dtype != bool and not np.issubdtype(labels.dtype, np.integer):
        reason = f"has values of type {labels.dtype}"
        raise DatasetError(key=kind, reason=reason, allowed="an integer label map")
    if labels.size and (labels.min() < 0 or labels.max() >= classes):
        bad = int(labels.min() if labels.min() < 0 else labels.max())
        hint = f"labels are 0 to {classes - 1} for {classes} classes"
        raise DatasetError(key=kind, reason=f"has the label {bad}", hint=hint)
