"""What a sweep shows, as pure functions of its rows: the table, lines for a log, the summary."""

import dataclasses
from collections import Counter
from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import JustifyMethod
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from dmf_cli.run_folder import headline
from dmf_cli.sweeps.board import JobRow
from dmf_cli.terminal.formats import duration, number
from dmf_cli.terminal.run_view import LABELS

STYLES = {
    "running": "bold cyan", "loading": "cyan", "completed": "green", "failed": "bold red",
    "interrupted": "yellow", "elsewhere": "magenta", "waiting": "dim", "same": "dim", "left": "dim",
}  # fmt: skip
WORDS = {"completed": "done", "same": "duplicate", "left": "not begun"}
GAP = 2  # characters between columns
LEAST = 5  # width down to which the user's values are shortened
SPARE = ("", "time", "left", "test Dice")  # columns that a narrow terminal does without, in this order
# What is shown first when there is not room for all.
URGENT = ("running", "loading", "failed", "interrupted", "elsewhere", "waiting", "completed", "left", "same")


@dataclasses.dataclass
class Column:
    """One column: its cells are cut to ``width``; in a narrow terminal whole columns are dropped."""

    heading: str
    cells: list[Text]
    right: bool = True
    given: bool = False  # a key of the user's: shortened before any is dropped
    width: int = 0

    def __post_init__(self) -> None:
        self.width = max([cell_len(self.heading), *(cell.cell_len for cell in self.cells)])


def table(rows: Sequence[JobRow], room: int | None = None, width: int | None = None) -> Table:
    """One row a job; the most telling ones if there is ``room`` for so many lines only.

    Args:
        rows: all jobs.
        room: lines for them; None: as many as there are jobs.
        width: of the terminal; None: as wide as it takes.
    """
    shown = list(rows) if room is None or len(rows) <= room else _most_telling(rows, max(1, room - 1))
    columns = _columns(rows, shown)
    if width is not None:
        columns = _fitting(columns, width)
    made = Table(box=None, pad_edge=False, header_style="dim", padding=(0, GAP, 0, 0))
    for column in columns:
        justify: JustifyMethod = "right" if column.right else "left"
        made.add_column(
            column.heading, justify=justify, no_wrap=True, overflow="ellipsis", width=column.width
        )
    for cells in zip(*(column.cells for column in columns), strict=True):
        made.add_row(*cells)
    return made


def left_out(rows: Sequence[JobRow], room: int) -> str:
    """What :func:`table` has no room for; empty if it shows all."""
    if len(rows) <= room:
        return ""
    shown = _most_telling(rows, max(1, room - 1))
    rest = Counter(row.state for row in rows if row not in shown)
    return "+ " + ", ".join(f"{count} {WORDS.get(state, state)}" for state, count in rest.items())


def _columns(rows: Sequence[JobRow], shown: Sequence[JobRow]) -> list[Column]:
    keys = list(dict.fromkeys(key for row in rows for key in row.job.label))
    columns = [Column("job", [Text(str(row.job.number)) for row in shown])]
    for key in keys:
        cells = [Text(row.job.label.get(key, "")) for row in shown]
        columns.append(Column(short(key, keys), cells, right=False, given=True))
    columns.append(Column("state", [_state(row) for row in shown], right=False))
    figures = [_figures(row) for row in shown]
    for place, heading in enumerate(("epoch", _monitor(rows), "test Dice", "time", "left")):
        columns.append(Column(heading, [Text(each[place]) for each in figures]))
    # Why a job failed is said above the table.
    notes = [Text(row.message if row.state != "failed" else "", style="dim") for row in shown]
    return [*columns, *([Column("", notes, right=False)] if any(notes) else [])]


def short(key: str, keys: Sequence[str]) -> str:
    """``trainer.batch_size`` as ``batch_size``, where no other key ends so."""
    last = key.rpartition(".")[2]
    return last if [other.rpartition(".")[2] for other in keys].count(last) == 1 else key


def _fitting(columns: list[Column], width: int) -> list[Column]:
    """Shorten what the user knows already, the longest first; then drop what says least."""

    def excess() -> int:
        return sum(column.width + GAP for column in columns) - GAP - width

    while excess() > 0:
        longest = max((c for c in columns if c.given), key=lambda c: c.width, default=None)
        if longest is not None and longest.width > LEAST:
            longest.width -= 1
            continue
        spare = [c for heading in SPARE for c in columns if c.heading == heading]
        if not spare:
            break
        columns.remove(spare[0])
    return columns


