"""Values against types: pydantic decides, and what it finds is said in our one line.

The dataclasses of :mod:`dmf_cli.config.schema` and the signatures of losses, strategies and models go through
the same two functions, so that a wrong value reads the same wherever it stands. Pydantic is imported when the
first value is checked, not before.
"""

import functools
import math
import typing
from collections.abc import Iterable, Mapping
from types import GenericAlias
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, cast

from annotated_types import Interval, Len, MinLen, Predicate

from dmf_cli.errors import ConfigError, UnknownNameError
from dmf_cli.parameters import MAPPINGS, SEQUENCES, UNIONS, bounds, is_fixed, misfit, spoken
from dmf_cli.parts.annotations import is_text
from dmf_cli.ranges import Text

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

LARGEST = 10**9  # of numbers whose range has no upper bound: a count of 1e20 is a slip
ANY = 10**30  # of numbers whose range does not matter
_ORDER = {"extra_forbidden": 0, "missing": 2}  # a key too many is reported first, then a wrong value


def check_value(value: Any, hint: Any, where: str) -> None:
    """Raise ``ConfigError`` unless ``value`` fits the annotation ``hint``; ``where`` is the key's full name.

    Example:
        >>> check_value(0, Annotated[int, Interval(ge=1)], "trainer.epochs")
        Traceback (most recent call last):
        dmf_cli.errors.ConfigError: trainer.epochs is 0: give a whole number of 1 or above
    """
    prefix, _, key = where.rpartition(".")
    check_values({key: value}, {key: hint}, f"{prefix}." if prefix else "")


def check_values(
    values: Mapping[str, Any],
    hints: Mapping[str, Any],
    prefix: str,
    *,
    complete: bool = False,
    others: Iterable[str] = (),
    ranges: bool = True,
) -> None:
    """Raise ``ConfigError`` unless every key of ``values`` is in ``hints`` and has a value that fits.

    Args:
        values: what was given.
        hints: key -> annotation.
        prefix: of the keys' full names, such as ``trainer.``.
        complete: whether every key must be there.
        others: further names that an unknown key may have been meant to be.
        ranges: whether numbers must be in range. Of a run that is trained already only the kind of each
            value matters: a version with narrower ranges reads it all the same.
    """
    from pydantic import ValidationError

    try:
        _adapter(tuple(hints.items()), complete, ranges).validate_python(dict(values))
    except ValidationError as error:
        raise _in_one_line(error, values, hints, prefix, others) from None


def unknown_key(prefix: str, name: str, allowed: Iterable[str]) -> ConfigError:
    """The error for the key ``prefix + name``; closest among its siblings, the names in ``allowed``."""
    key, siblings = f"{prefix}{name}", set(allowed)
    what = f"unknown key {key!r}"
    if not siblings:
        return ConfigError(what, key=key, hint=f"{prefix.rstrip('.')} has no keys")
    return UnknownNameError(key, name, siblings, what=what)


def missing_key(key: str) -> ConfigError:
    """The error for a key, by its full name, that has to be given."""
    return ConfigError(key=key, reason="is missing", allowed=f"{key}=VALUE")


def _in_one_line(
    error: "ValidationError",
    values: Mapping[str, Any],
    hints: Mapping[str, Any],
    prefix: str,
    others: Iterable[str],
) -> ConfigError:
    """The first thing that pydantic found; for a union it lists what each of its members lacks."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    first = min(found, key=lambda one: _ORDER.get(one["type"], 1) if len(one["loc"]) == 1 else 1)
    name = str(first["loc"][0])
    if name not in hints:
        return unknown_key(prefix, name, [*hints, *others])
    key = f"{prefix}{name}"
    if name not in values:
        return missing_key(key)
    value, hint = values[name], hints[name]
    return misfit(key, value, hint, _besides(value, hint))


@functools.cache
def _adapter(hints: tuple[tuple[str, Any], ...], complete: bool, ranges: bool) -> "TypeAdapter[Any]":
    from pydantic import TypeAdapter
    from typing_extensions import TypedDict

    keys = {key: _strict(hint if ranges else _any_size(hint)) for key, hint in hints}
    kind = cast(Any, TypedDict)("kind", keys, total=complete)
    kind.__pydantic_config__ = {"strict": True, "extra": "forbid", "allow_inf_nan": False}
    return TypeAdapter(kind)


def _strict(hint: Any) -> Any:
    """``hint`` with the rules for all keys: no absurdly large number where no range allows it, no empty text;
    a sequence is a list of YAML, or a tuple.
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if is_text(hint) or any(map(is_text, arguments if origin is not Literal else ())):
        return Any  # pydantic would evaluate it
    if origin is Annotated:
        texts = [rule for rule in arguments[1:] if isinstance(rule, Text)]
        if texts:
            return Annotated[str, Predicate(texts[0].holds)]
        return hint if _is_bounded(hint) else Annotated[_strict(arguments[0]), *arguments[1:]]
    if origin in UNIONS:
        return Union[tuple(map(_strict, arguments))]  # noqa: UP007 - of types that are known now only
    if origin is Literal and isinstance(arguments[0], int):  # pydantic takes true for 1
        return Annotated[int, Predicate(arguments.__contains__)]
    if origin in SEQUENCES or hint in SEQUENCES:
        item: Any = _strict(arguments[0]) if arguments else Any
        kinds: Any = Union[list[item], tuple[item, ...]]  # noqa: UP007 - a Sequence of anything would take a text
        count = len(arguments) if is_fixed(origin, arguments) else None
        return kinds if count is None else Annotated[kinds, Len(count, count)]
    if origin in MAPPINGS or hint in MAPPINGS:
        return dict
    plain = {
        int: Annotated[int, Interval(ge=-LARGEST, le=LARGEST)],
        float: Annotated[float, Interval(ge=-LARGEST, le=LARGEST)],
        str: Annotated[str, MinLen(1)],
    }
    return plain.get(hint, hint if hint in (bool, None, type(None)) or origin is Literal else Any)


