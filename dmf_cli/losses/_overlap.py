"""Losses that are one minus a ratio of pooled overlaps.

TP = sum p g, P = sum p, G = sum g, so FP = P - TP and FN = G - TP; the sums run over space
(``pool="sample"``) or over space and batch (``pool="batch"``), the mean over what is left.
"""

from keras import ops

from dmf_cli.losses._common import Pool, Tensor, pooled_axes, prepare, within, without_background


def dice(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    pool: Pool = "sample",
    smooth: float = 1e-5,
    background: bool = True,
    squared: bool = False,
) -> Tensor:
    """Soft Dice loss, 1 - (2 TP + s) / (P + G + s).

    Args:
        y_true: one-hot labels, ``(batch, *spatial, classes)``.
        y_pred: probabilities of the same shape.
        pool: ``"sample"``: a ratio per sample and class, then their mean; ``"batch"``: a ratio per
            class over the whole batch, then the mean over classes.
        smooth: s > 0, added to numerator and denominator.
        background: keep channel 0 in the mean (a lone sigmoid channel is always kept).
        squared: p^2 and g^2 in the denominator, as in V-Net.

    Returns:
        A scalar in [0, 1]. An absent class that is not predicted gives 0, one that is predicted
        nearly 1; on a lone foreground channel the latter has almost no gradient.

    Raises:
        ConfigError: shapes that do not belong together, a parameter out of range.

    Source: Milletari et al., V-Net, 2016 (arXiv 1606.04797).

    Example:
        >>> round(float(dice([[[0.0], [1.0]]], [[[0.0], [1.0]]])), 6)
        0.0
    """
    within("smooth", smooth, smooth > 0, "a number above 0")
    y_true, y_pred = prepare(y_true, y_pred)
    y_true, y_pred = without_background(y_true, background), without_background(y_pred, background)
    axes = pooled_axes(y_pred, pool)
    overlap = ops.sum(y_true * y_pred, axis=axes)
    power = 2 if squared else 1
    size = ops.sum(y_true**power, axis=axes) + ops.sum(y_pred**power, axis=axes)
    return ops.mean(1.0 - (2.0 * overlap + smooth) / (size + smooth))


def iou(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    pool: Pool = "sample",
    smooth: float = 1e-5,
    background: bool = True,
) -> Tensor:
    """Soft IoU (Jaccard) loss, 1 - (TP + s) / (TP + FP + FN + s).

    Args:
        y_true: one-hot labels, ``(batch, *spatial, classes)``.
        y_pred: probabilities of the same shape.
        pool: see :func:`dice`.
        smooth: s > 0, added to numerator and denominator.
        background: see :func:`dice`.

    Returns:
        A scalar in [0, 1], never below :func:`dice`. Absent classes behave as in :func:`dice`.

    Raises:
        ConfigError: shapes that do not belong together, a parameter out of range.

    Source: Rahman & Wang, Optimizing Intersection-Over-Union, ISVC 2016.

    Example:
        >>> round(float(iou([[[1.0], [1.0]]], [[[1.0], [0.0]]])), 4)
        0.5
    """
    within("smooth", smooth, smooth > 0, "a number above 0")
    y_true, y_pred = prepare(y_true, y_pred)
    y_true, y_pred = without_background(y_true, background), without_background(y_pred, background)
    axes = pooled_axes(y_pred, pool)
    overlap = ops.sum(y_true * y_pred, axis=axes)
    union = ops.sum(y_true, axis=axes) + ops.sum(y_pred, axis=axes) - overlap
    return ops.mean(1.0 - (overlap + smooth) / (union + smooth))
