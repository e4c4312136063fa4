"""What the display says, as pure functions of a run's description and its epoch rows; see ``display``."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

Row = Mapping[str, Any]
BLOCKS = "▁▂▃▄▅▆▇█"
TREND = 16  # epochs in a sparkline
LABELS = {"val_foreground_dice": "val Dice", "val_objective": "val objective"}


@dataclasses.dataclass
class Progress:
    """How far a run is.

    Args:
        epochs: planned.
        steps: an epoch.
        done: finished epochs.
        step: finished steps of the epoch under way.
        monitor: the figure that decides about ``best``.
        rows: the last ``TREND`` epoch rows.
        phase: what is going on, when it is not training.
        eta: seconds left, None while unknown.
    """

    epochs: int = 0
    steps: int = 0
    done: int = 0
    step: int = 0
    monitor: str = "val_foreground_dice"
    rows: list[Row] = dataclasses.field(default_factory=list)
    phase: str = ""
    eta: float | None = None


def banner(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Label and text of each line at the start; what ``run`` does not say is left out."""
    terms = " + ".join(run.get("terms", ()))
    auxiliary = run.get("auxiliary", "none")
    lines = [
        ("run", str(run.get("run", ""))),
        ("runs on", _runtime(run.get("runtime"))),
        ("data", _data(run)),
        ("model", f"{run['model']}, {run.get('parameters', 0):,} parameters" if "model" in run else ""),
        ("loss", f"{terms}, weighting {run.get('weighting', '-')}" if terms else ""),
        ("auxiliary", "" if auxiliary in (None, "none") else f"{auxiliary}, fading"),
        ("training", _plan(run)),
    ]
    return [(label, text) for label, text in lines if text]


def _runtime(runtime: Any) -> str:
    if runtime is None:
        return ""
    get = (
        runtime.get
        if isinstance(runtime, Mapping)
        else lambda key, default=None: getattr(runtime, key, default)
    )
    device, devices = str(get("device", "?")), get("devices", ()) or ()
    where = f"{device} (of {len(devices)})" if len(devices) > 1 else device
    parts = [f"{get('backend')} on {where}", str(get("precision")), f"jit {'on' if get('jit') else 'off'}"]
    return ", ".join(parts + (["deterministic"] if get("deterministic") else []))


def _data(run: Mapping[str, Any]) -> str:
    if "dataset" not in run:
        return ""
    counts = ", ".join(f"{count} {part}" for part, count in run.get("images", {}).items())
    return f"{run['dataset']}: {counts} images" if counts else str(run["dataset"])


def _plan(run: Mapping[str, Any]) -> str:
    if not run.get("epochs"):
        return ""
    first = run.get("first_epoch", 0)
    goes_on = f", from epoch {first + 1}" if first else ""
    steps = f" of {run['steps']} steps, batch size {run.get('batch_size', '?')}" if run.get("steps") else ""
    return f"{_count(run['epochs'], 'epoch')}{steps}{goes_on}; best by {run.get('monitor', Progress.monitor)}"


def line(row: Row, progress: Progress) -> str:
    """One epoch in one line that ``grep`` and ``cut -d'|'`` like: each term is ``loss*weight``."""
    terms = [f"{t} {number(row[f'loss.{t}'])}*{number(row.get(f'weight.{t}'), 3)}" for t in terms_of(row)]
    parts = [
        f"epoch {row['epoch']:.0f}/{progress.epochs}",
        f"loss {number(row.get('loss'))}",
        *([" ".join(terms)] if terms else []),
        *([f"gamma {number(row['gamma'], 3)} aux {number(row.get('aux'))}"] if row.get("gamma") else []),
        " ".join(f"{LABELS[key]} {number(row[key])}" for key in LABELS if key in row),
        _best(row),
        f"{duration(row.get('seconds'))}, {duration(progress.eta)} left",
    ]
    return " | ".join(part for part in parts if part)


def _best(row: Row) -> str:
    if row.get("best") is None:
        return ""
    return f"best {number(row['best'])} @{row.get('best_epoch', 0):.0f}"


