"""Jobs through a launcher of Hydra (joblib, submitit, Ray): on other processes, other nodes.

A worker does with its job what the sweep itself would do: skips it if it is done, resumes it if it
is broken, and trains it in a process of its own. What became of it is read from disk.
"""

import contextlib
import dataclasses
import functools
import logging
import math
import os
import pickle
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dmf_cli import interrupts
from dmf_cli.config import composer
from dmf_cli.errors import DmfError, RunError
from dmf_cli.files import disk_errors, write_atomic
from dmf_cli.jobs import process
from dmf_cli.jobs.process import environment, python
from dmf_cli.run_folder import identity, places
from dmf_cli.run_folder.index import alive
from dmf_cli.sweeps.board import Board, JobRow, failure_file
from dmf_cli.sweeps.jobs import SweepJob, SweepPlan
from dmf_cli.sweeps.runner import AGAIN, STOPPING, SweepRunner

log = logging.getLogger("dmf")

# Launchers whose workers have no use without the sweep that waits for them.
ATTACHED = ("joblib", "submitit_local")
AT_ONCE = "at once"  # in the stop file: jobs do not save their state
SETTLE = 10.0  # seconds that workers may take to end their jobs at once
PAUSE = 0.1  # seconds between two looks at the launcher

# For each job that the launcher had: whether it failed, and why.
Returns = list[tuple[bool, str]]


@dataclasses.dataclass(frozen=True)
class Task:
    """What a worker does with the config that Hydra has composed there; travels as a pickle.

    Args:
        stop_file: begin nothing more once this file is there, and let running jobs save and end.
        stop_on_error: whether a job that fails makes that file.
        parent: host and number of the process without which a worker shall end, or None.
        module: what the process of the job runs.
    """

    stop_file: str
    stop_on_error: bool = False
    parent: tuple[str, int] | None = None
    module: str = process.MODULE

    def __call__(self, config: Any) -> None:
        """Run the job.

        Raises:
            RunError: it failed; the message is on disk too.
        """
        checked = composer.finish(config)
        job = SweepJob(1, _overrides(), checked, identity.run_id(checked), {})
        board = Board([job])
        start = functools.partial(process.Process, module=self.module)
        runner = SweepRunner(board, wanted=self._wanted, start=start)
        with contextlib.suppress(KeyboardInterrupt):
            if self._wanted():
                runner.run()
        (row,) = board.rows
        if row.state == "failed":
            self._tell(row)
            raise RunError(row.message)

    def _wanted(self) -> bool:
        """Whether to continue.

        Raises:
            KeyboardInterrupt: not even long enough to save.
        """
        here = self.parent is not None and self.parent[0] == socket.gethostname()
        if here and self.parent and not alive(self.parent[1]):
            return False
        try:
            asked = Path(self.stop_file).read_text(encoding="utf-8")
        except OSError:
            return True
        if asked == AT_ONCE:
            raise KeyboardInterrupt
        return False

    def _tell(self, row: JobRow) -> None:
        """The sweep reads this long before the launcher returns."""
        write_atomic(failure_file(row.job), f"{row.message}\n")
        if self.stop_on_error:
            write_atomic(Path(self.stop_file), "")


def launch(plan: SweepPlan, board: Board) -> bool:
    """Run what is to be run through the launcher of ``plan``, and wait for it.

    Returns:
        Whether it was interrupted. Workers here then save and end; jobs in the queue of a cluster stay there.

    Raises:
        RunFolderError: the output folder cannot be written to.
        RunError: the launcher itself failed, such as SLURM where there is none.
    """
    rows = board.of("waiting", "running")  # another process may give up what it runs
    for row in rows:
        with disk_errors(failure_file(row.job)):
            failure_file(row.job).parent.mkdir(parents=True, exist_ok=True)
            failure_file(row.job).unlink(missing_ok=True)
    stop = places.sweep_folder(plan.jobs[0].config) / f"stop-{socket.gethostname()}-{os.getpid()}"
    task = Task(
        str(stop.absolute()),
        plan.settings.on_error == "stop",
        (socket.gethostname(), os.getpid()) if plan.launcher in ATTACHED else None,
        process.MODULE,
    )
    begin = functools.partial(_attended, board, stop) if plan.launcher in ATTACHED else through_hydra
    interrupted = False
    try:
        if rows:
            _note(board, rows, begin(plan, [row.job for row in rows], task))
    except KeyboardInterrupt:
        interrupted = True
        board.look()
        # What a cluster works on continues.
        _leave(board, *(("loading", "running") if plan.launcher in ATTACHED else ()))
    finally:
        for file in (stop, *(failure_file(row.job) for row in rows)):
            file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            stop.parent.rmdir()
    return interrupted


