"""Generalised Dice: one ratio over all classes, a rare class weighing more."""

from typing import Literal

from keras import ops

from dmf_cli.losses._inputs import Tensor, prepare
from dmf_cli.losses._sums import overlap
from dmf_cli.ops.reduce import size
from dmf_cli.parts import loss
from dmf_cli.ranges import NotNegative, Pool, Positive


@loss
def gdice(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    weight: Literal["square", "simple", "uniform"] = "square",
    absent: Literal["max", "zero"] = "max",
    pool: Pool = "sample",
    smooth: Positive = 1e-5,
    background: bool = True,
    penalty: NotNegative = 0.0,
) -> Tensor:
    """Generalised Dice loss, L = 1 - (2 sum_c w_c TP_c + s) / (sum_c w_c (P_c + G_c) + s).

    With ``penalty`` k it is the penalty loss of Yang et al., L / (1 + k (1 - L)): steeper where the
    overlap is poor (there k = 2.5).

    Args:
        y_true: one-hot labels, ``(batch, *spatial, classes)``.
        y_pred: probabilities of the same shape.
        weight: w_c = 1 / G_c^2 (``"square"``), 1 / G_c (``"simple"``) or 1 (``"uniform"``: Dice with all
            classes in one ratio).
        absent: weight of a class without a pixel: the largest of a present class (``"max"``), or none.
        pool: a ratio per sample, then their mean, or one over the whole batch.
        smooth: > 0, added to numerator and denominator: s is this, for ``"square"`` divided by the number
            of pixels of the ratio. There w G is 1 / G, which a fixed s would exceed in large images.
        background: keep channel 0 in the sums (a lone sigmoid channel is always kept).
        penalty: k >= 0.

    Returns:
        A scalar in [0, 1]. A sample without a pixel of any class that is summed (an empty mask on a
        lone channel) gives 0 without gradient, except for ``weight="uniform"``.

    Raises:
        ConfigError: shapes that do not belong together, a parameter out of range.

    Source: Sudre et al., DLMIA 2017 (arXiv 1707.03237); Yang et al., MIDL 2019 (penalty).

    Example:
        >>> y, p = [[[1.0, 0.0], [0.0, 1.0]]], [[[0.5, 0.5], [0.5, 0.5]]]
        >>> round(float(gdice(y, p)), 4), round(float(gdice(y, p, penalty=2.5)), 4)
        (0.5, 0.2222)
    """
    y_true, y_pred = prepare(y_true, y_pred)
    sums = overlap(y_true, y_pred, pool=pool, background=background)
    weights = _weights(sums.truth, weight, absent)
    if weight == "square":
        smooth = smooth / (size(y_true) / size(sums.truth))
    top = 2.0 * ops.sum(weights * sums.tp, axis=-1) + smooth
    loss = 1.0 - top / (ops.sum(weights * (sums.truth + sums.guess), axis=-1) + smooth)
    return ops.mean(loss / (1.0 + penalty * (1.0 - loss)) if penalty else loss)


def _weights(truth: Tensor, weight: str, absent: str) -> Tensor:
    """Class weights from the pixel counts ``(..., classes)``; all 0 where no class has a pixel."""
    if weight == "uniform":
        return ops.ones_like(truth) if absent == "max" else ops.cast(truth > 0.0, "float32")
    inverse = 1.0 / ops.where(truth > 0.0, truth, 1.0)
    inverse = ops.square(inverse) if weight == "square" else inverse
    present = ops.where(truth > 0.0, inverse, 0.0)
    if absent == "zero":
        return present
    return ops.where(truth > 0.0, present, ops.max(present, axis=-1, keepdims=True))
