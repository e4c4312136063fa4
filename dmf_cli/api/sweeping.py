"""Many runs from one call: ``dmf_cli.sweep``."""

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from dmf_cli.api import frames, process, words
from dmf_cli.api.frames import Frame
from dmf_cli.api.run import Run
from dmf_cli.errors import DmfError, RunError
from dmf_cli.terminal.run_display import Display

if TYPE_CHECKING:
    from dmf_cli.api.comparing import Comparison
    from dmf_cli.sweeps.board import Board


class Runs(Sequence[Run]):
    """The completed runs of a sweep, in the order of its jobs; a sequence of :class:`Run`.

    Args:
        labelled: the settings that differ between the runs, as texts, and the run, of each.
        failed: settings of a job that failed, in words, and why.

    Example:
        >>> runs = dmf_cli.sweep(weighting=["fixed", "var"], seed=range(3))
        >>> len(runs), runs[0].dice, runs.compare(baseline="weighting=fixed").verdict
    """

    def __init__(
        self, labelled: Iterable[tuple[Mapping[str, str], Run]], failed: Mapping[str, str] | None = None
    ) -> None:
        self.labelled, self.failed = list(labelled), dict(failed or {})

    @overload
    def __getitem__(self, index: int) -> Run: ...

    @overload
    def __getitem__(self, index: slice) -> "Runs": ...

    def __getitem__(self, index: int | slice) -> "Run | Runs":
        return Runs(self.labelled[index]) if isinstance(index, slice) else self.labelled[index][1]

    def __len__(self) -> int:
        return len(self.labelled)

    def __iter__(self) -> Iterator[Run]:
        return (run for _, run in self.labelled)

    @property
    def table(self) -> Frame:
        """One row a run: the settings that differ, ``dice`` of the test split, and ``path``."""
        names = [*(self.labelled[0][0] if self.labelled else ()), "dice", "path"]
        rows = [[*label.values(), dice_of(run), str(run.path)] for label, run in self.labelled]
        return frames.of_rows(names, rows)

    def compare(self, **options: Any) -> "Comparison":
        """These runs compared; the options are those of :func:`dmf_cli.compare`."""
        from dmf_cli.api.comparing import compare

        return compare(self, **options)

    def __repr__(self) -> str:
        return f"Runs({len(self)} completed{f', {len(self.failed)} failed' if self.failed else ''})"

    def _repr_html_(self) -> str:
        from dmf_cli.api import html

        names = list(self.labelled[0][0]) if self.labelled else []
        rows = [(*label.values(), run.state, dice_of(run), str(run.path)) for label, run in self.labelled]
        said = (html.escaped(f"failed: {job}: {why}") for job, why in self.failed.items())
        failed = "".join(f"<p>{line}</p>" for line in said)
        return f"<div>{html.table((*names, 'state', 'test dice', 'run'), rows)}{failed}</div>"


def sweep(
    *,
    workers: int | Literal["auto"] = 1,
    overrides: Sequence[str] = (),
    plugins: str | Path | Sequence[str | Path] = (),
    config_dir: str | Path | None = None,
    **settings: Any,
) -> Runs:
    """Train every combination of settings, as ``dmf train -m``: runs that are done already are not repeated.

    Each run has a process of its own; with an object for a loss, a model or a dataset they run in this one,
    one after the other. Ctrl-C (*interrupt the kernel*) lets the running jobs save their state; the same call
    continues the sweep.

    Args:
        workers: runs at a time; ``auto``: by the GPUs, processors and memory of this machine.
        overrides: words as on the command line.
        plugins: files and modules with parts of your own.
        config_dir: one more folder with config groups of your own.
        settings: as for :func:`dmf_cli.train`; a list or a ``range`` is swept, a tuple is one value:
            ``loss=["ce", "dice+ce"], seed=range(3), dataset={"image_size": (64, 64)}``.

    Returns:
        The completed runs. What failed is in their ``failed``, and the same call tries it again.

    Raises:
        UsageError: a setting of any job is wrong; nothing was started.
        RunError: no job was completed.
        KeyboardInterrupt: after an interruption.
    """
    from dmf_cli.api import objects

    asked = words.of(objects.named(settings), overrides, swept=True)
    asked += [f"sweep.workers={workers}", *objects.own_words(plugins, config_dir)]
    board, interrupted = _swept(asked)
    failed = {str(row.job): row.message for row in board.of("failed")}
    if interrupted:
        left = len(board.of("left", "interrupted"))
        raise KeyboardInterrupt(f"{left} job(s) are left: the same call continues the sweep")
    done = [(row.job.label, Run(row.path)) for row in board.of("completed") if row.path is not None]
    if failed and not done:
        label, why = next(iter(failed.items()))
        raise RunError(f"all {len(failed)} jobs of the sweep failed, the first ({label}): {why}")
    return Runs(done, failed)


def _swept(asked: Sequence[str]) -> "tuple[Board, bool]":
    from dmf_cli.api import objects
    from dmf_cli.sweeps import jobs
    from dmf_cli.sweeps import run as sweeping

    display = Display()
    planned = jobs.plan(asked, display.note)
    if any(objects.of_process(job.config) for job in planned.jobs):  # another process has no such object
        alone = dataclasses.replace(planned.settings, workers=1, isolate=False)
        planned = dataclasses.replace(planned, settings=alone)
    sweeping.check_conclusion(planned)
    board = sweeping.board_of(planned)
    with process.borrowed(["dmf", "train", "-m", *asked]):
        return board, sweeping.run(planned, board, display)


def dice_of(run: Run) -> float:
    """Mean Dice of the test split; NaN where the run has not been scored."""
    try:
        return run.dice
    except DmfError:
        return math.nan
