"""A bad input and how it is answered: one line that names the thing, exit code 1 or 2, and nothing else."""

import contextlib
import dataclasses
import hashlib
import io
import os
import signal
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dmf_cli.cli.main import main
from dmf_cli.errors import DmfError
from dmf_cli.parts import plugins

SECONDS = 60  # far more than any answer takes, so that a busy machine is no fault
NOT_SAID = ("Traceback", "this is a defect of dmf", " object at 0x")


@dataclasses.dataclass(frozen=True)
class Case:
    """One input.

    Args:
        kind: what it is an input of.
        name: which one.
        give: makes it in an empty folder, and returns the words of a command or a function to call.
        names: what the line has to name.
        may_pass: it is bad, but for a command that reports what is there: no error is an answer too.
    """

    kind: str
    name: str
    give: Callable[[Path], list[str] | Callable[[], Any]]
    names: str = ""
    may_pass: bool = False


class HangError(BaseException):
    """No answer yet."""


def fault(case: Case, folder: Path) -> str:
    """What is wrong with the answer to ``case``, which is made in ``folder``; empty for nothing."""
    with contextlib.chdir(folder), plugins.isolated():
        given = case.give(folder)
        before = _files(folder)
        try:
            with _limited():
                code, text = _words(given) if isinstance(given, list) else _called(given)
        except HangError:
            return f"hangs: no answer within {SECONDS} seconds"
        except BaseException as error:  # also what would leave the process
            if type(error) is KeyboardInterrupt:
                raise
            return f"{type(error).__name__}: {str(error)[:300]}"
        after = _files(folder)
    if changed := sorted({one for one, _ in before ^ after}):
        return f"changes {', '.join(changed[:3])}"
    return _said(case, code, text)


def _said(case: Case, code: int, text: str) -> str:
    lines = [line for line in text.splitlines() if line.startswith("error: ")]
    if said := next((word for word in NOT_SAID if word in text), None):
        return f"says {said!r}: {text[-300:]}"
    if not text.replace("\n", "").isprintable():
        return f"prints what a terminal acts on: {text[-300:]!r}"
    if code == 0:
        return "" if case.may_pass else "is accepted"
    if code not in (1, 2):
        return f"exit code {code}"
    if len(lines) != 1:
        return f"{len(lines)} lines with an error: {text[-300:]}"
    return "" if case.names in text else f"does not name {case.names!r}: {lines[0][:300]}"


def _words(words: list[str]) -> tuple[int, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    return code, err.getvalue()


def _called(function: Callable[[], Any]) -> tuple[int, str]:
    """What a command would say, whose work ``function`` is."""
    try:
        function()
    except DmfError as error:
        lines = str(error).splitlines()
        return error.exit_code, f"error: {lines[0]}" + "".join(f"\n{line}" for line in lines[1:])
    return 0, ""


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise HangError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _files(folder: Path) -> set[tuple[str, str]]:
    """Every file and folder below, with what it holds."""
    found = set()
    for here, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(here, name)
            mode = path.lstat().st_mode
            content = f"{stat.S_IFMT(mode)} {path.lstat().st_size if stat.S_ISREG(mode) else ''}"
            if stat.S_ISREG(mode) and path.stat().st_size < 2**20:
                content = hashlib.sha256(path.read_bytes()).hexdigest()
            found.add((str(path.relative_to(folder)), content))
    return found