@dataclasses.dataclass(frozen=True)
class Panel:
    """The live part: bars, a table of terms, the validation figures; never taller than the terminal."""

    progress: Progress

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Bars, terms, figures."""
        row = self.progress.rows[-1] if self.progress.rows else {}
        blocks: list[RenderableType] = [_bars(self.progress, options)]
        # Two bars, the table's heading, the auxiliary loss, the figures, a line for the cursor.
        room = max(1, console.size.height - 6)
        if row:
            blocks += [_terms(self.progress, options, room), _figures(row, self.progress)]
        yield Group(*blocks)


def _bars(progress: Progress, options: ConsoleOptions) -> Table:
    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True, justify="right")
    grid.add_column(ratio=1)
    grid.add_column(no_wrap=True, justify="right")
    finished = progress.done + (progress.step / progress.steps if progress.steps else 0.0)
    left = progress.phase or (f"{duration(progress.eta)} left" if progress.eta is not None else "")
    for label, done, of, share, text in (
        (
            "epoch",
            min(progress.done + 1, progress.epochs),
            progress.epochs,
            finished / max(progress.epochs, 1),
            left,
        ),
        ("step", progress.step, progress.steps, progress.step / max(progress.steps, 1), _pace(progress)),
    ):
        bar = ProgressBar(total=1.0, completed=min(share, 1.0))
        grid.add_row(Text(label, style="bold"), f"{done}/{of}", bar, text)
    return grid


def _pace(progress: Progress) -> str:
    seconds = progress.rows[-1].get("seconds") if progress.rows else None
    return f"{duration(seconds)} an epoch" if seconds else ""


def _terms(progress: Progress, options: ConsoleOptions, room: int) -> Table:
    """One row a term; as many as there is room for, the heaviest of them if not all."""
    row = progress.rows[-1]
    terms = terms_of(row)
    shown = terms
    if len(terms) > room:
        heavy = sorted(terms, key=lambda t: -_finite(row.get(f"weight.{t}")))[: max(1, room - 1)]
        shown = [t for t in terms if t in heavy]
    trend = not options.ascii_only and options.max_width >= 60 and len(progress.rows) > 1
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("term", overflow="ellipsis", no_wrap=True, max_width=max(6, options.max_width // 3))
    for heading in ("loss", "weight", "share", *(["weight over epochs"] if trend else [])):
        table.add_column(heading, justify="left" if " " in heading else "right", no_wrap=True)
    shares = {t: _finite(row.get(f"share.{t}")) for t in terms}
    whole = sum(map(abs, shares.values())) or 1.0
    for t in shown:
        past = [sparkline([_finite(r.get(f"weight.{t}")) for r in progress.rows])] if trend else []
        share = f"{100 * shares[t] / whole:.0f} %"
        table.add_row(Text(t), number(row.get(f"loss.{t}")), number(row.get(f"weight.{t}"), 3), share, *past)
    if len(shown) < len(terms):
        table.add_row(Text(f"+ {len(terms) - len(shown)} lighter", style="dim"))
    return table


def _figures(row: Row, progress: Progress) -> Text:
    """Validation figures, best so far, auxiliary loss: one thing after the other, wrapped between them."""
    parts = [f"{LABELS[key]} {number(row[key])}" for key in LABELS if key in row]
    if row.get("best") is not None:
        name = LABELS.get(progress.monitor, progress.monitor)
        parts.append(f"best {name} {number(row['best'])} (epoch {row.get('best_epoch', 0):.0f})")
    if row.get("gamma"):
        parts.append(f"gamma {number(row['gamma'], 3)} x auxiliary {number(row.get('aux'))}")
    text = Text(no_wrap=False, overflow="fold")
    for i, part in enumerate(parts):
        text.append("  ".join([""] * min(i, 1) + [""]) if i else "")
        text.append(part.replace(" ", "\u00a0"), style="bold green" if part.startswith("best") else "")
    return text


def terms_of(row: Row) -> list[str]:
    """The names of the loss terms in an epoch's row."""
    return [key.removeprefix("loss.") for key in row if key.startswith("loss.")]


def sparkline(values: Sequence[float]) -> str:
    """Heights of ``values`` between 0 and the largest one."""
    top = max(values, default=0.0)
    if top <= 0:
        return BLOCKS[0] * len(values)
    return "".join(BLOCKS[min(7, max(0, int(8 * value / top)))] for value in values)


def number(value: Any, digits: int = 4) -> str:
    """``0.8123``, or ``1.2e-05`` where fixed digits would show nothing; ``-`` for a value that is missing."""
    if value is None:
        return "-"
    if not math.isfinite(value):
        return str(float(value))
    small = value != 0 and abs(value) < 10.0**-digits
    return f"{value:.1e}" if small or abs(value) >= 1e5 else f"{value:.{digits}f}"


def duration(seconds: float | None) -> str:
    """``0.8 s``, ``42 s``, ``3:07 min``, ``2:05 h``; ``?`` when it is not known."""
    if seconds is None or not math.isfinite(seconds):
        return "?"
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} min" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d} h"


def _finite(value: Any) -> float:
    return float(value) if value is not None and math.isfinite(value) else 0.0


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