def through_hydra(plan: SweepPlan, jobs: Sequence[SweepJob], task: Task) -> Returns:
    """Hand ``jobs`` to the launcher of ``plan``, and wait for it.

    Raises:
        RunError: the launcher itself failed.
    """
    from hydra._internal.callbacks import Callbacks
    from hydra.core.plugins import Plugins
    from hydra.core.utils import JobStatus
    from hydra.types import HydraContext

    with composer.loaded(plan.overrides) as (loader, config):
        context = HydraContext(config_loader=loader, callbacks=Callbacks(config))
        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=context, task_function=task, config=config
        )
        folder = Path(str(config.hydra.sweep.dir))
        try:
            found = launcher.launch([list(job.overrides) for job in jobs], initial_job_idx=0)
        except Exception as error:  # of the plugin, or of what it talks to
            log.debug("the launcher failed", exc_info=True)
            text = " ".join(str(error).split()) or type(error).__name__
            raise RunError(f"hydra/launcher={plan.launcher} failed", hint=text) from error
        finally:
            places.remove_empty([folder.parent.parent, folder.parent, folder])
    failed = [one.status == JobStatus.FAILED for one in found]
    return [(bad, str(one._return_value) if bad else "") for bad, one in zip(failed, found, strict=True)]


def _attended(board: Board, stop: Path, plan: SweepPlan, jobs: Sequence[SweepJob], task: Task) -> Returns:
    """:func:`through_hydra` for launchers whose workers are here: in a process that no Ctrl-C reaches. The
    the file ``stop`` says so to the workers, they save their jobs, and the launcher ends as it always does.

    Raises:
        RunError: the launcher itself failed.
        KeyboardInterrupt: it was asked for, and the workers have ended.
    """
    asked: list[int] = []

    def on_signal(number: int, frame: Any) -> None:
        asked.append(number)
        interrupts.note(number)
        board.note = STOPPING + AGAIN
        if len(asked) > 2:
            raise KeyboardInterrupt

    with tempfile.TemporaryFile() as answer, interrupts.handled(on_signal):
        process = subprocess.Popen(
            python("dmf_cli.sweeps.launcher", str(answer.fileno())),
            stdin=subprocess.PIPE,
            env=environment(),
            pass_fds=[answer.fileno()],
            start_new_session=True,
        )
        try:
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError), process.stdin as file:
                file.write(pickle.dumps((plan, jobs, task)))
            _wait(process, asked, stop)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        answer.seek(0)
        text = answer.read()
    if asked:
        raise KeyboardInterrupt
    found: Returns | DmfError = (
        pickle.loads(text) if text else RunError(f"hydra/launcher={plan.launcher} died")
    )
    if isinstance(found, DmfError):
        raise found
    return found


def _wait(process: "subprocess.Popen[bytes]", asked: Sequence[int], stop: Path) -> None:
    """Until ``process`` has ended, of itself or because of what was ``asked``; not long if asked twice."""
    heard, until = 0, math.inf
    while process.poll() is None and time.monotonic() < until:
        if len(asked) > heard:
            heard = len(asked)
            write_atomic(stop, AT_ONCE if heard > 1 else "")
            until = time.monotonic() + SETTLE if heard > 1 else math.inf
        time.sleep(PAUSE)


def _note(board: Board, rows: Sequence[JobRow], returns: Returns) -> None:
    """What only the launcher knows: a job that failed before it had a folder, a worker that died."""
    board.look()
    for row, (failed, why) in zip(rows, returns, strict=False):
        if failed and row.state != "failed":
            board.set(row.job, "failed", " ".join(why.split()))
    _leave(board, "loading", "running")


def _leave(board: Board, *states: str) -> None:
    """Jobs that wait, or are in these states, are not done in this sweep."""
    for row in board.of("waiting", *states):
        board.set(row.job, "left")


def _overrides() -> tuple[str, ...]:
    """The command line of the worker's job."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    words: Any = OmegaConf.to_container(HydraConfig.get().overrides.task, resolve=False)
    return tuple(words)
