"""The jobs of a sweep, run here or by a launcher, with their table on the terminal."""

import contextlib
import os
import socket

from dmf_cli.jobs.claim import Claim
from dmf_cli.run_folder import places
from dmf_cli.sweeps.board import Board
from dmf_cli.sweeps.display import SweepDisplay
from dmf_cli.sweeps.jobs import SweepPlan
from dmf_cli.sweeps.runner import SweepRunner
from dmf_cli.terminal.run_display import Display


def check_conclusion(planned: SweepPlan) -> None:
    """Report a comparison that cannot be made before hours are spent on its runs.

    Raises:
        ConfigError: see :func:`dmf_cli.sweeps.conclusion.check`.
    """
    if planned.settings.compare:
        from dmf_cli.sweeps import conclusion

        conclusion.check(planned.settings, [job.config for job in planned.jobs])


def board_of(planned: SweepPlan) -> Board:
    """The table of the jobs, with what the disk knows of them."""
    return Board(planned.jobs, remote=planned.launcher != "basic")


def run(planned: SweepPlan, board: Board, display: Display) -> bool:
    """Run the jobs of ``planned`` that are not done; whether it was interrupted.

    Args:
        planned: see :func:`dmf_cli.sweeps.jobs.plan`.
        board: of :func:`board_of`; it knows afterwards what became of each job.
        display: where to, and how.

    Raises:
        UsageError: the output folder is read-only; nothing was started.
    """
    _check_writable(board)
    table = SweepDisplay(board, display.mode, display.console)
    with table.following():
        return _run(planned, board, table)


def _run(planned: SweepPlan, board: Board, display: SweepDisplay) -> bool:
    settings = planned.settings
    if planned.launcher != "basic":
        from dmf_cli.sweeps.launch import launch

        return launch(planned, board)
    runner = SweepRunner(
        board,
        workers=settings.workers,
        per_gpu=settings.per_gpu,
        warm=settings.warm and len(planned.jobs) > 1,
        stop_on_error=settings.on_error == "stop",
        isolate=settings.isolate,
        changed=lambda job: display.report(),
    )
    board.workers = runner.shares.most
    with contextlib.suppress(KeyboardInterrupt):  # the second one: the running jobs have been killed
        runner.run()
    return runner.interrupted


def _check_writable(board: Board) -> None:
    """Report a read-only output folder before anything starts."""
    for folder in {places.sweep_folder(row.job.config) for row in board.of("waiting")}:
        claim = Claim(folder, f"{socket.gethostname()}-{os.getpid()}")
        claim.take()
        claim.release()
