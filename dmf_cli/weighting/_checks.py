"""What a strategy's parameters and the losses it is given must satisfy, told in one line."""

import functools
import math
from collections.abc import Callable, Mapping
from numbers import Integral
from typing import TYPE_CHECKING, Any

from dmf_cli.errors import ConfigError

if TYPE_CHECKING:
    from dmf_cli.weighting._base import Strategy


def whole(value: object) -> bool:
    """Whether ``value`` is an integer, of Python or NumPy."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def number(
    name: str,
    value: float,
    low: float,
    high: float = math.inf,
    *,
    above: bool = False,
    below: float = math.inf,
) -> None:
    """Raise ``ConfigError`` unless ``value`` is finite, in [low, high] and under ``below``; with ``above``
    ``low`` itself is not allowed.
    """
    if math.isfinite(value) and low <= value <= high and value < below and not (above and value == low):
        return
    least = f"above {low:g}" if above else f"from {low:g}"
    most = "" if high == math.inf else f" to {high:g}"
    most += "" if below == math.inf else f" to below {below:g}"
    raise ConfigError(f"weighting.{name} is {value}: give a number {least}{most}")


def integer(name: str, value: object, low: int = 1, unit: str = " of steps", hint: str = "") -> None:
    """Raise ``ConfigError`` unless ``value`` is a whole number of ``low`` or more."""
    if not (whole(value) and value >= low):  # type: ignore[operator]
        raise ConfigError(f"weighting.{name} is {value!r}: give a whole number{unit}, {low} or more{hint}")


def choice(name: str, value: object, allowed: tuple[str, ...]) -> None:
    """Raise ``ConfigError`` unless ``value`` is one of ``allowed``."""
    if value not in allowed:
        raise ConfigError(f"weighting.{name} is {value!r}: give one of {', '.join(allowed)}")


def can_be_negative(loss: Callable[..., Any]) -> bool:
    """Whether a loss says of itself that it can be below 0; its fixed parameters are seen through."""
    while isinstance(loss, functools.partial):
        loss = loss.func
    return bool(getattr(loss, "can_be_negative", False))


def check_terms(strategy: "Strategy", terms: Mapping[str, Callable[..., Any]]) -> None:
    """Raise ``ConfigError`` when ``strategy`` divides by its losses or takes their logarithm and one of
    ``terms`` (name -> loss) can be negative.
    """
    negative = [name for name, loss in terms.items() if can_be_negative(loss)]
    if strategy.needs_positive and negative:
        raise ConfigError(
            f"weighting {strategy.name} needs losses of 0 and above, and loss term {negative[0]!r} can be "
            "negative: leave the term out, or use weighting=var, mad, bayes, softadapt with another variant, "
            "stch, lr_annealing, fixed, equal or random"
        )
