"""Jobs through a launcher of Hydra (joblib, submitit, Ray): on other processes, other nodes.

A worker does with its job what the sweep itself would do: skips it if it is done, goes on with it if it
is broken, and trains it in a process of its own. What became of it is read from disk.
"""

import contextlib
import dataclasses
import functools
import logging
import os
import signal
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dmf_cli import interrupts
from dmf_cli.config import composer
from dmf_cli.errors import RunError
from dmf_cli.results import identity, places
from dmf_cli.results.atomic import told, write_atomic
from dmf_cli.results.index import alive
from dmf_cli.sweep import process
from dmf_cli.sweep.board import Board, Row, failure_file
from dmf_cli.sweep.jobs import Job, Plan
from dmf_cli.sweep.runner import Runner

log = logging.getLogger("dmf")

# Launchers whose workers have no use without the sweep that waits for them.
ATTACHED = ("joblib", "submitit_local")
SETTLE = 15.0  # seconds that they may take to save


@dataclasses.dataclass(frozen=True)
class Task:
    """What a worker does with the config that Hydra has composed there; travels as a pickle.

    Args:
        stop_file: begin nothing more once this file is there; None: never stop.
        parent: host and number of the process without which a worker shall end, or None.
        module: what the process of the job runs.
    """

    stop_file: str | None = None
    parent: tuple[str, int] | None = None
    module: str = process.MODULE

    def __call__(self, config: Any) -> None:
        """Run the job.

        Raises:
            RunError: it failed; the message is on disk too.
        """
        checked = composer.finish(config)
        job = Job(1, _overrides(), checked, identity.run_id(checked), {})
        if self._stopped():
            return
        board = Board([job])
        start = functools.partial(process.Process, module=self.module)
        runner = Runner(board, wanted=self._wanted, start=start)
        runner.run()
        (row,) = board.rows
        if row.state == "failed":
            self._tell(row)
            raise RunError(row.message)

    def _stopped(self) -> bool:
        return self.stop_file is not None and Path(self.stop_file).exists()

    def _wanted(self) -> bool:
        here = self.parent is not None and self.parent[0] == socket.gethostname()
        return not self._stopped() and not (here and self.parent and not alive(self.parent[1]))

    def _tell(self, row: Row) -> None:
        """The sweep reads this long before the launcher returns."""
        write_atomic(failure_file(row.job), f"{row.message}\n")
        if self.stop_file is not None:
            write_atomic(Path(self.stop_file), "")


def launch(plan: Plan, board: Board) -> bool:
    """Run what is to be run through the launcher of ``plan``, and wait for it.

    Returns:
        Whether it was interrupted. Workers here then save and end; jobs in the queue of a cluster stay there.

    Raises:
        RunFolderError: the output folder cannot be written to.
        RunError: the launcher itself failed, such as SLURM where there is none.
    """
    rows = board.of("waiting", "running")  # another process may give up what it runs
    for row in rows:
        with told(failure_file(row.job)):
            failure_file(row.job).parent.mkdir(parents=True, exist_ok=True)
            failure_file(row.job).unlink(missing_ok=True)
    stop = places.sweep_folder(plan.jobs[0].config) / f"stop-{socket.gethostname()}-{os.getpid()}"
    task = Task(
        str(stop.absolute()) if plan.settings["on_error"] == "stop" else None,
        (socket.gethostname(), os.getpid()) if plan.launcher in ATTACHED else None,
        process.MODULE,
    )
    try:
        if rows:
            _note(board, rows, _through_hydra(plan, [row.job for row in rows], task))
    except KeyboardInterrupt:
        with interrupts.handled(signal.default_int_handler):  # a second Ctrl-C ends the waiting only
            _settle(board, SETTLE if plan.launcher in ATTACHED else 0.0)
        return True
    finally:
        for file in (stop, *(failure_file(row.job) for row in rows)):
            file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            stop.parent.rmdir()
    return False


def _through_hydra(plan: Plan, jobs: Sequence[Job], task: Task) -> Sequence[Any]:
    from hydra._internal.callbacks import Callbacks
    from hydra.core.plugins import Plugins
    from hydra.types import HydraContext

    with composer.loaded(plan.overrides) as (loader, config):
        context = HydraContext(config_loader=loader, callbacks=Callbacks(config))
        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=context, task_function=task, config=config
        )
        folder = Path(str(config.hydra.sweep.dir))
        try:
            found: Sequence[Any] = launcher.launch([list(job.overrides) for job in jobs], initial_job_idx=0)
        except Exception as error:  # of the plugin, or of what it talks to
            log.debug("the launcher failed", exc_info=True)
            text = " ".join(str(error).split()) or type(error).__name__
            raise RunError(f"hydra/launcher={plan.launcher} failed: {text}") from error
        finally:
            places.remove_empty([folder.parent.parent, folder.parent, folder])
    return found


def _note(board: Board, rows: Sequence[Row], returns: Sequence[Any]) -> None:
    """What only the launcher knows: a job that failed before it had a folder, a worker that died."""
    from hydra.core.utils import JobStatus

    board.look()
    for row, found in zip(rows, returns, strict=False):
        if found.status == JobStatus.FAILED and row.state != "failed":
            board.set(row.job, "failed", " ".join(str(found._return_value).split()))
    for row in board.of("waiting", "loading", "running"):
        board.set(row.job, "left")


def _settle(board: Board, seconds: float) -> None:
    """Wait until the workers have saved what is under way, as far as they do."""
    end = time.monotonic() + seconds
    while board.of("running") and time.monotonic() < end:
        time.sleep(0.2)
        board.look()
    for row in board.of("waiting"):
        board.set(row.job, "left")


def _overrides() -> tuple[str, ...]:
    """The command line of the worker's job."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    words: Any = OmegaConf.to_container(HydraConfig.get().overrides.task, resolve=False)
    return tuple(words)
