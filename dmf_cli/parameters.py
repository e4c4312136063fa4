"""Values against annotations, in the words of every message about them, and without importing pydantic.

What a parameter of a loss, a strategy or a metric may be stands in its annotation alone. The config has
been checked when it comes to these; those who use this package as a library call them directly.
"""

import collections.abc
import functools
import inspect
import math
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from numbers import Integral
from typing import Annotated, Any, Literal, SupportsFloat, Union

from dmf_cli import lookup
from dmf_cli.errors import ConfigError
from dmf_cli.ranges import Text, UpTo

SEQUENCES = (list, tuple, collections.abc.Sequence)
MAPPINGS = (dict, collections.abc.Mapping)
UNIONS = (Union, types.UnionType)
_WORDS = {"ge": "of {} or above", "gt": "above {}", "le": "of {} or below", "lt": "below {}"}


def check(function: Callable[..., Any], values: Mapping[str, Any], prefix: str = "") -> None:
    """Raise ``ConfigError`` for the first of ``values`` that does not fit its parameter of ``function``.

    Args:
        function: a function, a strategy or a dataclass.
        values: name -> value; a name that is no parameter is passed over.
        prefix: of the keys' full names, such as ``weighting.``.
    """
    hints = _hints(function)
    for name, value in values.items():
        if name in hints and not fits(value, hints[name]):
            raise misfit(f"{prefix}{name}", value, hints[name])


@functools.cache
def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    known = {**inspect.signature(function).parameters, **lookup.keywords(function)}
    return {name: parameter.annotation for name, parameter in known.items()}


def fits(value: Any, hint: Any) -> bool:
    """Whether ``value`` is what the annotation ``hint`` allows, or a number of NumPy or a backend that is."""
    try:
        return _fits(value, hint)
    except (TypeError, ValueError):  # an array where a number or a list of numbers has to be
        return False


def _fits(value: Any, hint: Any) -> bool:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return fits(value, arguments[0]) and _is_within(value, bounds(hint))
    if origin in UNIONS:
        return any(fits(value, argument) for argument in arguments)
    if origin is Literal:
        return any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in arguments)
    if origin in SEQUENCES:
        many = isinstance(value, Iterable) and not isinstance(value, str)
        return many and all(fits(one, arguments[0]) for one in value)
    if hint is int:
        return isinstance(value, Integral) and not isinstance(value, bool)
    if hint is float:
        number = isinstance(value, SupportsFloat) and not isinstance(value, bool)
        return number and math.isfinite(value)
    if hint is bool:
        return isinstance(value, bool) or str(getattr(value, "dtype", "")) == "bool"
    kinds: dict[Any, type] = {str: str, type(None): type(None)}
    return isinstance(value, kinds.get(hint, object))


def _is_within(value: Any, sides: Mapping[str, Any]) -> bool:
    least, most = sides.get("ge", -math.inf), sides.get("le", math.inf)
    above, below = sides.get("gt", -math.inf), sides.get("lt", math.inf)
    return bool(least <= value <= most and above < value < below)


def misfit(key: str, value: Any, hint: Any, besides: str = "") -> ConfigError:
    """The error for a value that ``hint`` does not allow; ``besides`` is added to what it allows."""
    if isinstance(value, str) and typing.get_origin(hint) is Literal:
        return ConfigError(key=key, value=value, allowed=map(str, typing.get_args(hint)))
    besides = besides or _passed(value, hint)
    return ConfigError(key=key, value=value, allowed=f"{describe(hint)}{besides}")


def describe(hint: Any) -> str:
    """What ``hint`` allows, as words that follow "give"."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        text = next((rule.says for rule in arguments[1:] if isinstance(rule, Text)), None)
        return text or f"{describe(arguments[0])} {_range(hint)}".rstrip()
    if origin in UNIONS:
        return ", or ".join(describe(argument) for argument in arguments)
    if origin is Literal:
        return "one of " + ", ".join(str(a) for a in arguments) if len(arguments) > 1 else str(arguments[0])
    if origin in SEQUENCES or hint in SEQUENCES:
        listed = f"a list of {len(arguments)} values" if is_fixed(origin, arguments) else "a list"
        ranged = arguments and typing.get_origin(arguments[0]) is Annotated
        return f"{listed}, each {describe(arguments[0])}" if ranged else listed
    if origin in MAPPINGS or hint in MAPPINGS:
        return "a mapping, as {KEY: VALUE}"
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    return words.get(hint, "null" if hint in (None, type(None)) else "another kind of value")


def bounds(hint: Any) -> dict[str, Any]:
    """Side -> bound of an annotated number."""
    rules = [rule for rule in typing.get_args(hint)[1:] if not isinstance(rule, Text)]
    given = {side: getattr(rule, side, None) for rule in rules for side in _WORDS}
    return {side: bound for side, bound in given.items() if bound is not None}


def spoken(hint: Any) -> dict[str, Any]:
    """Side -> bound of an annotated number, without those that go without saying, see :class:`UpTo`."""
    silent = {side for rule in _silent(hint) for side in ("le", *(["ge"] if rule.ge == -rule.le else []))}
    return {side: bound for side, bound in bounds(hint).items() if side not in silent}


def _silent(hint: Any) -> list[Any]:
    return [rule for rule in getattr(hint, "__metadata__", ()) if isinstance(rule, UpTo)]


def _passed(value: Any, hint: Any) -> str:
    """The end that ``value``, or a number in it, is beyond, where it is one that goes without saying."""
    given = value if isinstance(value, list | tuple) else [value]
    numbers = [one for one in given if isinstance(one, int | float) and not isinstance(one, bool)]
    end = max((rule.le for one in _parts(hint) for rule in _silent(one)), default=math.inf)
    return f", {end:,} at most" if any(end < abs(number) < math.inf for number in numbers) else ""


def _parts(hint: Any) -> Iterator[Any]:
    """``hint`` and all that it is made of."""
    yield hint
    for one in typing.get_args(hint):
        yield from _parts(one)


def _range(hint: Any) -> str:
    sides = spoken(hint)
    if sides.keys() == {"ge", "le"}:
        return "from {ge} to {le}".format(**sides)
    return " and ".join(_WORDS[side].format(bound) for side, bound in sides.items())


def is_fixed(origin: Any, arguments: tuple[Any, ...]) -> bool:
    """Whether a sequence has a fixed number of values, each of its own kind."""
    return origin is tuple and bool(arguments) and Ellipsis not in arguments
