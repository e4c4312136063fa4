"""Checks of parameters that several losses share; each error names the parameter."""

import math

from dmf_cli.errors import ConfigError, UnknownNameError


def choose(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise ``UnknownNameError`` unless ``value`` is one of ``allowed``."""
    if value not in allowed:
        raise UnknownNameError(name, value, allowed)


def within(name: str, value: float, valid: bool, allowed: str) -> None:
    """Raise ``ConfigError`` unless ``valid``: ``within("smooth", s, s > 0, "a number above 0")``."""
    if not valid:
        raise ConfigError(f"{name} is {value}: give {allowed}")


def positive(**values: float) -> None:
    """Raise ``ConfigError`` for the first of ``values`` that is not a finite number above 0."""
    for name, value in values.items():
        within(name, value, 0 < value < math.inf, "a number above 0")


def share(**values: float) -> None:
    """Raise ``ConfigError`` for the first of ``values`` outside [0, 1]."""
    for name, value in values.items():
        within(name, value, 0 <= value <= 1, "a number from 0 to 1")
