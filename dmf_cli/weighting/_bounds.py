"""The common options that act on finished weights: least and largest share."""

from typing import Any

from keras import ops

from dmf_cli.errors import ConfigError
from dmf_cli.weighting._parameters import number

Tensor = Any


def check_bounds(floor: float, ceiling: float) -> None:
    """Raise ``ConfigError`` for bounds that no weights could satisfy, however many there are."""
    number("floor", floor, 0.0, 1.0)
    number("ceiling", ceiling, 0.0, 1.0, above=True)
    if floor > ceiling:
        raise ConfigError(
            f"weighting.floor is {floor} and weighting.ceiling {ceiling}: the floor must not be above it"
        )


def check_room(floor: float, ceiling: float, n_terms: int) -> None:
    """Raise ``ConfigError`` unless ``n_terms`` shares within the bounds can sum to 1."""
    if floor * n_terms > 1.0 + 1e-6:
        raise ConfigError(
            f"weighting.floor is {floor}: {n_terms} terms with a share of that or more exceed the total; "
            f"give {1 / n_terms:.3g} or less"
        )
    if ceiling * n_terms < 1.0 - 1e-6:
        raise ConfigError(
            f"weighting.ceiling is {ceiling}: {n_terms} terms with a share of that or less stay below the "
            f"total; give {1 / n_terms:.3g} or more"
        )


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
