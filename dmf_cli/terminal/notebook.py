"""Outputs below a cell of a notebook, with what a terminal would show; Rich's own hold control characters."""

import io
import time
from collections.abc import Callable
from typing import Any

from rich.console import RenderableType

from dmf_cli.terminal.console import SafeConsole

WIDTH, HEIGHT = 110, 40  # characters
SECONDS = 0.5  # between two drawings
_PRE = '<pre style="white-space:pre;overflow-x:auto;line-height:1.3;font-family:monospace">{code}</pre>'


def show(renderable: RenderableType) -> None:
    """Display it below the cell; nothing for what is blank."""
    from IPython.display import display

    bundle = _bundle(renderable)
    if bundle["text/plain"].strip():
        display(bundle, raw=True)  # type: ignore[no-untyped-call]


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

        self._handle = display(self._drawn_now(), raw=True, display_id=True)  # type: ignore[no-untyped-call]

    def refresh(self, force: bool = True) -> None:
        """Draw; without ``force`` only if the last time is long enough ago."""
        if self._handle is not None and (force or time.monotonic() - self._drawn > SECONDS):
            self._handle.update(self._drawn_now(), raw=True)

    def stop(self) -> None:
        """Draw for the last time."""
        if self._transient and self._handle is not None:
            self._get = lambda: ""
        self.refresh()
        self._handle = None

    def _drawn_now(self) -> dict[str, str]:
        self._drawn = time.monotonic()
        return _bundle(self._get())


def _bundle(renderable: RenderableType) -> dict[str, str]:
    """As HTML, in the colours of the page, and as text without control characters."""
    console = SafeConsole(
        file=io.StringIO(),
        record=True,
        width=WIDTH,
        height=HEIGHT,
        color_system="truecolor",
        force_jupyter=False,
        highlight=False,
    )
    console.print(renderable)
    text = console.export_text(clear=False)
    return {"text/html": console.export_html(inline_styles=True, code_format=_PRE), "text/plain": text}
