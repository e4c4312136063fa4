"""What the display says, as pure functions of a run's description and its epoch rows; see ``display``."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from dmf_cli.terminal.formats import count, duration, number, percent

Row = Mapping[str, Any]
BLOCKS = "▁▂▃▄▅▆▇█"
PHASE = 26  # columns of a phase beside the bar of the epochs
TREND = 16  # epochs in a sparkline
LABELS = {
    "val_mean_dice": "val mean Dice",
    "val_foreground_dice": "val Dice",
    "val_objective": "val objective",
}


@dataclasses.dataclass
class Progress:
    """How far a run is.

    Args:
        epochs: planned.
        steps: an epoch.
        done: finished epochs.
        step: the current step, from 1; 0 before the first.
        monitor: the figure that decides about ``best``.
        terms: in the order of the loss expression; those of the rows when empty.
        rows: the last ``TREND`` epoch rows.
        phase: what it is doing, when it is not training.
        eta: seconds left, None while unknown.
    """

    epochs: int = 0
    steps: int = 0
    done: int = 0
    step: int = 0
    monitor: str = "val_foreground_dice"
    terms: Sequence[str] = ()
    rows: list[Row] = dataclasses.field(default_factory=list)
    phase: str = ""
    eta: float | None = None


def banner(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Label and text of each line at the start; what ``run`` does not say is omitted."""
    terms = " + ".join(run.get("terms", ()))
    auxiliary = run.get("auxiliary", "none")
    lines = [
        ("run", str(run.get("run", ""))),
        ("runs on", _runtime(run.get("runtime"))),
        ("data", _data(run)),
        *run.get("grouping", {}).items(),
        ("model", f"{run['model']}, {run.get('parameters', 0):,} parameters" if "model" in run else ""),
        ("weights", str(run.get("weights", ""))),
        ("extends", _parent(run.get("parent"))),
        ("loss", f"{terms}, weighting {run.get('weighting', '-')}" if terms else ""),
        ("auxiliary", "" if auxiliary in (None, "none") else f"{auxiliary}, fading"),
        ("training", _plan(run)),
    ]
    return [(label, text) for label, text in lines if text]


def _runtime(runtime: Any) -> str:
    if runtime is None:
        return ""
    facts = runtime if isinstance(runtime, Mapping) else vars(runtime)
    shared = facts.get("shared", 1)
    others = len(facts.get("devices") or ()) - shared
    where = str(facts.get("device", "?")) + (f" and {shared - 1} more" if shared > 1 else "")
    where += f" ({others} more not used)" if others > 0 else ""
    parts = [
        f"{facts.get('backend', '?')} on {where}",
        str(facts.get("precision", "?")) + (" (auto)" if facts.get("trial") else ""),
        f"jit {'on' if facts.get('jit') else 'off'}",
        *(["deterministic"] if facts.get("deterministic") else []),
    ]
    return ", ".join(parts)


def _data(run: Mapping[str, Any]) -> str:
    if "dataset" not in run:
        return ""
    counts = ", ".join(f"{count} {part}" for part, count in run.get("images", {}).items())
    return f"{run['dataset']}: {counts} images" if counts else str(run["dataset"])


def _parent(parent: tuple[str, int] | None) -> str:
    """The run that is extended, and after how many of its epochs."""
    return f"{parent[0]}, {count(parent[1], 'epoch')}" if parent else ""


def _plan(run: Mapping[str, Any]) -> str:
    if not run.get("epochs"):
        return ""
    first = run.get("first_epoch", 0)
    resumed = f", from epoch {first + 1}" if first else ""
    size = run.get("batch_size", "?")
    steps = f" of {count(run['steps'], 'step')}, batch size {size}" if run.get("steps") else ""
    return f"{count(run['epochs'], 'epoch')}{steps}{resumed}; best by {run.get('monitor', Progress.monitor)}"


def line(row: Row, progress: Progress) -> str:
    """One epoch in one line that ``grep`` and ``cut -d'|'`` like: each term is ``loss*weight``."""
    terms = [
        f"{t} {number(row[f'loss.{t}'])}*{number(row.get(f'weight.{t}'), 3)}" for t in terms_of(row, progress)
    ]
    parts = [
        f"epoch {row['epoch']:.0f}/{progress.epochs}",
        f"loss {number(row.get('loss'))}",
        *([" ".join(terms)] if terms else []),
        *([f"gamma {number(row['gamma'], 3)} aux {number(row.get('aux'))}"] if row.get("gamma") else []),
        *(f"{label} {number(row[key])}" for key, label in LABELS.items() if key in row),
        _best(row),
        duration(row.get("seconds")) + (f", {duration(progress.eta)} left" if progress.eta else ""),
    ]
    return " | ".join(part for part in parts if part)


def _best(row: Row) -> str:
    if row.get("best") is None:  # undefined, so that the objective chose the epoch
        return f"best @{row['best_epoch']:.0f} by the objective" if row.get("best_epoch") else ""
    return f"best {number(row['best'])} @{row.get('best_epoch', 0):.0f}"


