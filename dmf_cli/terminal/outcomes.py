"""What ``dmf check`` found: a table on a terminal, aligned text elsewhere."""

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from dmf_cli.terminal.formats import count
from dmf_cli.terminal.say import say

if TYPE_CHECKING:
    from rich.table import Table

    from dmf_cli.checking import PropertyResult

STYLES = {"ok": "green", "note": "yellow", "FAILED": "bold red", "-": "dim"}
WIDTHS = (6, 30)  # of a state and of a property


@contextlib.contextmanager
def shown(title: str, *, quiet: bool = False) -> "Iterator[Callable[[PropertyResult], None]]":
    """Gives a function that shows each outcome of a part as soon as it is there.

    Args:
        title: names the part.
        quiet: show nothing.
    """
    if quiet:
        yield lambda outcome: None
    elif not sys.stdout.isatty():
        say("", f"{title}")
        yield lambda outcome: say(_line(outcome))
    else:
        from rich.live import Live
        from rich.markup import escape

        from dmf_cli.terminal.console import SafeConsole

        table = _table(escape(title))
        with Live(table, console=SafeConsole(), auto_refresh=False) as live:

            def add(outcome: "PropertyResult") -> None:
                style = STYLES[outcome.state]
                table.add_row(f"[{style}]{outcome.state}[/]", escape(outcome.name), escape(outcome.detail))
                live.refresh()

            yield add


def example(title: str, outcome: "PropertyResult") -> None:
    """The smallest input that shows a failure, to be pasted into Python."""
    say("", f"{outcome.state} {title}")
    for line in outcome.example.splitlines():
        say(f"    {line}")


def summary(outcomes: "Sequence[PropertyResult]") -> str:
    """``12 hold, 1 note, 2 FAILED``."""
    states = [one.state for one in outcomes]
    parts = [f"{states.count('ok')} hold"]
    parts += [count(states.count("note"), "note")] if "note" in states else []
    parts += [f"{states.count('-')} do not apply"] if "-" in states else []
    return ", ".join([*parts, f"{states.count('FAILED')} FAILED" if "FAILED" in states else "none failed"])


def _line(outcome: "PropertyResult") -> str:
    return f"{outcome.state:<{WIDTHS[0]}}  {outcome.name:<{WIDTHS[1]}}  {outcome.detail}".rstrip()


def _table(title: str) -> "Table":
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, show_header=False, pad_edge=False)
    for width in WIDTHS:
        table.add_column(min_width=width if width < 10 else None)
    table.add_column(overflow="fold")
    return table
