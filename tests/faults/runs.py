"""The tiny run that is disturbed: a checkpoint after every step, scores, figures of one pixel."""

import contextlib
import dataclasses
import io
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from dmf_cli.cli.main import main
from dmf_cli.run_folder.folder import RunFolder

TINY = (
    *("dataset.count=16", "dataset.image_size=32", "dataset.size=32", "augment=none"),
    *("model.filters=4", "model.depth=1", "model.convs=1", "model.dropout=0.2", "loss=dice+bce"),
    *("trainer.epochs=3", "trainer.batch_size=4", "trainer.checkpoint_minutes=1e-6", "report=false"),
)
PATIENCE = 300.0  # seconds, after which a child hangs


@dataclasses.dataclass(frozen=True)
class End:
    """How a command ended.

    Args:
        code: exit code; negative: killed by that signal.
        errors: the lines that it wrote to standard error and that are errors or of a traceback.
        seconds: until then.
    """

    code: int
    errors: tuple[str, ...]
    seconds: float

    @property
    def one_line(self) -> bool:
        """Whether it said what was wrong in one line, and no more."""
        return len(self.errors) == 1 and self.errors[0].startswith("error: ")


def train(run: Path, *words: str) -> list[str]:
    """The command that trains the run."""
    return ["train", *TINY, f"run_dir={run}", *words]


def resume(run: Path) -> list[str]:
    """The command that resumes it."""
    return ["resume", str(run)]


def command(words: list[str]) -> End:
    """``dmf WORDS`` in this process."""
    begun, said = time.monotonic(), io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        code = main(words)
    return End(code, errors(said.getvalue()), time.monotonic() - begun)


def finished(run: Path) -> End:
    """`dmf resume`, in this process; of a complete run nothing is left to do, so all must be there."""
    if RunFolder(run).read_status().get("state") == "completed":
        return End(0, (), 0.0)
    return command(resume(run))


def errors(text: str) -> tuple[str, ...]:
    """The lines of standard error that say that something is wrong."""
    lines = text.splitlines()
    return tuple(line for line in lines if line.startswith("error: ") or "Traceback" in text)


@contextlib.contextmanager
def one_network() -> Iterator[None]:
    """All runs inside the block, which must have one config, are trained with the same compiled network.

    To build and to trace it takes most of a tiny run. A new run gets the values that the first one began
    with, a resumed one those of its checkpoint: what that lacked would be left from the run before.
    """
    from dmf_cli.training import build

    if hasattr(build.fused_model, "of_all"):  # inside another block
        yield
        return
    made, first = list[Any](), dict[str, Any]()
    real, compiled = build.fused_model, build.compile_model

    def network(*arguments: Any, restored: bool = False) -> Any:
        if not made:
            made.append(real(*arguments, restored=restored))
        elif not restored:
            for key, variable in _variables(made[0]).items():
                variable.assign(first[key])
        return made[0]

    def scores(*arguments: Any) -> Any:
        if len(made) == 1:
            made.append(compiled(*arguments))
            first.update({key: np.array(variable) for key, variable in _variables(made[0]).items()})
        return made[1]

    network.of_all = True  # type: ignore[attr-defined]
    with (
        mock.patch.object(build, "fused_model", network),
        mock.patch.object(build, "compile_model", scores),
    ):
        yield


def _variables(model: Any) -> dict[str, Any]:
    owners = {"model": model.variables, "optimizer": model.optimizer.variables}
    return {f"{owner}/{i}": v for owner, found in owners.items() for i, v in enumerate(found)}


class Child:
    """``work()`` in a fork of this process, which must not have used TensorFlow or JAX yet.

    It is a command: its signals, exit code and standard error are those of ``dmf``.
    """

    def __init__(self, work: Callable[[], int]) -> None:
        self.begun = time.monotonic()
        reading, writing = os.pipe()
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(reading)
            _become(work, writing)
        os.close(writing)
        self._reading = reading

    def send(self, number: int) -> None:
        """Send a signal; nothing happens if it has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def wait(self, patience: float = PATIENCE) -> End | None:
        """How it ended; None where it has not, within ``patience`` seconds."""
        until = time.monotonic() + patience
        while time.monotonic() < until:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                seconds = time.monotonic() - self.begun
                with os.fdopen(self._reading, "rb") as said:
                    text = said.read().decode(errors="replace")
                return End(os.waitstatus_to_exitcode(status), errors(text), seconds)
            time.sleep(0.005)
        return None

    def end(self) -> End:
        """How it ended; one that hangs is killed."""
        ended = self.wait()
        if ended is None:
            self.send(signal.SIGKILL)
            ended = self.wait()
            assert ended is not None
            return dataclasses.replace(ended, errors=(*ended.errors, "Traceback: it hung"))
        return ended


def child(words: list[str], around: contextlib.AbstractContextManager[object] | None = None) -> Child:
    """``dmf WORDS`` as a command of its own, inside the context ``around``."""

    def work() -> int:
        sys.argv = ["dmf", *words]
        with around or contextlib.nullcontext():
            return main()

    return Child(work)


def _become(work: Callable[[], int], errors_to: int) -> None:
    """Never returns: neither does the child unwind what is its parent's."""
    code = 99
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor, target in ((nowhere, 0), (nowhere, 1), (errors_to, 2)):
            os.dup2(descriptor, target)
        # Those of the parent know whether they are files.
        sys.stdout, sys.stderr = (open(number, "w", closefd=False) for number in (1, 2))  # noqa: SIM115
        code = work()
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stderr.flush()
        os._exit(code)
