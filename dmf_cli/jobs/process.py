"""A job in a process of its own, from the side of the one who wants it done."""

import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from dmf_cli.config.typed import Config
from dmf_cli.interrupts import INTERRUPTED, SIGNALS, TERMINATED
from dmf_cli.jobs.share import Share

TAIL = 64_000  # bytes of the output in which the error is looked for
MODULE = "dmf_cli.jobs.child"
# How a job ends that was asked to: after its bookkeeping, or killed before it could take the signal.
STOPPED = (INTERRUPTED, TERMINATED, -signal.SIGINT, -signal.SIGTERM)


class Handle(Protocol):
    """What is used here of :class:`subprocess.Popen`; ``pid`` is None before it is known."""

    @property
    def pid(self) -> int | None:
        """Its number."""

    def poll(self) -> int | None:
        """Its exit code, None while it runs."""

    def wait(self) -> int:
        """Its exit code, once it has ended."""

    def send_signal(self, number: int, /) -> None:
        """Send it."""

    def kill(self) -> None:
        """End it at once, with whatever it started."""


class Process:
    """A run that trains in a process of its own; it ends when this process does.

    Args:
        config: checked, as :func:`dmf_cli.config.compose` gives it.
        overrides: the command line that says the same, for ``environment.json``.
        resume: a run folder to resume, or None for a new run.
        keep: file descriptors that the process shall hold open, such as a lock.
        share: the part of the machine that it may use; None for all of it.
        module: what is run, :mod:`dmf_cli.jobs.child` by default (tests put a stub in its place).
        fork: makes the process, as :meth:`dmf_cli.jobs.forks.Warm.fork` does; None: one for itself.

    Example:
        >>> process = Process(config)
        >>> while process.poll() is None:
        ...     time.sleep(1)
        >>> process.error()
        ''
    """

    def __init__(
        self,
        config: Config,
        overrides: Sequence[str] = (),
        *,
        resume: Path | None = None,
        keep: Sequence[int] = (),
        share: Share | None = None,
        module: str | None = None,
        fork: Callable[[int, int, Sequence[int]], "Handle"] | None = None,
    ) -> None:
        task = {
            "config": config.plain,
            "overrides": list(overrides),
            "resume": resume and str(resume),
            "share": (share or Share()).plain,
        }
        self.began = time.monotonic()
        # A file and not a pipe: nobody has to read along.
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `poll`
        self._text = ""
        given, write = os.pipe()
        self._input = os.fdopen(write, "wb")
        try:
            fork = fork or functools.partial(_spawned, module or MODULE)
            self._process = fork(given, self._output.fileno(), keep)
        finally:
            os.close(given)
        with contextlib.suppress(BrokenPipeError):  # it ended at once: `error` knows why
            self._input.write(json.dumps(task).encode() + b"\n")
            self._input.flush()

    @property
    def pid(self) -> int | None:
        """The process's number; None before it is known."""
        return self._process.pid

    def poll(self) -> int | None:
        """The exit code, None while it runs: 0 done, 130 interrupted, 143 the same by SIGTERM, negative:
        killed by that signal.
        """
        code = self._process.poll()
        if code is not None and not self._output.closed:
            self._text = self._read()
            self._output.close()
            with contextlib.suppress(OSError):
                self._input.close()
        return code

    def interrupt(self) -> None:
        """Let it save its state and end, as Ctrl-C does."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """End it at once, with whatever it started."""
        self._process.kill()
        self._process.wait()
        self.poll()

    def error(self) -> str:
        """Why it failed, in one line; empty if it is still running, done or interrupted."""
        code = self.poll()
        if code in (None, 0, 130):
            return ""
        if code < 0 or code == TERMINATED:
            name = "SIGTERM" if code == TERMINATED else signal.Signals(-code).name
            why = ", perhaps for want of memory" if name == "SIGKILL" else ""
            return f"its process was ended by {name}{why}"
        lines = [line.strip() for line in self._text.splitlines() if line.strip()]
        errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
        return (errors or lines or [f"its process ended with code {code} and said nothing"])[-1]

    def _read(self) -> str:
        size = self._output.seek(0, os.SEEK_END)
        self._output.seek(max(0, size - TAIL))
        return self._output.read().decode("utf-8", errors="replace")


class _Popen(subprocess.Popen[bytes]):
    """A process with a session of its own, which ends with all in it."""

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)


def _spawned(module: str, given: int, output: int, keep: Sequence[int]) -> Handle:
    with blocked():
        return _Popen(
            python(module),
            stdin=given,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment(),
            pass_fds=tuple(keep),
            # Ctrl-C in the terminal shall reach the sweep only, which then decides.
            start_new_session=True,
        )


@contextlib.contextmanager
def blocked() -> Iterator[None]:
    """What starts inside the block begins with the signals that ask to end waiting, until it can take them:
    before it has a handler they would kill it.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def python(module: str, *words: str) -> list[str]:
    """The command that runs ``module``: never a file of the working folder, which may be anybody's.

    To be run with :func:`environment`.
    """
    return [sys.executable, "-P", "-m", module, *words]


def environment() -> dict[str, str]:
    """Packages are found where this process finds them; the display is the sweep's."""
    found = os.pathsep.join(dict.fromkeys(folder for folder in sys.path if folder))
    return {**os.environ, "PYTHONPATH": found, "DMF_DISPLAY": "quiet"}
