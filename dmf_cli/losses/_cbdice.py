"""Class-balanced Dice, the loss that the paper adds for rare classes."""

from typing import Literal

from keras import ops

from dmf_cli.losses._inputs import Tensor, prepare, two_channels
from dmf_cli.losses._sums import overlap
from dmf_cli.parts import loss
from dmf_cli.ranges import Pool, Positive


@loss
def cbdice(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    absent: Literal["zero", "max", "reference"] = "zero",
    pool: Pool = "batch",
    eps: Positive = 1e-6,
) -> Tensor:
    """Class-balanced Dice loss, 1 - sum_c w_c Dice_c with w_c proportional to 1 / (f_c + eps).

    f_c is the share of the pixels that belong to class c, so a rare class weighs more. The soft form
    (probabilities): the authors' notebook computes it from argmax and therefore has no gradient.

    Args:
        y_true: one-hot labels, ``(batch, *spatial, classes)``; one channel is taken as [1-g, g].
        y_pred: probabilities of the same shape; one channel is taken as [1-p, p].
        absent: weight of a class without a pixel: ``"zero"`` leaves it out and renormalises,
            ``"max"`` gives it the largest weight of a present class, ``"reference"`` lets
            1/eps take nearly all the weight, as the notebook does.
        pool: ``"batch"``: shares and Dice over the whole batch; ``"sample"``: for each sample.
        eps: > 0, added to the share.

    Returns:
        A scalar in [0, 1]; 0 at a perfect match except for ``absent="reference"`` or ``"max"`` with
        an absent class, whose Dice is 0 by definition. 0 without gradient when no pixel has a label.

    Raises:
        ConfigError: shapes that do not belong together, a parameter out of range.

    Source: Golnari & Diba, Biomed. Signal Process. Control 111 (2026) 108388.

    Example:
        >>> y = [[[1.0, 0.0], [0.0, 1.0]]]
        >>> round(float(cbdice(y, y)), 5)
        0.0
    """
    y_true, y_pred = prepare(y_true, y_pred)
    sums = overlap(two_channels(y_true), two_channels(y_pred), pool=pool)
    weights = _class_weights(sums.truth, absent, eps)
    ratio = 2.0 * sums.tp / (sums.truth + sums.guess + 1e-7)
    return ops.mean(ops.sum(weights * (1.0 - ratio), axis=-1))


def _class_weights(truth: Tensor, absent: str, eps: float) -> Tensor:
    """Normalised class weights from the pixel counts ``(..., classes)``."""
    share = truth / ops.maximum(ops.sum(truth, axis=-1, keepdims=True), 1e-7)
    weights = 1.0 / (share + eps)
    if absent != "reference":
        present = ops.where(share > 0.0, weights, 0.0)
        largest = ops.max(present, axis=-1, keepdims=True)
        weights = present if absent == "zero" else ops.where(share > 0.0, weights, largest)
    # The sum is 0 when no pixel has a label: then nothing is asked for, and the loss is 0.
    return weights / ops.maximum(ops.sum(weights, axis=-1, keepdims=True), 1e-7)
