"""A property that a part has to have, and what a check of it found."""

import dataclasses
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from dmf_cli.errors import DmfError, debugging
from dmf_cli.parts import failures

PASSED, NOTED, FAILED, SKIPPED = "ok", "note", "FAILED", "-"
WIDTH = 100  # up to which an array stands in one line
# Colours, and the names that TensorFlow gives to places in its graph.
_DECORATION = re.compile(r"\x1b\[[0-9;]*m|\{\{.*?\}\}|\[Op:[^\n]*")
Part = TypeVar("Part")


@dataclasses.dataclass(frozen=True)
class PropertyResult:
    """What a check found.

    Args:
        name: of the property.
        state: ``ok``, ``note``, ``FAILED``, or ``-`` where it does not apply.
        detail: one line.
        example: the smallest input that shows a failure, as lines of Python.
    """

    name: str
    state: str
    detail: str = ""
    example: str = ""


class NotPassed(Exception):  # noqa: N818 - what is found may be no error
    """What a property found, where it is not simply there."""

    state = FAILED

    def __init__(self, detail: str, **example: Any):
        super().__init__(detail)
        self.detail, self.example = detail, as_python(**example)


class Broken(NotPassed):
    """The part does not have the property; ``example`` is an input that shows it, by argument."""


class Noted(NotPassed):
    """The part does not have the property, which may be meant."""

    state = NOTED


class Skipped(NotPassed):
    """The property does not apply to the part."""

    state = SKIPPED


@dataclasses.dataclass(frozen=True)
class Property(Generic[Part]):
    """A property of a part.

    Args:
        name: in a few words.
        check: returns what it measured, in a line or None; raises a :class:`NotPassed`.
    """

    name: str
    check: Callable[[Part], str | None]

    def of(self, part: Part) -> PropertyResult:
        """Check it. Whatever else the part raises is a failure too."""
        try:
            return PropertyResult(self.name, PASSED, self.check(part) or "")
        except NotPassed as finding:
            return PropertyResult(self.name, finding.state, finding.detail, finding.example)
        except Exception as error:
            if debugging():
                raise
            return PropertyResult(self.name, FAILED, explained(error))


def outcomes(part: Part, properties: Sequence[Property[Part]]) -> Iterator[PropertyResult]:
    """Yield the result of each property; a part that fails the first, that it can be used, has no others."""
    first, *others = properties
    yield (found := first.of(part))
    if found.state == FAILED:
        return
    for each in others:
        yield each.of(part)


def called(function: Callable[..., Any], *arguments: Any, **example: Any) -> Any:
    """What ``function`` returns; :class:`Broken` with ``example`` if it raises."""
    try:
        return function(*arguments)
    except NotPassed:
        raise
    except Exception as error:
        if debugging():
            raise
        raise Broken(explained(error), **example) from error


def explained(error: Exception) -> str:
    """An error in one line, with the line of the plugin in which it happened."""
    lines = [line.strip() for line in _DECORATION.sub("", str(error)).splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].startswith("Exception encountered when calling"):  # Keras's own first line
        lines = lines[1:]
    text = lines[0].strip() if lines else ""
    what = text if isinstance(error, DmfError) else f"{type(error).__name__}: {text}".removesuffix(": ")
    place = failures.where(error)
    return f"{what} ({place})" if place else what


def as_python(**values: Any) -> str:
    """``values`` as assignments that can be pasted."""
    return "\n".join(f"{name} = {_python(value, len(name) + 3)}" for name, value in values.items())


def _python(value: Any, indent: int) -> str:
    if not isinstance(value, np.ndarray):
        return repr(value)
    text = _rows(value)
    if len(text) > WIDTH:  # one row a line
        text = re.sub(r"(?<=\]),(?= \[)", ",\n" + " " * (indent + len("np.array(")), text)
    return f'np.array({text}, "{value.dtype.name}")'


def _rows(value: np.ndarray) -> str:
    if value.ndim:
        return f"[{', '.join(_rows(one) for one in value)}]"
    if not np.issubdtype(value.dtype, np.floating):
        return str(value)
    number: Any = value[()]  # of its own type, whose digits are fewer
    return np.format_float_positional(number, trim="0") if np.isfinite(number) else f"np.{float(number)}"
