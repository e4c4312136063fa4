"""Lovász: the convex extension of the Jaccard index, on sorted errors."""

from keras import ops

from dmf_cli.losses._inputs import Tensor, prepare
from dmf_cli.losses._sums import present_weights, scored, weighted_mean
from dmf_cli.ops.reduce import running, total
from dmf_cli.parts import loss
from dmf_cli.ranges import Absent, ClassWeights, Pool


@loss
def lovasz(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    pool: Pool = "sample",
    background: bool = True,
    class_weights: ClassWeights = None,
    absent: Absent = "zero",
) -> Tensor:
    """Lovász-softmax loss, sum_i e_i (J_i - J_(i-1)) of each class, then the mean.

    e are the errors |g - p| of the pixels, largest first, and J_i the Jaccard loss if the first i pixels
    were wrong and no other. Equal to the Jaccard loss for probabilities of 0 and 1.

    Args:
        y_true: one-hot labels, ``(batch, *spatial, classes)``.
        y_pred: probabilities of the same shape. One channel: the errors of its probabilities (the
            hinge of Lovász needs logits).
        pool: pixels of each sample are sorted, or those of the whole batch.
        background: keep channel 0 in the mean (a lone sigmoid channel is always kept).
        class_weights: one number a channel for a weighted mean over classes.
        absent: a class without a pixel is excluded from the mean (``"zero"``), as in the paper, or counts
            with its largest error. A lone channel always counts.

    Returns:
        A scalar in [0, 1]. On an empty lone channel it is the largest probability: one pixel has a
        gradient.

    Raises:
        ConfigError: shapes that do not belong together, a parameter out of range.

    Source: Berman et al., CVPR 2018 (arXiv 1705.08790).

    Example:
        >>> y, p = [[[1.0, 0.0], [0.0, 1.0]]], [[[0.75, 0.25], [0.0, 1.0]]]
        >>> round(float(lovasz(y, p)), 4)  # class 0: 0.25, class 1: 0.25 / 2
        0.1875
    """
    y_true, y_pred = prepare(y_true, y_pred)
    absent = "count" if y_pred.shape[-1] == 1 else absent
    y_true, y_pred, weights = scored(y_true, y_pred, background, class_weights)
    truth = _rows(y_true, pool)
    errors = ops.abs(truth - _rows(y_pred, pool))
    order = ops.argsort(-ops.stop_gradient(errors), axis=-1)
    increments = _jaccard_increments(ops.take_along_axis(truth, order, axis=-1))
    loss = total(ops.take_along_axis(errors, order, axis=-1) * increments, (2,))
    return weighted_mean(loss, present_weights(total(truth, (2,)), weights, absent))


def _rows(tensor: Tensor, pool: Pool) -> Tensor:
    """``(batch, *spatial, classes)`` as ``(batch, classes, pixels)``; the batch is 1 for "batch"."""
    batch = 1 if pool == "batch" else ops.shape(tensor)[0]
    return ops.transpose(ops.reshape(tensor, (batch, -1, tensor.shape[-1])), (0, 2, 1))


def _jaccard_increments(truth: Tensor) -> Tensor:
    """What each further wrong pixel adds to the Jaccard loss 1 - I / U, for labels in order of the errors.

    From pixel to pixel U grows by 1 - g and I falls by g, so I / U falls by (g U + (1 - g) I) / (U U'). The
    difference of two losses would be mostly rounding: an increment is as small as 1 / pixels.
    """
    whole, passed = total(truth, (2,))[..., None], running(truth)
    places = ops.arange(1, ops.shape(truth)[-1] + 1, dtype="float32")
    left, union = ops.maximum(whole - passed, 0.0), ops.maximum(whole + (places - passed), 1e-7)
    before = ops.maximum(union - (1.0 - truth), 1e-7)
    later = (truth * union + (1.0 - truth) * left) / (before * union)
    # Of an absent class the first pixel makes U, and all of the loss.
    first = 1.0 - left[..., :1] / union[..., :1]
    return ops.stop_gradient(ops.concatenate([first, later[..., 1:]], axis=-1))