def _any_size(hint: Any) -> Any:
    """``hint`` with every finite number in place of those in range."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    number = arguments[0] if origin is Annotated else hint
    if number in (int, float):
        return Annotated[number, Interval(ge=number(-ANY), le=number(ANY))]
    if origin in UNIONS:
        return Union[tuple(map(_any_size, arguments))]  # noqa: UP007 - of types that are known now only
    if origin is tuple:
        return GenericAlias(tuple, tuple(one if one is Ellipsis else _any_size(one) for one in arguments))
    if origin in SEQUENCES and arguments:
        return GenericAlias(list, (_any_size(arguments[0]),))
    return hint


def alternatives(hint: Any) -> list[str]:
    """The types, with their ranges, and the values that ``hint`` allows, as ``--help`` shows them.

    Example:
        >>> alternatives(Annotated[int, Interval(ge=1)] | Literal["auto"])
        ['int >= 1', 'auto']
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        text = next((rule.word for rule in arguments[1:] if isinstance(rule, Text)), None)
        return text.split("|") if text else [f"{arguments[0].__name__} {_interval(hint)}".rstrip()]
    if origin in UNIONS:
        return [word for argument in arguments for word in alternatives(argument)]
    if origin is Literal:
        return [str(argument) for argument in arguments]
    if arguments == (Any,):
        return ["list"]
    if origin in SEQUENCES and arguments:
        word, space, limits = alternatives(arguments[0])[0].partition(" ")
        many = f"{word}s" if word in ("int", "float") else word
        count = f"{len(arguments)} " if is_fixed(origin, arguments) else ""
        return [f"list of {count}{many}{space}{limits}"]
    if origin in MAPPINGS or hint in MAPPINGS:
        return ["mapping"]
    return ["null" if hint in (None, type(None)) else getattr(hint, "__name__", "").lower()]


def choices(hint: Any) -> list[str]:
    """The values among what ``hint`` allows, without its types: what completion offers."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in UNIONS:
        return [value for argument in arguments for value in choices(argument)]
    if origin is Annotated:
        words = alternatives(hint)
        return [word for word in words if word not in ("TERM", "gpu:N")] if len(words) > 1 else []
    if hint is bool:
        return ["true", "false"]
    return alternatives(hint) if origin is Literal or hint in (None, type(None)) else []


def _interval(hint: Any) -> str:
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    sides = spoken(hint)
    if not sides:
        return ""
    if len(sides) == 1:
        return next(f"{signs[side]} {bound}" for side, bound in sides.items())
    left, right = "[" if "ge" in sides else "(", "]" if "le" in sides else ")"
    low, high = sides.values()
    return f"in {left}{low}, {high}{right}"


def _is_bounded(hint: Any) -> bool:
    """Whether a range anywhere in ``hint`` names its own largest number."""
    inner = typing.get_args(hint)
    own = typing.get_origin(hint) is Annotated and not bounds(hint).keys().isdisjoint(("le", "lt"))
    return own or any(map(_is_bounded, inner))


def _besides(value: Any, hint: Any) -> str:
    """What else is wrong with a value that its annotation alone does not tell."""
    if value == "" and isinstance(value, str):
        return " (it is empty: a variable that is not set?)"
    number = isinstance(value, int | float) and not isinstance(value, bool)
    large = number and LARGEST < abs(value) < math.inf and not _is_bounded(hint)
    return f", {LARGEST:,} at most" if large else ""
