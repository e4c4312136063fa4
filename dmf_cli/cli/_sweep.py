"""``dmf train -m``: the jobs of a sweep, run, skipped or gone on with; also ``--dry-run``."""

import shlex
import sys
from collections.abc import Sequence

from dmf_cli.sweep import view
from dmf_cli.sweep.board import Board, Row
from dmf_cli.sweep.display import SweepDisplay
from dmf_cli.sweep.jobs import plan
from dmf_cli.sweep.runner import Runner
from dmf_cli.training.display import make_console


def run(overrides: Sequence[str], *, dry: bool) -> int:
    """Run the sweep; returns the exit code: 1 if a job failed, 130 if it was interrupted.

    Raises:
        UsageError: something is wrong with the command, any job or the output folder; nothing was started.
    """
    planned = plan(overrides)
    settings = planned.settings
    board = Board(planned.jobs, settings["workers"])
    if dry:
        _print(board)
        return 0
    display = SweepDisplay(board)
    runner = Runner(
        board,
        workers=settings["workers"],
        stop_on_error=settings["on_error"] == "stop",
        isolate=settings["isolate"],
        changed=lambda job: display.report(),
    )
    with display.following():
        runner.run()
    return _outcome(board, interrupted=runner.interrupted)


def _print(board: Board) -> None:
    """What ``--dry-run`` prints."""
    console = make_console()
    console.print(view.plan(board.rows))
    console.print(view.intent(board.rows))


def _outcome(board: Board, *, interrupted: bool) -> int:
    """The last lines, for people; the exit code, for scripts."""
    failed, left = len(board.of("failed")), len(board.of("left", "interrupted"))
    if failed:
        print(f"error: {failed} job(s) of the sweep failed, see above", file=sys.stderr)
    if left:
        print(f"{left} job(s) are left: the same command goes on with the sweep", file=sys.stderr)
    if interrupted:
        return 130
    _hint([row for row in board.rows if row.state == "completed"])
    return 1 if failed else 0


def _hint(done: Sequence[Row]) -> None:
    """What to do next with the finished runs."""
    roots = list(dict.fromkeys(str(row.job.config["output_root"]) for row in done))
    if len(done) > 1:
        print(f"compare them: dmf compare {shlex.join(roots)}")
