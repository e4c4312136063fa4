"""Lovász: the convex extension of the Jaccard index, on sorted errors."""

from collections.abc import Sequence

from keras import ops

from dmf_cli.losses._common import Absent, Pool, Tensor, choose, prepare
from dmf_cli.losses._sums import present_weights, scored, weighted_mean


def lovasz(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    pool: Pool = "sample",
    background: bool = True,
    class_weights: Sequence[float] | None = None,
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
        absent: a class without a pixel is left out of the mean (``"zero"``), as in the paper, or counts
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
    choose("pool", pool, ("batch", "sample"))
    choose("absent", absent, ("count", "zero"))
    y_true, y_pred = prepare(y_true, y_pred)
    absent = "count" if y_pred.shape[-1] == 1 else absent
    y_true, y_pred, weights = scored(y_true, y_pred, background, class_weights)
    truth = _rows(y_true, pool)
    errors = ops.abs(truth - _rows(y_pred, pool))
    order = ops.argsort(-ops.stop_gradient(errors), axis=-1)
    increments = _jaccard_increments(ops.take_along_axis(truth, order, axis=-1))
    loss = ops.sum(ops.take_along_axis(errors, order, axis=-1) * increments, axis=-1)
    return weighted_mean(loss, present_weights(ops.sum(truth, axis=-1), weights, absent))


def _rows(tensor: Tensor, pool: Pool) -> Tensor:
    """``(batch, *spatial, classes)`` as ``(batch, classes, pixels)``; the batch is 1 for "batch"."""
    batch = 1 if pool == "batch" else ops.shape(tensor)[0]
    return ops.transpose(ops.reshape(tensor, (batch, -1, tensor.shape[-1])), (0, 2, 1))


def _jaccard_increments(truth: Tensor) -> Tensor:
    """What each further wrong pixel adds to the Jaccard loss, for labels in the order of the errors."""
    total = ops.sum(truth, axis=-1, keepdims=True)
    left = total - ops.cumsum(truth, axis=-1)
    union = total + ops.cumsum(1.0 - truth, axis=-1)
    loss = 1.0 - left / ops.maximum(union, 1e-7)
    return ops.stop_gradient(ops.concatenate([loss[..., :1], loss[..., 1:] - loss[..., :-1]], axis=-1))
