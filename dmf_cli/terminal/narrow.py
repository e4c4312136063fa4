"""Tables for a terminal of any width: names wrap at their joints, and columns go before a number is cut."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.measure import Measurement
    from rich.table import Table
    from rich.text import Text

_JOINTS = re.compile(r"(?<=[=,+ ])|(?<=[a-z]\.)(?=[a-z])")
PART_LENGTH = 24  # characters of a part of a name from which it is cut rather than a column dropped


class Name:
    """A cell with a name: ``loss=cbdice+bce`` wraps behind ``=``, ``+`` and ``,``, a dotted key at its dots.

    Args:
        text: plain text; its lines stay lines.
    """

    def __init__(self, text: str) -> None:
        self.text = text

    def lines(self, width: int) -> list[str]:
        """Lines of at most ``width`` characters, each as full as the joints allow."""
        return [line for one in self.text.split("\n") for line in _filled(one, width)]

    def __rich_measure__(self, console: "Console", options: "ConsoleOptions") -> "Measurement":
        from rich.measure import Measurement

        lines = self.text.split("\n")
        parts = [len(part.rstrip()) for line in lines for part in _JOINTS.split(line)]
        return Measurement(min(PART_LENGTH, max(parts)), max(map(len, lines)))

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "Iterator[Text]":
        from rich.text import Text

        yield Text("\n".join(self.lines(options.max_width)))


class Fitted:
    """A table that is as wide as the terminal allows.

    Args:
        build: makes the table without the columns that it is given; the table has to say which those are.
        order: columns that may be dropped, the least important first.
    """

    def __init__(self, build: "Callable[[Sequence[str]], Table]", order: Sequence[str]) -> None:
        self.build, self.order = build, order

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "Iterator[Table]":
        from rich.measure import Measurement

        unbounded = options.update_width(
            10_000
        )  # else what is wider than the terminal measures as wide as it
        for count in range(len(self.order) + 1):
            table = self.build(self.order[:count])
            if Measurement.get(console, unbounded, table).minimum <= options.max_width:
                break
        yield table


def add_numbers(table: "Table", head: str, cells: Sequence[str], style: str | None = None) -> None:
    """A column to the right whose ``cells`` (and the lines of its ``head``) are never cut or wrapped."""
    widest = max(len(line) for text in (head, *cells) for line in text.split("\n"))
    table.add_column(head, justify="right", no_wrap=True, min_width=widest, style=style)


def _filled(text: str, width: int) -> Iterator[str]:
    line = ""
    for part in _JOINTS.split(text):
        if line and len((line + part).rstrip()) > width:
            yield line.rstrip()
            line = ""
        line += part
        while len(line.rstrip()) > width:  # no joint: what is left is to cut it
            yield line[:width]
            line = line[width:]
    yield line.rstrip()
