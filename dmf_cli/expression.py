"""The language of loss expressions: ``cbdice+bce``, ``dice:0.7+bce:0.3``, ``0.7*dice + 1e-3*bce``.

    expression = part *("+" part)
    part       = TERM | TERM ":" VALUE | VALUE "*" TERM | TERM "*" VALUE
    value      = NUMBER | NUMBER "/" NUMBER

A number needs digits after its exponent's ``e``, so the ``e+`` of ``cbdice+bce`` is never one.
"""

import dataclasses
import math
import re
from collections.abc import Iterable, Mapping

from dmf_cli.errors import ConfigError, UnknownNameError
from dmf_cli.parts.definitions import NUMBERS

_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_TOKEN = re.compile(rf"\s*(?:([A-Za-z_]\w*)|([-+]?{_NUMBER}(?:\s*/\s*{_NUMBER})?)|([+:*]))")
_EXAMPLE = "write terms joined by +, such as cbdice+bce or dice:0.7+bce:0.3"


@dataclasses.dataclass(frozen=True)
class Expression:
    """A parsed loss expression: each term's coefficient, in the order written."""

    coefficients: Mapping[str, float]

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the terms."""
        return tuple(self.coefficients)

    def __str__(self) -> str:
        """The canonical form, which parses to the same expression: coefficients of 1 are omitted."""
        return "+".join(
            name if value == 1.0 else f"{name}:{_shortest(value)}"
            for name, value in self.coefficients.items()
        )


def parse(text: str, known: Iterable[str]) -> Expression:
    """The expression that ``text`` says.

    Args:
        text: see the module's grammar; spaces do not matter.
        known: names of the terms there are.

    Raises:
        UnknownNameError: for a term that is not in ``known``; names the closest one.
        ConfigError: for anything else, in one line.

    Example:
        >>> str(parse("0.7*dice + bce", ["bce", "dice"]))
        'dice:0.7+bce'
    """
    known = sorted(known)
    coefficients: dict[str, float] = {}
    for part in _parts(text):
        name, coefficient = _part(part, text)
        if name not in known:
            raise UnknownNameError("loss term", name, known)
        if name in coefficients:
            raise ConfigError(
                f"loss={text} has {name!r} twice",
                key="loss",
                value=text,
                hint="give it once, with the sum as coefficient",
            )
        coefficients[name] = _positive(name, coefficient)
    return Expression(coefficients)


def build(coefficients: Mapping[str, float]) -> Expression:
    """An expression from its coefficients, checked like one that was written.

    Raises:
        ConfigError: for a coefficient that is not a positive finite number.
    """
    return Expression({name: _positive(name, value) for name, value in coefficients.items()})


def _tokens(text: str) -> list[str]:
    """Names, numbers and the signs ``+ : *``; the sign of a number only where a number must stand."""
    tokens: list[str] = []
    position, text = 0, text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ConfigError(
                f"loss={text}",
                key="loss",
                value=text,
                hint=f"cannot read {text[position:].strip()!r}; {_EXAMPLE}",
            )
        token = match.group().strip()
        # "dice+2*bce": this + joins two parts and does not belong to the 2.
        if match.group(2) and token[0] == "+" and tokens and tokens[-1] not in ("+", ":", "*"):
            token = "+"
        position = match.start() + match.group().index(token[0]) + len(token)
        tokens.append(token)
    return tokens


def _parts(text: str) -> list[list[str]]:
    """The tokens of each part between the ``+`` signs."""
    parts: list[list[str]] = [[]]
    for token in _tokens(text):
        if token == "+":
            parts.append([])
        else:
            parts[-1].append(token)
    if parts == [[]]:
        raise ConfigError(f"the loss expression is empty; {_EXAMPLE}")
    return parts


def _part(tokens: list[str], text: str) -> tuple[str, float]:
    """Name and coefficient of one part."""
    match tokens:
        case [name] if _is_name(name):
            return name, 1.0
        case [name, ":" | "*", number] if _is_name(name) and _is_number(number):
            return name, _value(number)
        case [number, "*", name] if _is_name(name) and _is_number(number):
            return name, _value(number)
    shown = "".join(tokens)
    what = f"{shown!r} is not a term" if shown else "a term is missing beside a +"
    raise ConfigError(f"loss={text}", key="loss", value=text, hint=f"{what}; {_EXAMPLE}")


def _value(text: str) -> float:
    """``0.7`` or ``2/3`` as a float; what is divided by 0 is infinite."""
    above, _, below = text.partition("/")
    divisor = float(below or 1)
    return float(above) / divisor if divisor else math.inf


def _is_number(token: str) -> bool:
    return token.lower() in NUMBERS or token[0].isdigit() or token[0] in "-+."


def _is_name(token: str) -> bool:
    return token.isidentifier() and not _is_number(token)


def _positive(name: str, value: object) -> float:
    """``value`` as a float, if it is one that a loss can be multiplied with."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value <= 0:  # type: ignore[arg-type, operator]
        raise ConfigError(
            key=f"loss.coefficients.{name}", value=value, allowed="a number above 0, or omit the term"
        )
    return float(value)  # type: ignore[arg-type]


def _shortest(value: float) -> str:
    return repr(int(value)) if value == int(value) and value < 1e15 else repr(value)
