"""Ctrl-C and SIGTERM: who takes them, what the first one does, and that the second one ends at once.

A ``KeyboardInterrupt`` may come up anywhere, also in a callback of C++ code that loses it, or takes it for
an error of its own. So while a network is trained or scored the first signal is only noted, and raised
between two batches (:class:`Deferred`). A process that is a command of its own (:func:`install`) ends at the
second Ctrl-C without unwinding anything, after the last bookkeeping was done.
"""

import atexit
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

from dmf_cli import quiet

SIGNALS = (signal.SIGINT, signal.SIGTERM)
INTERRUPTED, TERMINATED = 130, 143  # exit codes: 128 and the number of the signal
STOPPING = "stopping after this step; Ctrl-C again stops at once"


@contextlib.contextmanager
def handled(handler: Callable[[int, Any], None]) -> Iterator[None]:
    """``handler(number, frame)`` takes the signals that ask to end, inside the block; those that are ignored
    (`nohup`) stay so, and in a thread, where none can be set, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    # None: set by something that is not Python, which could not be set again.
    before = {number: earlier for number, earlier in before.items() if earlier not in (signal.SIG_IGN, None)}
    for number in before:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


class Command:
    """What a process that is one command knows about the signals that asked it to end."""

    def __init__(self, *, defers: bool = False) -> None:
        self.home, self.defers = os.getpid(), defers
        self.first: int | None = None
        self.ending = False  # nothing is left to unwind: another signal just ends it
        self.last_words: Callable[[], str] = lambda: ""

    @property
    def exit_code(self) -> int:
        """What the process ends with, as the first signal wants it."""
        return TERMINATED if self.first == signal.SIGTERM else INTERRUPTED

    def on_signal(self, number: int, frame: Any) -> None:
        """The first one interrupts or is noted, a second Ctrl-C ends at once."""
        if _forked(self.home, number):
            return
        first = self.first is None
        self.first = self.first or number
        if first and not self.ending:
            if self.defers:
                return
            raise KeyboardInterrupt
        if number == signal.SIGINT or self.ending:
            self.end_now()

    def end_now(self, what: str = "interrupted", code: int | None = None) -> None:
        """Do the bookkeeping that is left, say the last words, and end."""
        text = ""
        with contextlib.suppress(Exception):
            text = self.last_words()
        with contextlib.suppress(Exception):
            sys.stdout.flush()
        if not self.ending:
            write_line(": ".join([what, *filter(None, [text])]))
        os._exit(self.exit_code if code is None else code)


_command: Command | None = None


def install(*, defers: bool = False) -> None:
    """From now on this process is one command: Ctrl-C and SIGTERM interrupt it, a second Ctrl-C ends it.

    What is ignored stays ignored, and in a thread nothing changes.

    Args:
        defers: the first signal is only noted, for :func:`check` and :class:`Deferred`: what the process
            does elsewhere, such as importing TensorFlow, loses an exception or takes it for a failure.
    """
    global _command
    if threading.current_thread() is not threading.main_thread():
        return
    _command = Command(defers=defers)
    for number in SIGNALS:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _command.on_signal)
    # Registered first, so it runs last; after it Python takes its handlers away, so that signals would kill.
    atexit.register(_ignore_if_asked)


def asked() -> bool:
    """Whether this process is a command that was asked to end, even if what was raised then got lost."""
    return _command is not None and _command.first is not None


def note(number: int) -> None:
    """A handler of another part took the signal: this process ends with the code that it wants."""
    if _command is not None:
        _command.first = _command.first or number


def check() -> None:
    """Continue, or stop here.

    Raises:
        KeyboardInterrupt: this process is a command that was asked to end.
    """
    if asked():
        raise KeyboardInterrupt


def exit_code() -> int:
    """Of a process that was interrupted: 143 after SIGTERM, else 130."""
    return INTERRUPTED if _command is None else _command.exit_code


def first() -> int:
    """The signal that asked this command to end; that of Ctrl-C where none is known."""
    return signal.SIGINT if _command is None or _command.first is None else _command.first


def end(what: str, code: int) -> None:
    """End this process now, from any thread, after the last bookkeeping of its command."""
    (_command or Command()).end_now(what, code)


def ending() -> None:
    """All is said: a signal from now on ends the process without a word."""
    if _command is not None:
        _command.ending = True


class Deferred:
    """Notes the first signal inside the block, for :meth:`check` to raise where nothing is torn.

    A second Ctrl-C ends a process that is a command at once; elsewhere (a notebook, a job in the process of a
    sweep) it raises ``KeyboardInterrupt`` where it finds itself.

    Args:
        say: called at the first signal, from its handler: it must not print by way of a buffer.
        last_words: bookkeeping to do before the process ends at once; returns the message for the user.

    Example:
        >>> with Deferred() as stop:
        ...     for batch in batches:
        ...         stop.check()
    """

    def __init__(
        self,
        say: Callable[[str], None] | None = None,
        last_words: Callable[[], str] = lambda: "",
    ) -> None:
        self.say, self.last_words = say or write_line, last_words
        self.asked = False
        self._home = os.getpid()
        self._command: Command | None = None
        self._handled = contextlib.ExitStack()

    def __enter__(self) -> "Deferred":
        command = _command
        # Of another handler, such as that of a sweep, this process is not to be ended.
        if command is not None and command.on_signal in [signal.getsignal(number) for number in SIGNALS]:
            self._command = command
            command.last_words = self.last_words
            self.asked = command.first is not None  # it was raised before, and lost
        self._handled.enter_context(handled(self._on_signal))
        return self

    def __exit__(self, *error: object) -> None:
        self._handled.close()
        if self._command is not None and not self.asked:
            self._command.last_words = lambda: ""

    def check(self, *_: Any) -> None:
        """Continue, or stop here; whatever is passed is ignored, so that it can be a callback.

        Raises:
            KeyboardInterrupt: the process was asked to end.
        """
        if self.asked:
            raise KeyboardInterrupt

    def _on_signal(self, number: int, frame: Any) -> None:
        if _forked(self._home, number):
            return
        command, first, self.asked = self._command, not self.asked, True
        if command is not None:
            command.first = command.first or number
        if first:
            self.say(STOPPING)
        elif number == signal.SIGINT:  # more of SIGTERM is what schedulers send to be sure
            if command is None:
                raise KeyboardInterrupt
            command.end_now()


def write_line(text: str) -> None:
    """``text`` to standard error past all buffers: what is interrupted may be in the middle of printing."""
    with contextlib.suppress(OSError):
        os.write(quiet.stderr(), f"{text}\n".encode(errors="replace"))


def _forked(home: int, number: int) -> bool:
    """Whether a library forked this process from ``home``; it then relies on what signals do by default."""
    if os.getpid() == home:
        return False
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return True


def _ignore_if_asked() -> None:
    if asked() and _command is not None and os.getpid() == _command.home:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
