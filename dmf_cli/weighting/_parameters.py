"""Checks of a strategy's parameters; each error names the parameter."""

import math
from numbers import Integral

from dmf_cli.errors import ConfigError


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
