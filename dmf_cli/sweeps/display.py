"""The sweep on the terminal: one live table, or a line for each change where there is no terminal."""

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

from rich.console import Group
from rich.text import Text

from dmf_cli.errors import DmfError
from dmf_cli.sweeps import view
from dmf_cli.sweeps.board import Board, JobRow
from dmf_cli.terminal.notebook import CellOutput
from dmf_cli.terminal.run_display import Display, make_live
from dmf_cli.terminal.say import say

LOOK = 1.0  # seconds between two looks at the disk


class SweepDisplay(Display):
    """``begin``, then it follows the board by itself, until ``end``.

    ``DMF_DISPLAY`` and what happens to a terminal that goes away are as for single runs.
    """

    def __init__(self, board: Board, mode: str | None = None, console: Any = None) -> None:
        super().__init__(mode, console)
        self.board = board
        self._noted = ""
        self._shown: dict[int, tuple[str, str]] = {}
        self._began = time.monotonic()
        self._done = threading.Event()
        self._looked = 0.0

    @contextlib.contextmanager
    def following(self) -> Iterator["SweepDisplay"]:
        """Show the board's changes inside the block, and the whole table after it."""
        for row in self.board.rows:
            self._shown[row.job.number] = ("waiting", "") if row.state != "completed" else ("completed", "")
        ticker = threading.Thread(target=self._tick, daemon=True)
        live = make_live(self.console, self.panel, transient=True) if self.mode == "live" else None
        self._live = live
        try:
            if self._live is not None:
                with self._guarded():
                    self._live.start(refresh=True)
            ticker.start()
            yield self
        finally:
            self._done.set()
            ticker.join()
            self.report()
            self.stop()
            width = self.console.width if self.mode == "live" else None
            self._say(view.table(self.board.rows, width=width))
            self._say(view.totals(self.board.rows, time.monotonic() - self._began, None))

    def panel(self) -> Group:
        """What the live part shows: never taller or wider than the terminal."""
        rows, size = self.board.rows, self.console.size
        room = size.height - 3 - bool(self.board.note)
        left = self.board.seconds_left()
        lines: list[Any] = [view.progress(rows, time.monotonic() - self._began, left, size.width)]
        if room < 2:
            return Group(*lines)
        lines.append(view.table(rows, room, size.width))
        for text, style in ((view.left_out(rows, room), "dim"), (self.board.note, "yellow")):
            lines += [Text(text, style=style, no_wrap=True, overflow="ellipsis")] if text else []
        return Group(*lines)

    def _tick(self) -> None:
        while not self._done.wait(LOOK):
            with contextlib.suppress(OSError, DmfError):
                self.board.look()
            self.report()
            if isinstance(self._live, CellOutput):
                self._live.refresh(force=False)

    def report(self) -> None:
        """Say what has changed: failures always and at once, the rest where there is no table."""
        if self.board.note != self._noted and self.mode == "plain":
            self._say(self.board.note)
        self._noted = self.board.note
        for row in self.board.rows:
            now = (row.state, row.message if row.state == "failed" else "")
            if self._shown.get(row.job.number) == now:
                continue
            self._shown[row.job.number] = now
            if row.state == "failed":
                self._failed(row)
            elif self.mode == "plain" and row.state != "same":
                self._say(view.line(row, len(self.board.rows)))

    def _failed(self, row: JobRow) -> None:
        text = f"error: job {row.job.number} ({row.job}): {row.message or 'it failed'}"
        if self._live is not None:
            self._say(Text(text, style="bold red"))
        else:
            say(text, error=True)
