"""What a run shows while it is running: a live panel in a terminal or a notebook, plain lines elsewhere, or
nothing.

The trainer drives it with plain values; it knows nothing of Keras. Whatever happens to the terminal
(narrow, without UTF-8, closed), the run continues, without a display.
"""

import atexit
import contextlib
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, cast

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from dmf_cli import __version__, interrupts
from dmf_cli.errors import ConfigError
from dmf_cli.escapes import visible
from dmf_cli.terminal import notebook, run_view
from dmf_cli.terminal.console import SafeConsole
from dmf_cli.terminal.notebook import CellOutput
from dmf_cli.terminal.say import say

Mode = Literal["live", "plain", "quiet"]
MODES = ("auto", "live", "plain", "quiet")
log = logging.getLogger("dmf")
REFRESH = 2  # times a second: drawing takes some milliseconds of a core that training wants


class Display:
    """``start``, then ``batch`` and ``epoch`` as the run goes, then ``finish`` or ``stop``.

    Args:
        mode: ``live``, ``plain`` or ``quiet``; ``auto`` is live in a terminal and in a notebook, else plain.
            Default: what the environment variable ``DMF_DISPLAY`` says, else ``auto``.
        console: where to (default: standard output).
    """

    def __init__(self, mode: str | None = None, console: Console | None = None) -> None:
        self.console = console or make_console()
        self.mode = _mode(mode or os.environ.get("DMF_DISPLAY") or "auto", self.console)
        self.progress = run_view.Progress()
        self.clock = _Clock()
        self._live: Live | CellOutput | None = None
        self._warnings = _Warnings(self)

    def start(self, run: Mapping[str, Any]) -> None:
        """Say what runs on what, then begin.

        Args:
            run: any of ``run runtime dataset images model parameters terms weighting auxiliary epochs
                steps batch_size monitor first_epoch``; ``first_epoch`` is the number of finished epochs.
        """
        first = run.get("first_epoch", 0)
        self.progress = run_view.Progress(run.get("epochs", 0), run.get("steps", 0), first)
        self.progress.monitor = run.get("monitor", self.progress.monitor)
        self.progress.terms = tuple(run.get("terms", ()))
        self.progress.phase = "compiling"
        self.clock = _Clock()
        said = [Text.assemble((f"{label:<10}", "dim"), text) for label, text in run_view.banner(run)]
        self._say(Text("\n").join([Text(f"dmf {__version__}", style="bold"), *said]))
        log.addHandler(self._warnings)
        atexit.register(self.stop)  # the cursor comes back even after SystemExit
        if self.mode == "live":
            self._say(Text())
            self._begin_live()

    def note(self, text: str) -> None:
        """A line before the start: what takes the time until then."""
        self._say(Text(text, style="dim"))

    def batch(self, step: int, steps: int | None) -> None:
        """Step ``step`` (from 0) of ``steps`` begins. Stores two numbers; only a notebook is drawn here."""
        self.progress.step, self.progress.steps = step + 1, steps or self.progress.steps
        self.clock.step(step)
        if step and self.progress.phase:
            self.progress.phase = ""
        if isinstance(self._live, CellOutput):
            self._live.refresh(force=False)

    def epoch(self, row: Mapping[str, Any]) -> None:
        """An epoch is over: ``row`` as in ``epochs.csv``, and ``best``, ``best_epoch``, ``skipped``."""
        self.progress.done = int(row["epoch"])
        self.progress.phase = ""
        if self.progress.done < self.progress.epochs:
            self.progress.step = 0
        self.progress.rows = [*self.progress.rows, dict(row)][-run_view.TREND :]
        self.clock.epoch(row.get("seconds"))
        self.progress.eta = self.clock.left(self.progress)
        if self.mode == "plain":
            self._say(run_view.line(row, self.progress))
        elif self._live is not None:
            with self._guarded():
                self._live.refresh()

    def back(self, epoch: int) -> None:
        """The run goes on after ``epoch``, to which it was rolled back."""
        self.progress.done, self.progress.step = epoch, 0
        self.progress.rows = [row for row in self.progress.rows if int(row["epoch"]) <= epoch]
        self.clock = _Clock()

    def phase(self, text: str) -> None:
        """Say what happens after the training, e.g. ``scoring the test split``."""
        self.progress.phase, self.progress.eta = text, None
        if self.mode == "plain":
            self._say(text)

    def stopping(self, text: str) -> None:
        """Say that the run was asked to end. Called by the handler of a signal, which may have interrupted
        any output: so it is written past the console, or left to the thread that draws.
        """
        if self._live is not None:
            self.progress.phase = text
        elif self.mode != "quiet":
            interrupts.write_line(text)

    def finish(self, scores: Any, path: Path | str) -> None:
        """End the live part and show the results.

        Args:
            scores: what Rich can print, or None.
            path: the run folder.
        """
        self.progress.phase = "done"
        self.stop()
        if self.mode == "quiet":
            return
        self._say(Text())
        if scores is not None:
            self._say(scores)
        skipped = self.progress.rows[-1].get("skipped", 0) if self.progress.rows else 0
        if skipped:
            what = f"{skipped} of the training steps: a loss was NaN or infinite, so they made no update"
            self._say(Text.assemble(("skipped   ", "dim"), (what, "bold red")))
        self._say(Text.assemble(("results   ", "dim"), str(path)))

    def stop(self) -> None:
        """End the live part and give the terminal back; safe to call twice."""
        atexit.unregister(self.stop)
        log.removeHandler(self._warnings)
        live, self._live = self._live, None
        if live is not None:
            with self._guarded():
                live.stop()

    def _begin_live(self) -> None:
        self._live = make_live(self.console, self._panel)
        with self._guarded():
            self._live.start(refresh=True)

    def _panel(self) -> run_view.RunPanel:
        if self.progress.phase in ("", "compiling"):
            self.progress.eta = self.clock.left(self.progress)
        return run_view.RunPanel(self.progress)

    def _say(self, what: Any) -> None:
        """Print above the live part. Text is not wrapped when it goes to a file."""
        if self.mode == "quiet":
            return
        with self._guarded():
            text = Text(what) if isinstance(what, str) else what
            if self.console.is_jupyter:
                notebook.show(text)
                return
            self.console.print(
                text, soft_wrap=self.mode == "plain" and isinstance(text, Text), highlight=False
            )
            self.console.file.flush()

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """A terminal that is gone, or a full disk behind ``>``, must not end the training."""
        try:
            yield
        except (OSError, ValueError) as error:
            live, self._live, self.mode = self._live, None, "quiet"
            log.info("no display any more: %s", error)
            with contextlib.suppress(OSError, ValueError):
                if live is not None:
                    live.stop()


