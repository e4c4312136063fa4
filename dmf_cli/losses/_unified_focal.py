"""Unified focal: focal cross-entropy and focal Tversky with shared parameters."""

from typing import Literal

from keras import ops

from dmf_cli.errors import ConfigError
from dmf_cli.losses._focal import modulated_log
from dmf_cli.losses._inputs import Tensor, prepare, two_channels
from dmf_cli.losses._pixel import safe_log
from dmf_cli.losses._sums import overlap
from dmf_cli.losses._tversky import bounded_power
from dmf_cli.ops.reduce import average, pixel_mean
from dmf_cli.parts import loss
from dmf_cli.ranges import Focus, Pool, Positive, Share


@loss
def unified_focal(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    weight: Share = 0.5,
    delta: Share = 0.6,
    gamma: Focus = 0.5,
    form: Literal["asymmetric", "symmetric"] = "asymmetric",
    pool: Pool = "sample",
    smooth: Positive = 1e-5,
) -> Tensor:
    """Unified focal loss, weight L_mFT + (1 - weight) L_mF.

    L_mFT is the mean over classes of (1 - TI)^(1-gamma), TI the Tversky index with delta on false
    negatives and 1 - delta on false positives (a straight line below 1e-4, see
    :func:`dmf_cli.losses.focal_tversky`). L_mF is the mean over pixels of -d_c (1 - p_t)^gamma log p_t,
    d_c = 1 - delta for the background and delta for every other class.

    Args:
        y_true: one-hot labels, ``(batch, *spatial, classes)``; one channel is taken as [1-g, g].
        y_pred: probabilities of the same shape; one channel is taken as [1-p, p].
        weight: in [0, 1], share of the Tversky part (the paper's lambda; MONAI has it on the other part).
        delta: in [0, 1], weight of the foreground and of false negatives.
        gamma: in [0, 1); with ``weight=0`` any number of 0 or above.
        form: ``"symmetric"``: both exponents for all classes; ``"asymmetric"``: the rare foreground is
            enhanced and the background suppressed: 1 - TI without exponent for the background, the
            modulating factor (1 - p)^gamma for the background only.
        pool: Tversky indices per sample and class, or per class over the whole batch.
        smooth: > 0, in numerator and denominator of the Tversky index.

    Returns:
        A scalar >= 0. In the Tversky part an absent class that is not predicted gives 0, one that is
        predicted nearly 1.

    Raises:
        ConfigError: shapes that do not belong together, a parameter out of range.

    Source: Yeung et al., Comput. Med. Imaging Graph. 95 (2022) 102026 (arXiv 2102.04525).

    Example:
        >>> y = [[[1.0, 0.0], [0.0, 1.0]]]
        >>> round(float(unified_focal(y, y)), 5)
        0.0
    """
    if weight and gamma >= 1:
        raise ConfigError(key="gamma", value=gamma, allowed="a number below 1, or weight=0")
    y_true, y_pred = prepare(y_true, y_pred)
    y_true, y_pred = two_channels(y_true), two_channels(y_pred)
    region = _region(y_true, y_pred, delta, gamma, form, pool, smooth) if weight else 0.0
    return weight * region + (1.0 - weight) * _pixels(y_true, y_pred, delta, gamma, form)


def _region(
    y_true: Tensor, y_pred: Tensor, delta: float, gamma: float, form: str, pool: Pool, smooth: float
) -> Tensor:
    sums = overlap(y_true, y_pred, pool=pool)
    missing = 1.0 - sums.tversky(1.0 - delta, delta, smooth)
    focused = bounded_power(missing, 1.0 - gamma)
    if form == "asymmetric":
        focused = ops.concatenate([missing[..., :1], focused[..., 1:]], axis=-1)
    return ops.mean(focused)


def _pixels(y_true: Tensor, y_pred: Tensor, delta: float, gamma: float, form: str) -> Tensor:
    back, front = modulated_log(y_pred[..., :1], gamma), y_pred[..., 1:]
    front = safe_log(front) if form == "asymmetric" else modulated_log(front, gamma)
    loss = (1.0 - delta) * average(y_true[..., :1] * back)
    return -(loss + delta * pixel_mean(y_true[..., 1:] * front))
