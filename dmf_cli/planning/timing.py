"""Settings are timed in processes of their own: what one leaves behind is no part of the next one's memory.

``python -m dmf_cli.planning.timing`` imports the backend once and forks a process for each setting. Tasks and
answers are pickles, on its standard input and output. Where forking is not safe, with JAX, with CUDA and
outside Linux, it times one setting and ends, and the next one gets a new process.
"""

import contextlib
import os
import pickle
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from dmf_cli import machine
from dmf_cli.config.typed import Config
from dmf_cli.errors import DmfError, RunError, debugging
from dmf_cli.jobs import process
from dmf_cli.planning.settings import Speed

MODULE = "dmf_cli.planning.timing"


class Timer:
    """``measure(config)`` in other processes, which end with the block.

    Args:
        module: what is run (tests put a stub in its place).

    Example:
        >>> with Timer() as measure:
        ...     measure(config).step
        0.21
    """

    def __init__(self, module: str = MODULE) -> None:
        self._module = module
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __call__(self, config: Config) -> Speed:
        """How fast ``config`` is; nothing of it is kept.

        Raises:
            UsageError: what ``dmf train`` would raise for this config.
            OutOfMemoryError: it needs more memory than there is.
            RunError: its training failed, or the process was killed.
        """
        with tempfile.TemporaryDirectory(prefix="dmf-plan-") as folder:
            answer = None
            try:
                answer = self._ask({"config": config.plain, "folder": folder})
            finally:
                if answer is None:  # interrupted, or killed: nothing writes into the folder when it goes
                    self.close()
        if isinstance(answer, Speed):
            return answer
        if isinstance(answer, DmfError):
            raise answer
        hint = "give memory=AMOUNT, or a smaller trainer.batch_size or dataset.image_size"
        raise RunError("the process that timed a setting was killed, perhaps for want of memory", hint=hint)

    def close(self) -> None:
        """End the process, whatever it does."""
        running, self._process = self._process, None
        if running is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(running.pid, signal.SIGKILL)
            running.communicate()

    def _ask(self, task: dict[str, Any]) -> Any:
        """The answer; None: the process ended without one."""
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = self._started()
        tasks, answers = self._process.stdin, self._process.stdout
        assert tasks is not None
        assert answers is not None
        try:
            pickle.dump(task, tasks)
            tasks.flush()
            answer, more = pickle.load(answers)
        except (OSError, EOFError):
            return None
        if not more:
            self.close()
        return answer

    def _started(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            process.python(self._module),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if debugging() else subprocess.DEVNULL,  # TensorFlow's remarks
            env=process.environment(),
            start_new_session=True,  # so that all of it can be ended
        )


def main() -> int:
    """Answer tasks until the input ends."""
    tasks, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints shall not print into the answers
    imports = None
    for task in _tasks(tasks):
        config = Config(task["config"])
        more = forks(config)
        imports = _imported(config) if imports is None else imports
        if not more:
            _end_with_parent()
            _answer(answers, config, Path(task["folder"]), imports, more=False)
            return 0
        child = os.fork()
        if not child:
            _end_with_parent()
            _answer(answers, config, Path(task["folder"]), imports, more=True)
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            pickle.dump((None, True), answers)
            answers.flush()
    return 0


def forks(config: Config) -> bool:
    """Whether a process that has imported the backend may be forked.

    TensorFlow has not started a thread then, as JAX has, and without a GPU there is no context of CUDA.
    """
    return sys.platform == "linux" and config.trainer.backend == "tensorflow" and not machine.gpus()


def _tasks(stream: BinaryIO) -> Iterator[dict[str, Any]]:
    with contextlib.suppress(EOFError):
        while True:
            yield pickle.load(stream)


def _imported(config: Config) -> float:
    """Import what a run of ``config`` imports before anything else; the seconds that it takes."""
    from dmf_cli import runtime

    began = time.perf_counter()
    with contextlib.suppress(DmfError):  # each timing says so
        runtime.import_backend(config.trainer.backend)
    import dmf_cli.training.session  # noqa: F401

    return time.perf_counter() - began


def _answer(answers: BinaryIO, config: Config, folder: Path, imports: float, *, more: bool) -> None:
    pickle.dump((_measured(config, folder, imports), more), answers)
    answers.flush()


def _measured(config: Config, folder: Path, imports: float) -> Speed | DmfError:
    from dmf_cli.planning import speed
    from dmf_cli.run_folder import run_plugins
    from dmf_cli.training import endings

    try:
        run_plugins.activate(config)
        return speed.of_run(config, folder, imports)
    except DmfError as error:
        return error
    except Exception as error:
        if debugging():
            raise
        return RunError(
            f"the timing of a setting failed with {type(error).__name__}", hint=endings.first_line(error)
        )


def _end_with_parent() -> None:
    """From now on this process ends when the one does that wants the answers, however it ends."""
    closed = select.poll()
    closed.register(0, 0)  # no event but that nobody can write any more: a next task is left unread

    def wait() -> None:
        closed.poll()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