class _Clock:
    """Seconds left, from the epochs so far; from the steps so far in the first one."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.began: float | None = None  # of the current epoch
        self.second_step: float | None = None  # the first step compiles: its time says nothing
        self.before = 1  # steps until then; more in an epoch that was begun before

    def step(self, step: int) -> None:
        if step == 0:
            self.began = time.monotonic()
        elif self.second_step is None:
            self.second_step, self.before = time.monotonic(), step

    def epoch(self, seconds: float | None) -> None:
        if seconds is not None:
            compiling = 0.0
            if not self.seconds and self.began is not None and self.second_step is not None:
                compiling = self.second_step - self.began
            self.seconds.append(max(0.0, float(seconds) - compiling))
        self.began = None

    def left(self, progress: run_view.Progress) -> float | None:
        """Seconds until the last epoch is over, None while there is nothing to go by."""
        now, epochs = time.monotonic(), progress.epochs - progress.done
        if self.seconds:
            recent = sorted(self.seconds[1:][-5:] or self.seconds)
            gone = min(now - self.began, recent[0]) if self.began is not None else 0.0
            return max(0.0, epochs * recent[len(recent) // 2] - gone)
        if self.second_step is None or progress.step < 4:
            return None
        finished = progress.step - 1
        per_step = (now - self.second_step) / max(1, finished - self.before)
        return max(0.0, per_step * (epochs * progress.steps - finished))


class SafeLive(Live):
    """Its thread must not print tracebacks when the terminal is gone."""

    def refresh(self) -> None:
        """Draw, or stop drawing."""
        try:
            super().refresh()
        except (OSError, ValueError):
            self.auto_refresh = False
            if self._refresh_thread is not None:
                self._refresh_thread.stop()


def make_live(
    console: Console, panel: Callable[[], RenderableType], *, transient: bool = False
) -> Live | CellOutput:
    """What is drawn again and again on ``console``: by a thread, or in a notebook when it is asked."""
    if console.is_jupyter:
        return CellOutput(panel, transient=transient)
    return SafeLive(
        get_renderable=panel,
        console=console,
        refresh_per_second=REFRESH,
        redirect_stdout=console.file is sys.stdout,
        redirect_stderr=console.file is sys.stdout,
        transient=transient,
    )


class _Warnings(logging.Handler):
    """Shows what goes to the run's log as a warning; errors reach the user in another way."""

    def __init__(self, display: Display) -> None:
        super().__init__(logging.WARNING)
        self.display = display

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno == logging.WARNING:
            self.display._say(Text(f"warning: {visible(record.getMessage())}", style="yellow"))


def make_console() -> Console:
    """Standard output; characters that it cannot show become ``?`` instead of an exception."""
    with contextlib.suppress(AttributeError, ValueError, OSError):
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    return SafeConsole(highlight=False)


def _mode(wanted: str, console: Console) -> Mode:
    if wanted not in MODES:
        # The run's folder is claimed already: a wrong wish about the display is no reason to stop.
        say(f"warning: {ConfigError(key='DMF_DISPLAY', value=wanted, allowed=MODES)}", error=True)
        wanted = "auto"
    if wanted == "auto":
        lively = console.is_terminal and not console.is_dumb_terminal
        return "live" if lively or console.is_jupyter else "plain"
    return cast(Mode, wanted)
