"""Top-k loss: cross-entropy of the worst pixels only."""

from typing import Annotated

from annotated_types import Interval
from keras import ops

from dmf_cli.losses._inputs import Tensor, prepare
from dmf_cli.losses._pixel import safe_log, smooth_labels
from dmf_cli.ops import void
from dmf_cli.ops.reduce import total
from dmf_cli.parts import loss
from dmf_cli.ranges import Fraction, Pool


@loss
def topk(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    k: Annotated[float, Interval(gt=0, le=100)] = 10.0,
    pool: Pool = "batch",
    label_smoothing: Fraction = 0.0,
) -> Tensor:
    """Top-k loss, the mean cross-entropy of the worst k per cent of the pixels (at least one).

    Pixels that tie at the threshold share the gradient, so that their order does not matter.

    Args:
        y_true: one-hot (or soft) labels, ``(batch, *spatial, classes)``.
        y_pred: probabilities of the same shape.
        k: per cent, in (0, 100]; 100 is :func:`dmf_cli.losses.ce`.
        pool: the worst pixels of the whole batch, or of each sample, then the mean over samples.
        label_smoothing: see :func:`dmf_cli.losses.ce`.

    Returns:
        A scalar >= :func:`dmf_cli.losses.ce`. Absent classes behave as there.

    Raises:
        ConfigError: shapes that do not belong together, a parameter out of range.

    Source: Wu et al., Bridging Category-level and Instance-level Semantic Image Segmentation, 2016
    (arXiv 1605.06885), with a share instead of their threshold.

    Example:
        >>> y, p = [[[1.0], [1.0]]], [[[1.0], [0.5]]]
        >>> round(float(topk(y, p)), 4), round(float(topk(y, p, k=100)), 4)  # log 2, and half of it
        (0.6931, 0.3466)
    """
    y_true, y_pred = prepare(y_true, y_pred)
    loss = pixel_cross_entropy(y_true, y_pred, label_smoothing)
    rows = ops.reshape(loss, (1, -1) if pool == "batch" else (ops.shape(loss)[0], -1))
    return ops.mean(_mean_of_largest(rows, k / 100.0))


def pixel_cross_entropy(y_true: Tensor, y_pred: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Cross-entropy of each pixel, ``(batch, *spatial)``; binary on one channel."""
    channels = y_pred.shape[-1]
    y_true = smooth_labels(y_true, label_smoothing, max(2, channels))
    loss = y_true * safe_log(y_pred)
    if channels == 1:
        loss = loss + (1.0 - y_true) * safe_log(1.0 - y_pred)
    return -ops.sum(loss, axis=-1)


def _counted(rows: Tensor) -> Tensor:
    """How many pixels of each row count, ``(rows,)``; the others have a loss of 0."""
    valid = void.mask()
    if valid is None:
        return ops.full((ops.shape(rows)[0],), ops.cast(ops.shape(rows)[1], "float32"))
    return total(ops.reshape(valid, ops.shape(rows)), (1,))


def _mean_of_largest(rows: Tensor, fraction: float) -> Tensor:
    """The mean of the largest ``fraction`` of each row ``(rows, n)``."""
    n = ops.shape(rows)[1]
    exact = _counted(rows) * fraction + 1e-3  # 57 % of 100 pixels is 56.999996 in float32
    count = ops.maximum(ops.cast(exact, "int32"), 1)
    # Only the threshold comes from sorting: nothing is differentiated through it.
    ordered = ops.sort(ops.stop_gradient(rows), axis=1)
    threshold = ops.take_along_axis(ordered, (n - count)[:, None], axis=1)
    above, tie = ops.cast(rows > threshold, "float32"), ops.cast(rows == threshold, "float32")
    count = ops.cast(count, "float32")
    part = (count - total(above, (1,))) / total(tie, (1,))
    # Products instead of a selection: a NaN is not larger than anything and would be ignored.
    return (total(above * rows, (1,)) + part * total(tie * rows, (1,))) / count
