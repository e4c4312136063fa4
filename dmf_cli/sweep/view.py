"""What a sweep shows, as pure functions of its rows: the table, lines for a log, the summary."""

from collections import Counter
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from dmf_cli.sweep.board import Row
from dmf_cli.training._view import LABELS, duration, number

STYLES = {
    "running": "bold cyan", "loading": "cyan", "completed": "green", "failed": "bold red",
    "interrupted": "yellow", "elsewhere": "magenta", "waiting": "dim", "same": "dim", "left": "dim",
}  # fmt: skip
WORDS = {"completed": "done", "same": "duplicate", "left": "not begun"}
# What is shown first when there is not room for all.
URGENT = ("running", "loading", "failed", "interrupted", "elsewhere", "waiting", "completed", "left", "same")


def table(rows: Sequence[Row], room: int | None = None) -> Table:
    """One row a job; the most telling ones if there is ``room`` for so many lines only."""
    shown = list(rows) if room is None or len(rows) <= room else _most_telling(rows, max(1, room - 1))
    keys = list(dict.fromkeys(key for row in rows for key in row.job.label))
    notes = {row.job.number: row.message for row in shown if row.message and row.state != "failed"}
    made = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    made.add_column("job", justify="right", no_wrap=True)
    for key in keys:
        made.add_column(key, no_wrap=True, overflow="ellipsis", min_width=4)
    made.add_column("state", no_wrap=True, min_width=7)
    for heading in ("epoch", f"best {_monitor(rows)}", "test Dice", "time", "left"):
        made.add_column(heading, justify="right", no_wrap=True)
    if notes:
        made.add_column("", no_wrap=True, overflow="ellipsis")
    for row in shown:
        values = [Text(row.job.label.get(key, "")) for key in keys]
        made.add_row(
            str(row.job.number),
            *values,
            _state(row),
            *_figures(row),
            *([notes.get(row.job.number, "")] if notes else []),
        )
    if len(shown) < len(rows):
        rest = Counter(row.state for row in rows if row not in shown)
        more = ", ".join(f"{count} {WORDS.get(state, state)}" for state, count in rest.items())
        made.add_row("", Text(f"+ {more}", style="dim"))
    return made


def plan(rows: Sequence[Row]) -> Table:
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


def intent(rows: Sequence[Row]) -> str:
    """The sum of a dry run in one line."""
    count = Counter(row.state for row in rows)
    parts = [f"{len(rows)} job(s)", f"{count['waiting']} to run", f"{count['completed']} done"]
    parts += [f"{count['running']} under way"] if count["running"] else []
    return ", ".join([*parts, *([f"{count['same']} duplicate"] if count["same"] else [])])


def _fate(row: Row) -> str:
    if row.state == "completed":
        return f"done: {row.path}"
    if row.state == "running":
        return f"under way: {row.path}"
    if row.state == "waiting":
        return f"{row.message}: {row.path}" if row.message else "runs"
    return row.message


def totals(rows: Sequence[Row], elapsed: float, left: float | None) -> Text:
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


def line(row: Row, count: int) -> str:
    """One change of a job's state, for a log."""
    what = f"job {row.job.number}/{count} ({row.job}): {WORDS.get(row.state, row.state)}"
    if row.state == "completed":
        best = f"best {LABELS.get(row.job.config['trainer']['monitor'], 'value')} {number(row.best)}"
        what += f", {best}, test Dice {number(row.score)}, {duration(row.seconds)}"
    return f"{what}, {row.message}" if row.message else what


def _most_telling(rows: Sequence[Row], room: int) -> list[Row]:
    """What is under way, what went wrong, what is next and what was done last, in the order of the jobs."""
    order = {state: place for place, state in enumerate(URGENT)}
    number = {"completed": -1, "waiting": 1}  # the last that are done, the first that wait
    best = sorted(rows, key=lambda row: (order[row.state], number.get(row.state, 1) * row.job.number))[:room]
    return sorted(best, key=lambda row: row.job.number)


def _state(row: Row) -> Text:
    if row.state == "running" and row.epochs and row.epoch >= row.epochs:
        return Text("scoring", style=STYLES["running"])
    return Text(WORDS.get(row.state, row.state), style=STYLES[row.state])


def _figures(row: Row) -> tuple[str, str, str, str, str]:
    if row.state == "same":
        return "", "", "", "", ""
    epoch = f"{row.epoch}/{row.epochs}" if row.epochs else ""
    left = duration(row.eta) if row.eta is not None and row.state in ("running", "loading") else ""
    best = number(row.best) if row.best is not None else ""
    score = number(row.score) if row.score is not None else ""
    return epoch, best, score, duration(row.seconds) if row.seconds else "", left


def _monitor(rows: Sequence[Row]) -> str:
    names = {row.job.config["trainer"]["monitor"] for row in rows}
    return LABELS.get(name := names.pop(), name) if len(names) == 1 else "value"
