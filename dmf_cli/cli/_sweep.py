"""``dmf train -m``: the jobs of a sweep, run, skipped or resumed; also ``--dry-run``."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from dmf_cli import interrupts
from dmf_cli.config.schema import Sweep
from dmf_cli.errors import DmfError
from dmf_cli.run_folder.index import Index
from dmf_cli.sweeps import run as sweeping
from dmf_cli.sweeps import view
from dmf_cli.sweeps.board import Board, JobRow
from dmf_cli.sweeps.jobs import distinct_settings, held, plan, single
from dmf_cli.terminal.failure import report
from dmf_cli.terminal.run_display import Display, make_console
from dmf_cli.terminal.say import say


def run(overrides: Sequence[str], *, dry: bool, multirun: bool = True) -> int:
    """Run the sweep; returns the exit code: 1 if a job failed, 130 if it was interrupted, 143 if by SIGTERM.

    Args:
        overrides: of the command line.
        dry: only say what would happen.
        multirun: whether it is a sweep; else the one run of ``dmf train`` without ``-m``, for ``dry``.

    Raises:
        UsageError: something is wrong with the command, any job or the output folder; nothing was started.
    """
    first = Display()
    if multirun:
        planned = plan(overrides, first.note)
    else:
        note_sweep(overrides)
        planned = single(overrides)
    if multirun:
        sweeping.check_conclusion(planned)
    board = sweeping.board_of(planned)
    if dry:
        _print(board)
        return 0
    return _outcome(board, interrupted=sweeping.run(planned, board, first))


def note_sweep(overrides: Sequence[str]) -> None:
    """One line if these words hold a sweep, of which ``dmf train`` without ``-m`` is one run only.

    Raises:
        ConfigError: an override is wrong.
    """
    if any(word.lstrip("+").startswith("experiment=") for word in overrides) and (found := held(overrides)):
        keys = ", ".join(f"{key}={value}" for key, value in found.items())
        say(f"note: one run, the experiment's sweep ({keys}) is that of dmf train -m", error=True)


def _print(board: Board) -> None:
    """What ``--dry-run`` prints."""
    console = make_console()
    console.print(view.plan(board.rows))
    console.print(view.intent(board.rows))


def _outcome(board: Board, *, interrupted: bool) -> int:
    """The last lines, for people; the exit code, for scripts."""
    failed, left = len(board.of("failed")), len(board.of("left", "interrupted"))
    if failed:
        say(f"error: {failed} job(s) of the sweep failed, see above", error=True)
    if left:
        say(f"{left} job(s) are left: run the same command again to resume the sweep", error=True)
    if interrupted:
        return interrupts.exit_code()
    done, settings = board.of("completed"), board.rows[0].job.config.sweep
    if settings.compare:
        return _conclude(done, settings) or int(bool(failed))
    _hint(done)
    return 1 if failed else 0


def _conclude(done: Sequence[JobRow], settings: Sweep) -> int:
    """The comparisons that the sweep ends with; 1 if there can be none."""
    from dmf_cli.comparison import tables
    from dmf_cli.sweeps import conclusion

    runs = [(row.path, row.job.config) for row in done if row.path is not None]
    roots = dict.fromkeys(Path(config.output_root).expanduser() for _, config in runs)
    root = next(iter(roots), Path())
    page = any(config.report for _, config in runs)
    try:
        found = conclusion.conclude(root, runs, settings, page=page)
    except DmfError as error:
        report(error, prefix="no comparison: ")
        return 1
    console = make_console()
    for place, one in found:
        if len(found) > 1:
            console.rule(str(place.relative_to(root / conclusion.FOLDER)), align="left")
        console.print(tables.render(one))
        also = ", with report.html" if page else ""
        console.print(f"written to {place}{also}", markup=False, highlight=False, soft_wrap=True)
    return 0


def _hint(done: Sequence[JobRow]) -> None:
    """What to do next with the finished runs: all of them, and no others."""
    if len(done) < 2:
        return
    roots = list(dict.fromkeys(str(row.job.root) for row in done))
    ours = {row.path for row in done}
    mixed = any(entry.path not in ours for root in roots for entry in Index(root).refresh())
    where = shlex.join(sorted(map(str, ours)) if mixed else roots)
    several = distinct_settings([row.job.config for row in done]) > 1
    say(f"{'compare them' if several else 'their mean'}: dmf compare {where}")
