"""Losses that are a mean over pixels."""

from collections.abc import Sequence

from keras import ops

from dmf_cli.losses._inputs import Tensor, prepare
from dmf_cli.losses._sums import weight_vector, weighted_mean
from dmf_cli.ops.reduce import average, pixel_mean, size, total
from dmf_cli.ops.void import only_valid, others
from dmf_cli.parts import loss
from dmf_cli.ranges import ClassWeights, Fraction

EPSILON = 1e-7


def safe_log(p: Tensor) -> Tensor:
    """log p for p in [0, 1], finite at 0, exactly 0 at 1.

    The shift (instead of a clip) keeps a gradient for a pixel that is wrong with certainty: a clipped
    one has none and can never be corrected. The bound below 0 is for probabilities that a rounding
    has put outside of [0, 1] (1 - p is -1e-7 at times, and its log would be NaN).
    """
    return ops.log((ops.maximum(p, -0.5 * EPSILON) + EPSILON) / (1.0 + EPSILON))


def smooth_labels(y_true: Tensor, amount: float, classes: int) -> Tensor:
    """Labels g (1 - amount) + amount / classes."""
    return y_true * (1.0 - amount) + only_valid(amount / classes) if amount else y_true


def categorical_mean(loss: Tensor, y_true: Tensor, class_weights: Sequence[float] | None) -> Tensor:
    """The mean over pixels of ``loss`` ``(..., classes)``, what each class of ``y_true`` adds.

    With weights sum w g l / sum w g, as in PyTorch: only ratios of weights matter.
    """
    weights = weight_vector(class_weights, loss.shape[-1])
    if weights is None:
        return pixel_mean(loss)
    return total(weights * loss) / ops.maximum(total(weights * y_true), EPSILON)


def binary_mean(
    positive: Tensor, negative: Tensor, y_true: Tensor, class_weights: Sequence[float] | None
) -> Tensor:
    """The mean over pixels and channels of what foreground and background add, ``(..., classes)`` each.

    On one channel the two weights are of background and foreground, else there is one a channel.
    """
    weights = weight_vector(class_weights, max(2, positive.shape[-1]))
    if weights is None:
        return average(positive + negative)
    if positive.shape[-1] == 1:
        weight = weights[1] * y_true + weights[0] * others(y_true)
        loss = weights[1] * positive + weights[0] * negative
        return total(loss) / ops.maximum(total(weight), EPSILON)
    each = total(positive + negative, range(len(positive.shape) - 1))
    return weighted_mean(each, weights) / (size(positive) / positive.shape[-1])


@loss
def bce(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    label_smoothing: Fraction = 0.0,
    class_weights: ClassWeights = None,
) -> Tensor:
    """Binary cross-entropy, the mean of -(g log p + (1-g) log(1-p)) over pixels and channels.

    Args:
        y_true: one-hot (or soft) labels, ``(batch, *spatial, classes)``.
        y_pred: probabilities of the same shape.
        label_smoothing: in [0, 1); labels become ``g (1-s) + s/2``.
        class_weights: for a weighted mean: one number a channel; on one channel two, of background and
            foreground. Only their ratios matter.

    Returns:
        A scalar >= 0. On a softmax head each channel is taken as a binary problem and the mean runs
        over channels too. Absent classes are ordinary negatives.

    Raises:
        ConfigError: shapes that do not belong together, a parameter out of range.

    Source: negative log-likelihood of binary labels.

    Example:
        >>> float(bce([[[1.0]]], [[[0.5]]]))  # doctest: +ELLIPSIS
        0.6931...
    """
    return _binary(*prepare(y_true, y_pred), label_smoothing, class_weights)


def _binary(
    y_true: Tensor, y_pred: Tensor, label_smoothing: float, class_weights: Sequence[float] | None
) -> Tensor:
    y_true = smooth_labels(y_true, label_smoothing, 2)
    positive, negative = y_true * safe_log(y_pred), (1.0 - y_true) * safe_log(1.0 - y_pred)
    return -binary_mean(positive, negative, y_true, class_weights)


@loss
def ce(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    label_smoothing: Fraction = 0.0,
    class_weights: ClassWeights = None,
) -> Tensor:
    """Categorical cross-entropy, the mean of -sum_c g_c log p_c over pixels.

    Args:
        y_true: one-hot (or soft) labels, ``(batch, *spatial, classes)``.
        y_pred: probabilities of the same shape.
        label_smoothing: in [0, 1); labels become ``g (1-s) + s/classes``.
        class_weights: one number a class for the weighted mean sum w g l / sum w g; two on one
            channel. Only their ratios matter.

    Returns:
        A scalar >= 0. On one channel (sigmoid) it is :func:`bce`. A class that is absent from
        ``y_true`` contributes through the probability that is taken from the present ones.

    Raises:
        ConfigError: shapes that do not belong together, a parameter out of range.

    Source: negative log-likelihood of class labels.

    Example:
        >>> float(ce([[[0.0, 1.0]]], [[[0.75, 0.25]]]))  # doctest: +ELLIPSIS
        1.386...
    """
    y_true, y_pred = prepare(y_true, y_pred)
    if y_pred.shape[-1] == 1:
        return _binary(y_true, y_pred, label_smoothing, class_weights)
    y_true = smooth_labels(y_true, label_smoothing, y_pred.shape[-1])
    return -categorical_mean(y_true * safe_log(y_pred), y_true, class_weights)
