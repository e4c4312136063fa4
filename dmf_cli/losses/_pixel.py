"""Losses that are a mean over pixels."""

from keras import ops

from dmf_cli.losses._common import Tensor, prepare, within

EPSILON = 1e-7


def safe_log(p: Tensor) -> Tensor:
    """log p for p in [0, 1], finite at 0, exactly 0 at 1.

    The shift (instead of a clip) keeps a gradient for a pixel that is wrong with certainty: a clipped
    one has none and can never be corrected. The bound below 0 is for probabilities that a rounding
    has put outside of [0, 1] (1 - p is -1e-7 at times, and its log would be NaN).
    """
    return ops.log((ops.maximum(p, -0.5 * EPSILON) + EPSILON) / (1.0 + EPSILON))


def _smooth(y_true: Tensor, amount: float, classes: int) -> Tensor:
    within("label_smoothing", amount, 0.0 <= amount < 1.0, "a number from 0 to below 1")
    return y_true * (1.0 - amount) + amount / classes if amount else y_true


def bce(y_true: Tensor, y_pred: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """Binary cross-entropy, the mean of -(g log p + (1-g) log(1-p)) over pixels and channels.

    Args:
        y_true: one-hot (or soft) labels, ``(batch, *spatial, classes)``.
        y_pred: probabilities of the same shape.
        label_smoothing: in [0, 1); labels become ``g (1-s) + s/2``.

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
    y_true, y_pred = prepare(y_true, y_pred)
    y_true = _smooth(y_true, label_smoothing, 2)
    return -ops.mean(y_true * safe_log(y_pred) + (1.0 - y_true) * safe_log(1.0 - y_pred))


def ce(y_true: Tensor, y_pred: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """Categorical cross-entropy, the mean of -sum_c g_c log p_c over pixels.

    Args:
        y_true: one-hot (or soft) labels, ``(batch, *spatial, classes)``.
        y_pred: probabilities of the same shape.
        label_smoothing: in [0, 1); labels become ``g (1-s) + s/classes``.

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
        return bce(y_true, y_pred, label_smoothing=label_smoothing)
    y_true = _smooth(y_true, label_smoothing, y_pred.shape[-1])
    return -ops.mean(ops.sum(y_true * safe_log(y_pred), axis=-1))
