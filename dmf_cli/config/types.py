"""Type and range checks of plain values against annotations, with one-line errors.

The same checks serve the dataclasses of :mod:`dmf_cli.config.schema` and the signatures of losses,
strategies and models, so that both report a wrong value in the same words.
"""

import collections.abc
import dataclasses
import math
import re
import types
import typing
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Union

from dmf_cli.errors import ConfigError, suggest

_SEQUENCES = (list, tuple, collections.abc.Sequence)
_MAPPINGS = (dict, collections.abc.Mapping)
LARGEST = 10**9  # of numbers whose range has no upper bound: a count of 1e20 is a slip


@dataclasses.dataclass(frozen=True)
class Range:
    """Bounds of a number: ``at_least``/``at_most`` are allowed themselves, ``above``/``below`` are not."""

    at_least: float | None = None
    at_most: float | None = None
    above: float | None = None
    below: float | None = None

    def holds(self, value: float) -> bool:
        """Whether ``value`` is inside."""
        return (
            (self.at_least is None or value >= self.at_least)
            and (self.at_most is None or value <= self.at_most)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )

    @property
    def is_bounded(self) -> bool:
        """Whether large numbers are outside."""
        return self.at_most is not None or self.below is not None

    def __str__(self) -> str:
        parts = (
            (self.at_least, f"of {self.at_least} or above"),
            (self.above, f"above {self.above}"),
            (self.at_most, f"of {self.at_most} or below"),
            (self.below, f"below {self.below}"),
        )
        return " and ".join(text for bound, text in parts if bound is not None)


@dataclasses.dataclass(frozen=True)
class Pattern:
    """A text that must match ``regex`` as a whole; ``words`` says so to people."""

    regex: str
    words: str

    def holds(self, value: str) -> bool:
        """Whether ``value`` matches."""
        return re.fullmatch(self.regex, value) is not None

    def __str__(self) -> str:
        return self.words


def check_value(value: Any, hint: Any, where: str) -> None:
    """Raise ``ConfigError`` unless ``value`` fits the annotation ``hint``; ``where`` is the key's full name.

    Example:
        >>> check_value(0, Annotated[int, Range(at_least=1)], "trainer.epochs")
        Traceback (most recent call last):
        dmf_cli.errors.ConfigError: trainer.epochs is 0: give a whole number of 1 or above
    """
    if fits(value, hint):
        return
    choices = [str(choice) for choice in _choices(hint)]
    if choices and isinstance(value, str) and set(_alternatives(hint)) == {hint}:
        raise ConfigError(f"{where} is {value!r}: {suggest(value, choices)}")
    raise ConfigError(f"{where} is {show(value)}: give {describe(hint)}{_besides(value, hint)}")


def unknown_key(prefix: str, name: str, allowed: Iterable[str]) -> ConfigError:
    """The error for the key ``prefix + name``; closest among its siblings, the names in ``allowed``."""
    allowed = sorted(set(allowed))
    hint = suggest(name, allowed) if allowed else f"{prefix.rstrip('.')} has no keys"
    return ConfigError(f"unknown key '{prefix}{name}': {hint}")


def fits(value: Any, hint: Any) -> bool:
    """Whether ``value`` fits ``hint``; annotations that are no plain types fit everything."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        bounded = any(isinstance(rule, Range) and rule.is_bounded for rule in arguments[1:])
        plain = _scalar_fits(value, arguments[0], bounded) if bounded else fits(value, arguments[0])
        return plain and all(rule.holds(value) for rule in arguments[1:])
    if origin in (Union, types.UnionType):
        return any(fits(value, argument) for argument in arguments)
    if origin is Literal:
        return any(value == choice and type(value) is type(choice) for choice in arguments)
    if origin in _SEQUENCES or hint in _SEQUENCES:
        return isinstance(value, list | tuple) and _items_fit(value, origin, arguments)
    if origin in _MAPPINGS or hint in _MAPPINGS:
        return isinstance(value, dict)
    return _scalar_fits(value, hint)


def describe(hint: Any) -> str:
    """What ``hint`` allows, as words that follow "give"."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        rules = " ".join(str(rule) for rule in arguments[1:])
        return f"{describe(arguments[0])} {rules}" if not isinstance(arguments[1], Pattern) else rules
    if origin in (Union, types.UnionType):
        return ", or ".join(describe(argument) for argument in arguments)
    if origin is Literal:
        return "one of " + ", ".join(str(a) for a in arguments) if len(arguments) > 1 else str(arguments[0])
    if origin in _SEQUENCES or hint in _SEQUENCES:
        fixed = origin is tuple and Ellipsis not in arguments and arguments
        listed = f"a list of {len(arguments)} values" if fixed else "a list"
        ranged = arguments and typing.get_origin(arguments[0]) is Annotated
        return f"{listed}, each {describe(arguments[0])}" if ranged else listed
    if origin in _MAPPINGS or hint in _MAPPINGS:
        return "a mapping, as {KEY: VALUE}"
    words = {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        str: "a text",
        type(None): "null",
    }
    return words.get(hint, "another kind of value")


def _is_bounded(hint: Any) -> bool:
    """Whether a range anywhere in ``hint`` names its own largest number."""
    return any(
        part.is_bounded if isinstance(part, Range) else _is_bounded(part) for part in typing.get_args(hint)
    )


def _besides(value: Any, hint: Any) -> str:
    """What else is wrong with a value that its annotation alone does not tell."""
    if value == "" and isinstance(value, str):
        return " (it is empty: a variable that is not set?)"
    number = isinstance(value, int | float) and not isinstance(value, bool)
    large = number and LARGEST < abs(value) < math.inf and not _is_bounded(hint)
    return f", {LARGEST:,} at most" if large else ""


def _scalar_fits(value: Any, hint: Any, bounded: bool = False) -> bool:
    """Numbers are finite, and not larger than any that makes sense unless a range has the last word; texts
    are not empty.
    """
    if hint is None or hint is type(None):
        return value is None
    if hint is bool:
        return isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool) and (bounded or abs(value) <= LARGEST)
    if hint is float:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and math.isfinite(value) and (bounded or abs(value) <= LARGEST)
    if hint is str:
        return isinstance(value, str) and bool(value)
    return True


def _items_fit(value: Any, origin: Any, arguments: tuple[Any, ...]) -> bool:
    if not arguments:
        return True
    if origin is tuple and Ellipsis not in arguments:
        return len(value) == len(arguments) and all(map(fits, value, arguments))
    return all(fits(item, arguments[0]) for item in value)


def _alternatives(hint: Any) -> tuple[Any, ...]:
    is_union = typing.get_origin(hint) in (Union, types.UnionType)
    return typing.get_args(hint) if is_union else (hint,)


def _choices(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if typing.get_origin(hint) is Literal else ()


def show(value: Any) -> str:
    """``value`` as the user would write it."""
    words = {None: "null", True: "true", False: "false"}
    return words[value] if value is None or isinstance(value, bool) else repr(value)
