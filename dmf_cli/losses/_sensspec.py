"""Sensitivity-specificity: squared errors of lesion and background, each averaged by itself."""

from keras import ops

from dmf_cli.losses._inputs import Tensor, prepare
from dmf_cli.losses._sums import pooled_axes, present_weights, scored, weighted_mean
from dmf_cli.ops.reduce import total
from dmf_cli.ops.void import others
from dmf_cli.parts import loss
from dmf_cli.ranges import Absent, ClassWeights, Pool, Positive, Share


@loss
def sensspec(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    ratio: Share = 0.05,
    pool: Pool = "sample",
    smooth: Positive = 1e-5,
    background: bool = True,
    class_weights: ClassWeights = None,
    absent: Absent = "count",
) -> Tensor:
    """Sensitivity-specificity loss, r S + (1 - r) N of each class, then the mean.

    S = sum (g-p)^2 g / (sum g + s) is the squared error inside the class, N the same with 1-g outside.

    Args:
        y_true: one-hot labels, ``(batch, *spatial, classes)``.
        y_pred: probabilities of the same shape.
        ratio: r in [0, 1], weight of the sensitivity.
        pool: see :func:`dmf_cli.losses.dice`, like all that follow.
        smooth: s > 0, in the denominators only.
        background: keep channel 0.
        class_weights: one number a channel.
        absent: a class without a pixel counts, or has weight zero.

    Returns:
        A scalar in [0, 1]. Of an absent class that counts, the specificity part is left, with its gradient:
        an empty mask teaches to predict nothing.

    Raises:
        ConfigError: shapes that do not belong together, a parameter out of range.

    Source: Brosch et al., MICCAI 2015, doi 10.1007/978-3-319-24574-4_1.

    Example:
        >>> missed = sensspec([[[1.0], [0.0]]], [[[0.0], [0.0]]])
        >>> round(float(missed), 3)
        0.05
    """
    y_true, y_pred = prepare(y_true, y_pred)
    y_true, y_pred, weights = scored(y_true, y_pred, background, class_weights)
    axes = pooled_axes(y_pred, pool)
    error, rest = ops.square(y_true - y_pred), others(y_true)
    truth = total(y_true, axes)
    inside = total(error * y_true, axes) / (truth + smooth)
    outside = total(error * rest, axes) / (total(rest, axes) + smooth)
    return weighted_mean(ratio * inside + (1.0 - ratio) * outside, present_weights(truth, weights, absent))
