"""Tables for the page: every column sorts, by its numbers where it has some."""

import dataclasses
import math
import re
from collections.abc import Sequence
from typing import Any

from dmf_cli.terminal.formats import count, number, score

_NUMBER = re.compile(r"^<?([+-]?\d[\d,]*\.?\d*(?:e[+-]?\d+)?)")


@dataclasses.dataclass(frozen=True)
class Cell:
    """One cell.

    Args:
        text: what is shown.
        sort: what it is sorted by; None comes last in both directions.
        href: where it leads, or None.
        picture: a drawing of ours (trusted HTML) that stands before the text.
        style: a class of the style sheet.
    """

    text: str
    sort: float | str | None
    href: str | None = None
    picture: str | None = None
    style: str = ""


@dataclasses.dataclass(frozen=True)
class Table:
    """One table.

    Args:
        key: unique in the page.
        caption: what it shows; also the name of the box that it scrolls in.
        columns: headings.
        rows: cells, as many as there are columns; the first is the head of its row.
        text: numbers of the columns that hold words and stand to the left.
        sorted_by: (column, direction) that the rows are in already, or None.
        tall: scrolls inside a box of its own.
    """

    key: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    text: frozenset[int] = frozenset({0})
    sorted_by: tuple[int, str] | None = None
    tall: bool = False


def cell(value: Any, digits: int = 3) -> Cell:
    """Text as it is, a number with ``digits`` decimals (a whole one with none), nothing as a dash."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return Cell("-", None)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Cell(str(value), str(value))
    if isinstance(value, int):
        return Cell(count(value), value)
    small = value and abs(value) < 10.0**-digits
    return Cell(number(value, digits) if small else score(value, digits=digits), value)


def sortable(text: str) -> Cell:
    """A cell that is text already, sorted by the number that it begins with."""
    match = _NUMBER.match(text)
    if match:
        return Cell(text, float(match[1].replace(",", "")))
    return Cell(text, None if text in ("", "-") else text)


def parsed(text: str | None) -> float:
    """A cell of a CSV as a number; NaN for an empty one, and for words."""
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan
