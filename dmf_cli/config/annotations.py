"""What the comment of a key allows, as an annotation: ``(int >= 1|auto) poolings`` is an ``int`` or ``auto``.

    comment     = "(" alternative *("|" alternative) ")" [" " meaning]
    alternative = ["list of " [COUNT " "]] WORD [" " range]
    range       = (">=" | ">" | "<=" | "<") " " BOUND | "in " ("[" | "(") BOUND ", " BOUND ("]" | ")")

A word that is no type is a value. A bound that is no number, such as ``1/terms``, hangs on more than its key
and is left to who knows the rest.
"""

import functools
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal, Union

from dmf_cli import conf_files
from dmf_cli.config.headers import key_comments
from dmf_cli.config.types import Range

_TYPES: dict[str, Any] = {
    "int": int,
    "float": float,
    "bool": bool,
    "list": list,
    "mapping": dict,
    "null": None,
    **dict.fromkeys(("str", "path", "glob", "pattern", "regex", "url"), str),
}
_BOUND = r"[^\s,()\[\]|]+"
_ONE = rf"(?:list of (?:\d+ )?)?[\w:]+(?: (?:>=|>|<=|<) {_BOUND}| in [\[(]{_BOUND}, {_BOUND}[\])])?"
_ALL = re.compile(rf"\(({_ONE}(?:\|{_ONE})*)\)(?=\s|$)")
_LIST = re.compile(r"list of (?:(\d+) )?(\w+?)s?( .*)?")
_RANGED = re.compile(rf"(\w+) (?:(>=|>|<=|<) (.+)|in ([\[(])({_BOUND}), ({_BOUND})([\])]))")
_LIMITS = {">=": "at_least", ">": "above", "<=": "at_most", "<": "below"}
_SIDES = {"[": "at_least", "(": "above", "]": "at_most", ")": "below"}


def alternatives(comment: str) -> list[str]:
    """The types and values between the bars of a comment; none where it does not begin with a type."""
    found = _ALL.match(comment)
    return found[1].split("|") if found else []


def is_type(word: str) -> bool:
    """Whether an alternative is a type; the others are values."""
    return word.partition(" ")[0] in _TYPES


def annotation(comment: str) -> Any:
    """The annotation that :func:`dmf_cli.config.types.check_value` holds a value against.

    Raises:
        ValueError: the comment is not of this module's grammar.

    Example:
        >>> annotation("(softmax|sigmoid) one probability a class, or one foreground channel")
        typing.Literal['softmax', 'sigmoid']
    """
    words = alternatives(comment)
    if not words:
        raise ValueError(f"{comment!r} does not begin with a type, such as (int >= 1)")
    values = [int(word) if word.isdecimal() else word for word in words if not is_type(word)]
    wrong = [value for value in values if " " in str(value)]
    if wrong:
        raise ValueError(f"{comment!r}: {wrong[0]!r} is no type; there are {', '.join(_TYPES)}")
    kinds = [_kind(word) if is_type(word) else Literal[tuple(values)] for word in words]
    return Union[tuple(kinds)]  # noqa: UP007 - of kinds that are known now only


@functools.cache
def of_option(group: str, option: str) -> Mapping[str, Any]:
    """Key -> annotation of an option of ours, with the keys of those that it builds on.

    Keys that hold keys of their own may be anything.
    """
    found: dict[str, Any] = {}
    for name in conf_files.lineage(group, option):
        for key, comment in key_comments(conf_files.conf_dir() / group / f"{name}.yaml").items():
            if "." not in key:
                found[key] = annotation(comment) if comment else Any
    return MappingProxyType(found)


def _kind(text: str) -> Any:
    """The annotation of one type, with its range."""
    items = _LIST.fullmatch(text)
    if items:
        one = _kind(f"{items[2]}{items[3] or ''}")
        return tuple[(one,) * int(items[1])] if items[1] else list[one]  # type: ignore[misc, valid-type]
    if text in _TYPES:
        return _TYPES[text]
    found = _RANGED.fullmatch(text)
    if found is None or found[1] not in ("int", "float"):
        raise ValueError(f"{text!r} is no type; there are {', '.join(_TYPES)}")
    kind, sign, bound, left, low, high, right = found.groups()
    given = {_LIMITS[sign]: bound} if sign else {_SIDES[left]: low, _SIDES[right]: high}
    limits = {side: number for side, bound in given.items() if (number := _number(bound)) is not None}
    return Annotated[_TYPES[kind], Range(**limits)] if limits else _TYPES[kind]


def _number(text: str) -> float | None:
    """The number, whole where it is written so; None for an expression."""
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return None