def plan(rows: Sequence[JobRow]) -> Table:
    """What a dry run shows: what differs between the jobs, and what would happen to each."""
    keys = list(dict.fromkeys(key for row in rows for key in row.job.label))
    made = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    made.add_column("job", justify="right", no_wrap=True)
    for key in [*keys, "id"]:
        made.add_column(key, no_wrap=True, overflow="ellipsis")
    made.add_column("what happens", overflow="fold")
    for row in rows:
        values = [row.job.label.get(key, "") for key in keys]
        made.add_row(str(row.job.number), *values, row.job.id[:8], Text(_fate(row), style=STYLES[row.state]))
    return made


def intent(rows: Sequence[JobRow]) -> str:
    """The sum of a dry run in one line."""
    count = Counter(row.state for row in rows)
    parts = [f"{len(rows)} job(s)", f"{count['waiting']} to run", f"{count['completed']} done"]
    parts += [f"{count['running']} running"] if count["running"] else []
    return ", ".join([*parts, *([f"{count['same']} duplicate"] if count["same"] else [])])


def _fate(row: JobRow) -> str:
    if row.state == "completed":
        return f"done: {row.path}"
    if row.state == "running":
        return f"running: {row.path}"
    if row.state == "waiting":
        return f"{row.message}: {row.path}" if row.message else "runs"
    return row.message


def totals(rows: Sequence[JobRow], elapsed: float, left: float | None) -> Text:
    """``7 of 24 done, 1 failed, 1 running | 12:31 min | about 25:00 min left``."""
    count = Counter(row.state for row in rows)
    real = len(rows) - count["same"]
    words = [f"{count['completed']} of {real} done"]
    under_way = count["running"] + count["loading"]
    words += [f"{under_way} running"] if under_way else []
    words += [
        f"{count[s]} {WORDS.get(s, s)}" for s in ("failed", "interrupted", "elsewhere", "left") if count[s]
    ]
    parts = [", ".join(words), duration(elapsed), *([f"about {duration(left)} left"] if left else [])]
    return Text(" | ".join(parts), style="bold")


def progress(rows: Sequence[JobRow], elapsed: float, left: float | None, width: int) -> Table:
    """A bar over all epochs of all jobs, and the totals."""
    real = [row for row in rows if row.state != "same"]
    grid = Table.grid(padding=(0, 1))
    text = totals(rows, elapsed, left)
    text.no_wrap, text.overflow = True, "ellipsis"
    bar = min(24, width - text.cell_len - 1)
    if bar >= 6:
        grid.add_row(ProgressBar(total=len(real), completed=sum(map(_share, real)), width=bar), text)
    else:
        grid.add_row(text)
    return grid


def _share(row: JobRow) -> float:
    """How much of a job is done; scoring counts as a part of an epoch."""
    if row.state == "completed":
        return 1.0
    return row.epoch / (row.epochs + 0.5) if row.epochs else 0.0


def line(row: JobRow, count: int) -> str:
    """One change of a job's state, for a log."""
    what = f"job {row.job.number}/{count} ({row.job}): {WORDS.get(row.state, row.state)}"
    if row.state == "completed":
        best = f"best {LABELS.get(headline.planned_monitor(row.job.config), 'value')} {number(row.best)}"
        what += f", {best}, test Dice {number(row.score)}, {duration(row.seconds)}"
    return f"{what}, {row.message}" if row.message else what


def _most_telling(rows: Sequence[JobRow], room: int) -> list[JobRow]:
    """What is running, what went wrong, what is next and what was done last, in the order of the jobs."""
    order = {state: place for place, state in enumerate(URGENT)}
    number = {"completed": -1, "waiting": 1}  # the last that are done, the first that wait
    best = sorted(rows, key=lambda row: (order[row.state], number.get(row.state, 1) * row.job.number))[:room]
    return sorted(best, key=lambda row: row.job.number)


def _state(row: JobRow) -> Text:
    if row.state == "running" and row.epochs and row.epoch >= row.epochs:
        return Text("scoring", style=STYLES["running"])
    return Text(WORDS.get(row.state, row.state), style=STYLES[row.state])


def _figures(row: JobRow) -> tuple[str, str, str, str, str]:
    if row.state == "same":
        return "", "", "", "", ""
    epoch = f"{row.epoch}/{row.epochs}" if row.epochs else ""
    left = duration(row.eta) if row.eta is not None and row.state in ("running", "loading") else ""
    best = number(row.best) if row.best is not None else ""
    score = number(row.score) if row.score is not None else ""
    return epoch, best, score, duration(row.seconds) if row.seconds else "", left


def _monitor(rows: Sequence[JobRow]) -> str:
    names = {headline.planned_monitor(row.job.config) for row in rows}
    return LABELS.get(name := names.pop(), name) if len(names) == 1 else "value"
