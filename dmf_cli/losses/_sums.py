"""Sums over pixels and means over classes, shared by all losses that are a ratio of overlaps."""

import dataclasses
from collections.abc import Sequence

from keras import ops

from dmf_cli.errors import ConfigError
from dmf_cli.losses._inputs import Tensor, without_background
from dmf_cli.ops.reduce import total
from dmf_cli.ranges import Absent, Pool


@dataclasses.dataclass(frozen=True)
class Overlap:
    """Sums of each class, ``(classes,)`` for ``pool="batch"``, else ``(batch, classes)``.

    ``tp`` is sum p g, ``truth`` sum g, ``guess`` sum p (of the squares if asked for); ``weights`` are those
    of the classes in a mean, None if all are equal.
    """

    tp: Tensor
    truth: Tensor
    guess: Tensor
    weights: Tensor | None

    @property
    def fp(self) -> Tensor:
        """Sum p (1 - g)."""
        return self.guess - self.tp

    @property
    def fn(self) -> Tensor:
        """Sum (1 - p) g."""
        return self.truth - self.tp

    def dice(self, smooth: float) -> Tensor:
        """(2 TP + s) / (P + G + s) of each class."""
        return (2.0 * self.tp + smooth) / (self.guess + self.truth + smooth)

    def tversky(self, alpha: float, beta: float, smooth: float) -> Tensor:
        """(TP + s) / (TP + alpha FP + beta FN + s) of each class."""
        return (self.tp + smooth) / (self.tp + alpha * self.fp + beta * self.fn + smooth)

    def mean(self, values: Tensor) -> Tensor:
        """The mean of ``values`` over classes, weighted, then over samples."""
        return weighted_mean(values, self.weights)


def overlap(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    pool: Pool,
    background: bool = True,
    class_weights: Sequence[float] | None = None,
    absent: Absent = "count",
    squared: bool = False,
) -> Overlap:
    """The sums of ``y_true`` and ``y_pred``, ``(batch, *spatial, classes)``, prepared.

    Element by element, not as a matrix product, although that is one pass less: GPUs round the factors
    of a product to 10 bits (TF32).
    """
    y_true, y_pred, weights = scored(y_true, y_pred, background, class_weights)
    axes = pooled_axes(y_pred, pool)
    tp = total(y_true * y_pred, axes)
    truth = total(ops.square(y_true) if squared else y_true, axes)
    guess = total(ops.square(y_pred) if squared else y_pred, axes)
    return Overlap(tp, truth, guess, present_weights(truth, weights, absent))


def scored(
    y_true: Tensor, y_pred: Tensor, background: bool, class_weights: Sequence[float] | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Labels, probabilities and class weights, all without channel 0 unless ``background``."""
    weights = weight_vector(class_weights, y_pred.shape[-1])
    if weights is not None:
        weights = without_background(weights, background)
    return without_background(y_true, background), without_background(y_pred, background), weights


def present_weights(truth: Tensor, weights: Tensor | None, absent: Absent) -> Tensor | None:
    """``weights``, with 0 for a class without a pixel in ``truth`` (its sums) if ``absent`` is "zero"."""
    if absent == "count":
        return weights
    present = ops.cast(truth > 0.0, "float32")
    return present if weights is None else present * weights


def weighted_mean(values: Tensor, weights: Tensor | None) -> Tensor:
    """The mean over the last axis, weighted, then over the rest; 0 where all weights are 0."""
    if weights is None:
        return ops.mean(values)
    sums = ops.sum(weights * values, axis=-1)
    return ops.mean(sums / ops.maximum(ops.sum(weights, axis=-1), 1e-7))


def weight_vector(weights: Sequence[float] | None, classes: int) -> Tensor | None:
    """``weights`` as a float32 vector of ``classes`` values, None for None.

    Raises:
        ConfigError: another count, or no weight above 0.
    """
    if weights is None:
        return None
    given = [float(w) for w in weights]
    if len(given) != classes:
        allowed = f"{classes} numbers, one a class, the background first"
        raise ConfigError(key="class_weights", value=given, allowed=allowed)
    if not any(given):
        raise ConfigError(key="class_weights", value=given, allowed="at least one number above 0")
    return ops.convert_to_tensor(given, dtype="float32")


def pooled_axes(tensor: Tensor, pool: Pool) -> tuple[int, ...]:
    """The axes that ``pool`` sums over: space, and the batch as well for ``"batch"``."""
    return tuple(range(0 if pool == "batch" else 1, len(tensor.shape) - 1))
