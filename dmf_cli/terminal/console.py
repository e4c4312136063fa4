"""The console that everything in colours or in a table is printed on."""

import os
import re
from collections.abc import Iterator
from typing import Any

from rich.console import Console, ConsoleOptions
from rich.segment import Segment

from dmf_cli.escapes import visible_lines

WIDTH = 120  # a file or a pipe has none; tables need some
_FILLING = re.compile(r" +$", re.MULTILINE)


class SafeConsole(Console):
    """A console whose reader may go away (``| head``), and on which no name is a command to the terminal."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        given = "width" in options or "COLUMNS" in os.environ
        if not (given or self.is_terminal or self.is_jupyter):
            self.width = WIDTH

    def on_broken_pipe(self) -> None:
        """Rich would exit here, and take the training along."""
        raise  # the BrokenPipeError being handled, for the display to handle

    def print(self, *objects: Any, **options: Any) -> None:
        """Print; to a file or a pipe without the spaces that fill the cells of a table."""
        if self.is_terminal or self.is_jupyter or self.record:
            super().print(*objects, **options)
            return
        with self.capture() as captured:
            super().print(*objects, **options)
        self.file.write(_FILLING.sub("", captured.get()))
        self.file.flush()

    def render(self, renderable: Any, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """What is drawn, with the control characters of names as Python writes them; Rich's own stay."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield Segment(visible_lines(segment.text), segment.style)
