"""Tversky: overlap losses in which false positives and false negatives weigh differently."""

from collections.abc import Sequence

from keras import ops

from dmf_cli.losses._inputs import Tensor, prepare
from dmf_cli.losses._sums import Overlap, overlap
from dmf_cli.parts import loss
from dmf_cli.ranges import Absent, ClassWeights, Exponent, NotNegative, Pool, Positive


@loss
def tversky(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    alpha: NotNegative = 0.3,
    beta: NotNegative = 0.7,
    pool: Pool = "sample",
    smooth: Positive = 1e-5,
    background: bool = True,
    class_weights: ClassWeights = None,
    absent: Absent = "count",
) -> Tensor:
    """Tversky loss, 1 - (TP + s) / (TP + alpha FP + beta FN + s).

    ``alpha`` weighs false positives and ``beta`` false negatives, as in the paper (Keras 3.15.1 has them
    the other way round). alpha = beta = 0.5 is Dice with half its smooth, 1 is IoU. The asymmetric
    similarity loss F_beta of Hashemi et al. (arXiv 1803.11078) is alpha = 1 / (1 + b^2),
    beta = b^2 / (1 + b^2).

    Args:
        y_true: one-hot labels, ``(batch, *spatial, classes)``.
        y_pred: probabilities of the same shape.
        alpha: >= 0, weight of false positives.
        beta: >= 0, weight of false negatives.
        pool: see :func:`dmf_cli.losses.dice`, like all that follow.
        smooth: s > 0, added to numerator and denominator.
        background: keep channel 0.
        class_weights: one number a channel.
        absent: a class without a pixel counts, or has weight zero.

    Returns:
        A scalar in [0, 1]. Absent classes behave as in :func:`dmf_cli.losses.dice`.

    Raises:
        ConfigError: shapes that do not belong together, a parameter out of range.

    Source: Salehi et al., MLMI 2017 (arXiv 1706.05721).

    Example:
        >>> missed = tversky([[[1.0], [1.0]]], [[[1.0], [0.0]]])
        >>> round(float(missed), 3)  # 1 - 1 / (1 + 0.7)
        0.412
    """
    index, sums = _index(y_true, y_pred, alpha, beta, pool, smooth, background, class_weights, absent)
    return sums.mean(1.0 - index)


@loss
def focal_tversky(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    alpha: NotNegative = 0.3,
    beta: NotNegative = 0.7,
    gamma: Exponent = 4 / 3,
    pool: Pool = "sample",
    smooth: Positive = 1e-5,
    background: bool = True,
    class_weights: ClassWeights = None,
    absent: Absent = "count",
) -> Tensor:
    """Focal Tversky loss, (1 - TI)^(1/gamma) of each class, then the mean.

    Below 1e-4 the power goes over into a straight line to 0: its slope, infinite at a perfect match,
    stays bounded. gamma > 1 weighs small losses more, gamma < 1 large ones.

    Args:
        y_true: one-hot labels, ``(batch, *spatial, classes)``.
        y_pred: probabilities of the same shape.
        alpha: >= 0, weight of false positives.
        beta: >= 0, weight of false negatives.
        gamma: > 0; some code calls 1 / gamma gamma.
        pool: see :func:`dmf_cli.losses.dice`, like all that follow.
        smooth: s > 0, added to numerator and denominator.
        background: keep channel 0.
        class_weights: one number a channel.
        absent: a class without a pixel counts, or has weight zero.

    Returns:
        A scalar in [0, 1]. Absent classes behave as in :func:`dmf_cli.losses.dice`.

    Raises:
        ConfigError: shapes that do not belong together, a parameter out of range.

    Source: Abraham & Khan, ISBI 2019 (arXiv 1810.07842).

    Example:
        >>> missed = focal_tversky([[[1.0], [1.0]]], [[[1.0], [0.0]]])
        >>> round(float(missed), 3)  # 0.412 ** 0.75
        0.514
    """
    index, sums = _index(y_true, y_pred, alpha, beta, pool, smooth, background, class_weights, absent)
    return sums.mean(bounded_power(1.0 - index, 1.0 / gamma))


def _index(
    y_true: Tensor,
    y_pred: Tensor,
    alpha: float,
    beta: float,
    pool: Pool,
    smooth: float,
    background: bool,
    class_weights: Sequence[float] | None,
    absent: Absent,
) -> tuple[Tensor, Overlap]:
    """The Tversky index of each class, and the sums it is made of."""
    y_true, y_pred = prepare(y_true, y_pred)
    sums = overlap(
        y_true, y_pred, pool=pool, background=background, class_weights=class_weights, absent=absent
    )
    return sums.tversky(alpha, beta, smooth), sums


def bounded_power(x: Tensor, exponent: float, linear: float = 1e-4) -> Tensor:
    """x^exponent from ``linear`` on, and the straight line to 0 below it.

    An exponent below 1 alone has an infinite slope at 0: rounding of 1e-7 would become a loss of 0.1,
    and the gradient of a perfect match infinite.
    """
    power = ops.power(ops.maximum(x, linear), exponent)
    return ops.where(x >= linear, power, linear ** (exponent - 1.0) * x)
