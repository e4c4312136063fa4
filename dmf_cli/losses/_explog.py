"""Exponential-logarithmic loss: powers of logarithms of Dice and of the pixels' probabilities."""

from keras import ops

from dmf_cli.losses._inputs import Tensor, prepare, two_channels
from dmf_cli.losses._pixel import safe_log
from dmf_cli.losses._sums import overlap, weight_vector
from dmf_cli.losses._tversky import bounded_power
from dmf_cli.ops.reduce import pixel_mean, total
from dmf_cli.parts import loss
from dmf_cli.ranges import Absent, ClassWeights, Exponent, NotNegative, Pool, Positive


@loss
def explog(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    dice_weight: NotNegative = 0.8,
    ce_weight: NotNegative = 0.2,
    gamma: Exponent = 0.3,
    pool: Pool = "sample",
    smooth: Positive = 1e-5,
    class_weights: ClassWeights = None,
    absent: Absent = "count",
) -> Tensor:
    """Exponential-logarithmic loss, a mean_c (-log Dice_c)^gamma + b mean_pixels v_t (-log p_t)^gamma.

    p_t is the probability of the pixel's class t and v_t = sqrt(N / N_t) its weight, from the labels of
    the batch (the paper: of the training set). Below 1e-4 the powers are straight lines to 0, see
    :func:`dmf_cli.losses.focal_tversky`. With gamma = 1 and b = 0 it is the mean of -log Dice.

    Args:
        y_true: one-hot labels, ``(batch, *spatial, classes)``.
        y_pred: probabilities of the same shape. Of one channel Dice is that of the foreground, and the
            pixels' part takes it as [1-p, p].
        dice_weight: a >= 0.
        ce_weight: b >= 0.
        gamma: > 0; below 1 it weighs small losses more.
        pool: Dice per sample and class, or per class over the whole batch.
        smooth: > 0, in numerator and denominator of Dice.
        class_weights: v, one number a class (two for one channel), instead of those from the batch.
        absent: a class without a pixel counts in the mean of Dice, or has weight zero.

    Returns:
        A scalar >= 0. An absent class that is predicted gives Dice of about s / P: a large, finite loss.

    Raises:
        ConfigError: shapes that do not belong together, a parameter out of range.

    Source: Wong et al., MICCAI 2018 (arXiv 1809.00076).

    Example:
        >>> y, p = [[[1.0, 0.0], [0.0, 1.0]]], [[[0.5, 0.5], [0.5, 0.5]]]
        >>> round(float(explog(y, p, ce_weight=0.0, gamma=1.0)), 4)  # 0.8 log 2
        0.5545
    """
    y_true, y_pred = prepare(y_true, y_pred)
    sums = overlap(y_true, y_pred, pool=pool, absent=absent)
    region = sums.mean(bounded_power(-ops.log(sums.dice(smooth)), gamma))
    y_true, y_pred = two_channels(y_true), two_channels(y_pred)
    weights = weight_vector(class_weights, y_pred.shape[-1])
    weights = _rarity(y_true) if weights is None else weights
    pixels = pixel_mean(weights * y_true * bounded_power(-safe_log(y_pred), gamma))
    return dice_weight * region + ce_weight * pixels


def _rarity(y_true: Tensor) -> Tensor:
    """sqrt(N / N_c) of each class; 1 pixel is the least that counts."""
    counts = total(y_true, range(len(y_true.shape) - 1))
    return ops.sqrt(ops.sum(counts) / ops.maximum(counts, 1.0))