@dataclasses.dataclass(frozen=True)
class RunPanel:
    """The live part: bars, a table of terms, the validation figures; never taller than the terminal."""

    progress: Progress

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Bars, terms, figures."""
        blocks: list[RenderableType] = [_bars(self.progress)]
        long = len(self.progress.phase) > PHASE
        blocks += (
            [Text(self.progress.phase, style="yellow", no_wrap=True, overflow="ellipsis")] if long else []
        )
        if self.progress.rows:
            figures = _figures(self.progress)
            # Two bars, the heading of the terms, the figures, a line for the cursor.
            room = max(1, console.size.height - 4 - long - figures.row_count)
            blocks += [_terms(self.progress, options, room), figures]
        yield Group(*blocks)


def _bars(progress: Progress) -> Table:
    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True, justify="right")
    grid.add_column(ratio=1, min_width=4)
    grid.add_column(no_wrap=True, justify="right", max_width=PHASE)
    epochs, steps = max(progress.epochs, 1), max(progress.steps, 1)
    left = f"{duration(progress.eta)} left" if progress.eta else ""
    if len(progress.phase) <= PHASE:  # a longer one has a line of its own
        left = progress.phase or left
    current = min(progress.done + 1, progress.epochs)
    share = progress.done + max(0, progress.step - 1) / steps
    _bar(grid, "epoch", f"{current}/{progress.epochs}", share / epochs, left)
    _bar(grid, "step", f"{progress.step}/{progress.steps}", progress.step / steps, _pace(progress))
    return grid


def _bar(grid: Table, label: str, count: str, share: float, text: str) -> None:
    grid.add_row(Text(label, style="dim"), count, ProgressBar(total=1.0, completed=min(share, 1.0)), text)


def _pace(progress: Progress) -> str:
    seconds = progress.rows[-1].get("seconds") if progress.rows else None
    return f"{duration(seconds)} an epoch" if seconds else ""


def _terms(progress: Progress, options: ConsoleOptions, room: int) -> Table:
    """One row a term; as many as there is room for, the heaviest of them if not all."""
    row = progress.rows[-1]
    terms = terms_of(row, progress)
    shown = terms if len(terms) <= room else _heaviest(row, terms, max(1, room - 1))
    trend = len(progress.rows) > 1 and options.max_width >= 60 and not options.ascii_only
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("term", overflow="ellipsis", no_wrap=True, max_width=max(6, options.max_width // 3))
    for heading in ("loss", "weight", "share"):
        table.add_column(heading, justify="right", no_wrap=True)
    if trend:
        table.add_column("weight over epochs", no_wrap=True)
    weights = {t: [_finite(past.get(f"weight.{t}")) for past in progress.rows] for t in terms}
    top = max((max(values) for values in weights.values()), default=0.0)
    for t in shown:
        cells = (number(row[f"loss.{t}"]), number(row.get(f"weight.{t}"), 3), _share(row, t))
        table.add_row(Text(t), *cells, *([sparkline(weights[t], top)] if trend else []))
    if len(shown) < len(terms):
        table.add_row(Text(f"+ {len(terms) - len(shown)} lighter", style="dim"))
    return table


def _heaviest(row: Row, terms: Sequence[str], count: int) -> list[str]:
    """The ``count`` terms with the largest weights, in their own order."""
    heavy = sorted(terms, key=lambda t: -_finite(row.get(f"weight.{t}")))[:count]
    return [t for t in terms if t in heavy]


def _share(row: Row, term: str) -> str:
    """How much of the weighted loss a term makes up."""
    whole = sum(abs(_finite(value)) for key, value in row.items() if key.startswith("share."))
    return percent(_finite(row.get(f"share.{term}")), whole, ".0f")


def _figures(progress: Progress) -> Table:
    """Validation figures, the monitored one with its best so far, and the auxiliary loss."""
    row, monitor = progress.rows[-1], progress.monitor
    grid = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(3):
        grid.add_column(no_wrap=True, overflow="ellipsis")
    for key in [key for key in dict.fromkeys([*LABELS, monitor]) if key in row]:
        best = (
            f"best {number(row['best'])} (epoch {row['best_epoch']:.0f})"
            if _monitored(row, key, monitor)
            else ""
        )
        grid.add_row(Text(LABELS.get(key, key), style="dim"), number(row[key]), Text(best, style="green"))
    if row.get("gamma"):
        fading = f"times gamma {number(row['gamma'], 3)}"
        grid.add_row(Text("auxiliary", style="dim"), number(row.get("aux")), fading)
    return grid


def _monitored(row: Row, key: str, monitor: str) -> bool:
    return key == monitor and row.get("best") is not None


def terms_of(row: Row, progress: Progress) -> list[str]:
    """The names of the loss terms in an epoch's row, in the order in which the user gave them."""
    terms = [key.removeprefix("loss.") for key in row if key.startswith("loss.")]
    known = [term for term in progress.terms if term in terms]
    return [*known, *(term for term in terms if term not in known)]


def sparkline(values: Sequence[float], top: float) -> str:
    """A block for each value, its height between 0 and ``top``."""
    scale = 8 / top if top > 0 else 0.0
    return "".join(BLOCKS[min(7, max(0, int(scale * value)))] for value in values)


def _finite(value: Any) -> float:
    return float(value) if value is not None and math.isfinite(value) else 0.0
