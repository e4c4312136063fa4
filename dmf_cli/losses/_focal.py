"""Focal loss: cross-entropy in which pixels that are right already weigh little."""

from keras import ops

from dmf_cli.losses._inputs import Tensor, prepare
from dmf_cli.losses._pixel import EPSILON, binary_mean, categorical_mean, safe_log
from dmf_cli.parts import loss
from dmf_cli.ranges import ClassWeights, Focus, Share


def modulated_log(p: Tensor, gamma: float) -> Tensor:
    """(1-p)^gamma log p, at most 0; value and slope finite on all of [0, 1], for any gamma >= 0."""
    return ops.power(ops.maximum(1.0 - p, EPSILON), gamma) * safe_log(p)


@loss
def focal(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    gamma: Focus = 2.0,
    alpha: Share | None = None,
    binary: bool = False,
    class_weights: ClassWeights = None,
) -> Tensor:
    """Focal loss, the mean over pixels of -alpha_t (1 - p_t)^gamma log p_t.

    p_t is the probability of the true class: sum_c over its one-hot label on a softmax head; p or 1-p
    for foreground and background on one channel. gamma = 0 is cross-entropy.

    Args:
        y_true: one-hot (or soft) labels, ``(batch, *spatial, classes)``.
        y_pred: probabilities of the same shape.
        gamma: >= 0, how much pixels that are right are played down.
        alpha: weight in [0, 1] of every foreground class, the background has 1 - alpha; None: 1 for all.
        binary: each channel of several as a binary problem (several sigmoids), and the mean over
            channels too.
        class_weights: for a weighted mean, as in :func:`dmf_cli.losses.ce` (``binary``:
            :func:`dmf_cli.losses.bce`).

    Returns:
        A scalar >= 0. A class that is absent from ``y_true`` contributes through the probability that
        is taken from the present ones, on one channel and for ``binary`` as ordinary negatives.

    Raises:
        ConfigError: shapes that do not belong together, a parameter out of range.

    Source: Lin et al., Focal Loss for Dense Object Detection, ICCV 2017 (arXiv 1708.02002).

    Example:
        >>> round(float(focal([[[1.0]]], [[[0.5]]])), 4)  # 0.25 log 2
        0.1733
    """
    y_true, y_pred = prepare(y_true, y_pred)
    channels = y_pred.shape[-1]
    if binary or channels == 1:
        front, back = (1.0, 1.0) if alpha is None else (alpha, 1.0 - alpha)
        positive = front * y_true * modulated_log(y_pred, gamma)
        negative = back * (1.0 - y_true) * modulated_log(1.0 - y_pred, gamma)
        return -binary_mean(positive, negative, y_true, class_weights)
    loss = y_true * modulated_log(y_pred, gamma)
    if alpha is not None:
        loss = loss * ops.convert_to_tensor([1.0 - alpha] + [alpha] * (channels - 1), dtype="float32")
    return -categorical_mean(loss, y_true, class_weights)
