"""The common options that act on finished weights: least and largest share."""

from typing import Any

from keras import ops

from dmf_cli.errors import ConfigError

Tensor = Any


def check_room(floor: float, ceiling: float, n_terms: int) -> None:
    """Raise ``ConfigError`` unless ``n_terms`` shares within the bounds can sum to 1."""
    if floor > ceiling:
        reason = f"and weighting.ceiling is {ceiling}"
        raise ConfigError(key="weighting.floor", value=floor, reason=reason, allowed="a smaller floor")
    terms = f"{n_terms} terms with a share of that or"
    if floor * n_terms > 1.0 + 1e-6:
        hint = f"{terms} more exceed the total; give {1 / n_terms:.3g} or less"
        raise ConfigError(key="weighting.floor", value=floor, hint=hint)
    if ceiling * n_terms < 1.0 - 1e-6:
        hint = f"{terms} less stay below the total; give {1 / n_terms:.3g} or more"
        raise ConfigError(key="weighting.ceiling", value=ceiling, hint=hint)


def project(shares: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """The nearest ``(n,)`` with low <= w <= high and the sum 1 to ``shares`` of sum 1 (least squares).

    It is clip(shares + shift, low, high) with the one shift that gives the sum. The sum grows with the
    shift, piecewise linearly with a corner where a share meets a bound: between the two corners around 1
    the shift is interpolated, so that no iteration is needed.
    """
    corners = ops.concatenate([low - shares, high - shares])
    sums = ops.sum(ops.clip(shares[None, :] + corners[:, None], low[None, :], high[None, :]), axis=1)
    below = sums <= 1.0
    left = ops.max(ops.where(below, corners, -2.0))
    right = ops.min(ops.where(below, 2.0, corners))
    at_left = ops.sum(ops.clip(shares + left, low, high))
    at_right = ops.sum(ops.clip(shares + right, low, high))
    gap = at_right - at_left
    step = ops.where(gap > 0.0, (1.0 - at_left) / ops.where(gap > 0.0, gap, 1.0), 0.0)
    return ops.clip(shares + left + step * (right - left), low, high)
