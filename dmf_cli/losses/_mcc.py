"""Matthews correlation: all four cells of the confusion table."""

from keras import ops

from dmf_cli.losses._inputs import Tensor, prepare
from dmf_cli.losses._sums import pooled_axes, present_weights, scored, weighted_mean
from dmf_cli.ops.reduce import total
from dmf_cli.ops.void import others
from dmf_cli.parts import loss
from dmf_cli.ranges import Absent, ClassWeights, Pool, Positive


@loss
def mcc(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    pool: Pool = "sample",
    smooth: Positive = 1e-5,
    background: bool = True,
    class_weights: ClassWeights = None,
    absent: Absent = "count",
) -> Tensor:
    """Matthews correlation loss, 1 - (TP TN - FP FN) / sqrt((TP+FP) (TP+FN) (TN+FP) (TN+FN)).

    Soft counts of each class against the rest, with s added to TP and to TN: 0 where there is nothing
    and nothing is predicted, about 1 where one of them is empty.

    Args:
        y_true: one-hot labels, ``(batch, *spatial, classes)``.
        y_pred: probabilities of the same shape.
        pool: see :func:`dmf_cli.losses.dice`, like all that follow.
        smooth: s > 0.
        background: keep channel 0 (of two classes it gives the same value as channel 1).
        class_weights: one number a channel.
        absent: a class without a pixel counts, or has weight zero.

    Returns:
        A scalar in [0, 2]: 1 for chance, 2 for a prediction that is all wrong. Absent classes behave as
        in :func:`dmf_cli.losses.dice`.

    Raises:
        ConfigError: shapes that do not belong together, a parameter out of range.

    Source: Abhishek & Hamarneh, ISBI 2021 (arXiv 2010.13454).

    Example:
        >>> y = [[[1.0], [0.0]]]
        >>> round(float(mcc(y, y)), 4), round(float(mcc(y, [[[0.0], [1.0]]])), 3)
        (0.0, 2.0)
    """
    y_true, y_pred = prepare(y_true, y_pred)
    y_true, y_pred, weights = scored(y_true, y_pred, background, class_weights)
    axes = pooled_axes(y_pred, pool)
    tp = total(y_true * y_pred, axes) + smooth
    fp = total((1.0 - y_true) * y_pred, axes)
    fn = total(y_true * (1.0 - y_pred), axes)
    tn = total(others(y_true) * (1.0 - y_pred), axes) + smooth
    # Two roots: the product of four counts of a volume would leave float32.
    size = ops.sqrt((tp + fp) * (tp + fn)) * ops.sqrt((tn + fp) * (tn + fn))
    weights = present_weights(total(y_true, axes), weights, absent)
    return weighted_mean(1.0 - (tp * tn - fp * fn) / size, weights)
