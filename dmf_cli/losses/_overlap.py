"""Losses that are one minus a ratio of pooled overlaps.

TP = sum p g, P = sum p, G = sum g, so FP = P - TP and FN = G - TP; the sums run over space
(``pool="sample"``) or over space and batch (``pool="batch"``), the mean over what is left.
"""

from keras import ops

from dmf_cli.losses._inputs import Tensor, prepare
from dmf_cli.losses._sums import overlap
from dmf_cli.parts import loss
from dmf_cli.ranges import Absent, ClassWeights, Pool, Positive


@loss
def dice(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    pool: Pool = "sample",
    smooth: Positive = 1e-5,
    background: bool = True,
    squared: bool = False,
    class_weights: ClassWeights = None,
    absent: Absent = "count",
) -> Tensor:
    """Soft Dice loss, 1 - (2 TP + s) / (P + G + s).

    Args:
        y_true: one-hot (or soft) labels, ``(batch, *spatial, classes)``.
        y_pred: probabilities of the same shape.
        pool: ``"sample"``: a ratio per sample and class, then their mean; ``"batch"``: a ratio per
            class over the whole batch, then the mean over classes.
        smooth: s > 0, added to numerator and denominator.
        background: keep channel 0 in the mean (a lone sigmoid channel is always kept).
        squared: p^2 and g^2 in the denominator, as in V-Net; the form for soft labels, for which p = g
            is not the minimum of the other.
        class_weights: one number a channel, the background first, for a weighted mean over classes.
        absent: a class without a pixel is scored like any other (``"count"``) or excluded from the mean
            (``"zero"``), of its sample or of the batch.

    Returns:
        A scalar in [0, 1]. With ``absent="count"`` an absent class that is not predicted gives 0, one
        that is predicted nearly 1, on a lone foreground channel with almost no gradient. With ``"zero"``
        a sample (or batch) without any class that counts gives 0.

    Raises:
        ConfigError: shapes that do not belong together, a parameter out of range.

    Source: Milletari et al., V-Net, 2016 (arXiv 1606.04797).

    Example:
        >>> round(float(dice([[[0.0], [1.0]]], [[[0.0], [1.0]]])), 6)
        0.0
    """
    y_true, y_pred = prepare(y_true, y_pred)
    sums = overlap(
        y_true,
        y_pred,
        pool=pool,
        background=background,
        class_weights=class_weights,
        absent=absent,
        squared=squared,
    )
    return sums.mean(1.0 - sums.dice(smooth))


@loss
def iou(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    pool: Pool = "sample",
    smooth: Positive = 1e-5,
    background: bool = True,
    class_weights: ClassWeights = None,
    absent: Absent = "count",
) -> Tensor:
    """Soft IoU (Jaccard) loss, 1 - (TP + s) / (TP + FP + FN + s).

    Args:
        y_true: one-hot labels, ``(batch, *spatial, classes)``.
        y_pred: probabilities of the same shape.
        pool: see :func:`dice`.
        smooth: s > 0, added to numerator and denominator.
        background: see :func:`dice`.
        class_weights: see :func:`dice`.
        absent: see :func:`dice`.

    Returns:
        A scalar in [0, 1], never below :func:`dice`. Absent classes behave as in :func:`dice`.

    Raises:
        ConfigError: shapes that do not belong together, a parameter out of range.

    Source: Rahman & Wang, Optimizing Intersection-Over-Union, ISVC 2016.

    Example:
        >>> round(float(iou([[[1.0], [1.0]]], [[[1.0], [0.0]]])), 4)
        0.5
    """
    y_true, y_pred = prepare(y_true, y_pred)
    sums = overlap(
        y_true, y_pred, pool=pool, background=background, class_weights=class_weights, absent=absent
    )
    return sums.mean(1.0 - (sums.tp + smooth) / (sums.truth + sums.guess - sums.tp + smooth))


@loss
def logcosh_dice(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    pool: Pool = "sample",
    smooth: Positive = 1e-5,
    background: bool = True,
    squared: bool = False,
    class_weights: ClassWeights = None,
    absent: Absent = "count",
) -> Tensor:
    """Log-cosh Dice loss, log cosh of :func:`dice` (of the mean, not of each class).

    About half the square of Dice: its gradient fades as the match gets better.

    Args:
        y_true: one-hot labels, ``(batch, *spatial, classes)``.
        y_pred: probabilities of the same shape.
        pool: see :func:`dice`, like all that follow.
        smooth: s > 0.
        background: keep channel 0.
        squared: p^2 and g^2 in the denominator.
        class_weights: one number a channel.
        absent: a class without a pixel counts, or has weight zero.

    Returns:
        A scalar in [0, log cosh 1 = 0.434]. Absent classes behave as in :func:`dice`.

    Raises:
        ConfigError: shapes that do not belong together, a parameter out of range.

    Source: Jadon, A survey of loss functions for semantic segmentation, 2020 (arXiv 2006.14822).

    Example:
        >>> round(float(logcosh_dice([[[1.0], [1.0]]], [[[0.0], [0.0]]])), 3)
        0.434
    """
    loss = dice(
        y_true,
        y_pred,
        pool=pool,
        smooth=smooth,
        background=background,
        squared=squared,
        class_weights=class_weights,
        absent=absent,
    )
    # cosh x = 1 + 2 sinh^2(x/2): the 1 is not added, so that small losses keep their digits.
    return ops.log1p(2.0 * ops.square(ops.sinh(0.5 * loss)))
