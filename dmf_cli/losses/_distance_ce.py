"""Cross-entropy that weighs pixels near the true border more."""

from keras import ops

from dmf_cli.losses._distance import truth_map, unsigned
from dmf_cli.losses._inputs import Tensor, prepare
from dmf_cli.losses._pixel import safe_log
from dmf_cli.ops.reduce import pixel_mean
from dmf_cli.parts import loss
from dmf_cli.ranges import Exponent, NotNegative


@loss
def distance_ce(
    y_true: Tensor,
    y_pred: Tensor,
    distance: Tensor = None,
    *,
    weight: NotNegative = 1.0,
    exponent: Exponent = 1.0,
) -> Tensor:
    """Distance-weighted cross-entropy, the mean of -sum_c (1 + w phi_c) g_c log p_c over pixels.

    phi is the inverted distance map of the truth: 1 at the border, falling linearly to 1 / D at the pixel
    that is farthest from it (D pixels), inside and outside each by itself.

    Args:
        y_true: one-hot (or soft) labels, ``(batch, *spatial, classes)``; above 0.5 is inside.
        y_pred: probabilities of the same shape; one channel is taken as [1-p, p].
        distance: signed distances of ``y_true``, see :func:`dmf_cli.losses.boundary`; computed here if None.
        weight: w >= 0; a pixel at the border weighs 1 + w, and 0 gives plain cross-entropy.
        exponent: > 0, of phi; above 1 the weight is closer around the border.

    Returns:
        A scalar >= 0, at most 1 + w times :func:`dmf_cli.losses.ce`; 0 at a perfect match. Where a class
        has no border in a sample, phi is 0 and its pixels weigh 1.

    Raises:
        ConfigError: shapes that do not belong together, a parameter out of range.

    Source: Caliva et al., MIDL 2019 (arXiv 1908.03679), (1 + phi) CE; it does not say how phi is scaled. The
    code of Ma et al., Med. Image Anal. 71 (2021) 102035 takes (D - d) / D, 0 for a lesion one pixel wide;
    here it is (D - d + 1) / D.

    Example:
        >>> y, p = [[[1.0], [0.0], [0.0]]], [[[0.5], [0.5], [0.5]]]
        >>> round(float(distance_ce(y, p)) / 0.693147, 4)  # weights 2, 2 and 1.5
        1.8333
    """
    y_true, y_pred = prepare(y_true, y_pred)
    inside = y_true > 0.5
    away = unsigned(truth_map(y_true, distance), inside)
    gain = 1.0 + weight * _inverted(away, inside) ** exponent
    loss = -y_true * safe_log(y_pred)
    if y_pred.shape[-1] == 1:
        loss = loss - (1.0 - y_true) * safe_log(1.0 - y_pred)
    return pixel_mean(gain * loss)


def _inverted(away: Tensor, inside: Tensor) -> Tensor:
    """1 at the border, 1 / D at the farthest pixel of the same side; 0 without a border."""
    axes = tuple(range(1, len(away.shape) - 1))
    deepest = ops.max(ops.where(inside, away, 0.0), axis=axes, keepdims=True)
    farthest = ops.max(ops.where(inside, 0.0, away), axis=axes, keepdims=True)
    most = ops.where(inside, deepest, farthest)
    return ops.where(away > 0.0, (most - away + 1.0) / ops.maximum(most, 1.0), 0.0)


distance_ce.needs = ("distance",)  # type: ignore[attr-defined]
