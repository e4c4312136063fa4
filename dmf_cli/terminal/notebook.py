"""An output below a cell of a notebook that is drawn again and again, with what a terminal would show."""

import io
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console, RenderableType

WIDTH, HEIGHT = 110, 40  # characters
SECONDS = 0.5  # between two drawings
_PRE = '<pre style="white-space:pre;overflow-x:auto;line-height:1.3;font-family:monospace">{code}</pre>'


class CellOutput:
    """One output below a cell; it takes the place of ``rich.live.Live``, which needs ipywidgets there.

    Nothing is drawn by a thread: whoever works calls :meth:`refresh`.

    Args:
        get_renderable: what to show now.
        transient: whether nothing is left of it in the end.
    """

    def __init__(self, get_renderable: Callable[[], RenderableType], *, transient: bool = False) -> None:
        self._get, self._transient = get_renderable, transient
        self._handle: Any = None
        self._drawn = 0.0

    def start(self, refresh: bool = True) -> None:
        """Make the output."""
        from IPython.display import display

        self._handle = display(self._bundle(), raw=True, display_id=True)  # type: ignore[no-untyped-call]

    def refresh(self, force: bool = True) -> None:
        """Draw; without ``force`` only if the last time is long enough ago."""
        if self._handle is not None and (force or time.monotonic() - self._drawn > SECONDS):
            self._handle.update(self._bundle(), raw=True)

    def stop(self) -> None:
        """Draw for the last time."""
        if self._transient and self._handle is not None:
            self._get = lambda: ""
        self.refresh()
        self._handle = None

    def _bundle(self) -> dict[str, str]:
        self._drawn = time.monotonic()
        console = _console(self._get(), WIDTH)
        text = console.export_text(clear=False)
        return {"text/html": console.export_html(inline_styles=True, code_format=_PRE), "text/plain": text}


def _console(renderable: RenderableType, width: int) -> Console:
    console = Console(
        file=io.StringIO(),
        record=True,
        width=width,
        height=HEIGHT,
        color_system="truecolor",
        force_jupyter=False,
        highlight=False,
    )
    console.print(renderable)
    return console
