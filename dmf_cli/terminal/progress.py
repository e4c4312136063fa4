"""Bars on a terminal, and not a character elsewhere (rich writes an empty line there)."""

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Progress


@contextlib.contextmanager
def count(what: str, total: int) -> Iterator[Callable[[], None]]:
    """A bar over ``total`` things; what it gives is called after each of them."""
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    with _on_terminal(*columns) as bar:
        if bar is None:
            yield lambda: None
            return
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)


@contextlib.contextmanager
def downloads() -> Iterator[Callable[[str, int, int | None], None]]:
    """A bar for each file; what it gives is called with its name, the bytes that are there and the total."""
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    tasks: dict[str, Any] = {}
    with _on_terminal(*columns, TimeRemainingColumn()) as bar:

        def track(name: str, have: int, total: int | None) -> None:
            if bar is None:
                return
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=total)
            bar.update(tasks[name], completed=have, total=total)

        yield track


@contextlib.contextmanager
def _on_terminal(*columns: Any) -> "Iterator[Progress | None]":
    from rich.progress import Progress

    from dmf_cli.terminal.console import SafeConsole

    console = SafeConsole(stderr=True)
    if not console.is_terminal:
        yield None
        return
    with Progress(*columns, console=console) as bar:
        yield bar
