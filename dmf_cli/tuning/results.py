"""What a search found: a table, files, a plot, and the command that trains the best."""

import json
import math
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dmf_cli.figures import matplotlib_renderer
from dmf_cli.figures.description import Axis, Dots, Figure, Line, Panel
from dmf_cli.files import write_atomic
from dmf_cli.metrics.summary import jsonable
from dmf_cli.terminal.formats import duration, number
from dmf_cli.terminal.run_view import LABELS
from dmf_cli.terminal.text import csv_text, markdown_row, markdown_text
from dmf_cli.tuning.space import WEIGHT
from dmf_cli.tuning.study import SearchPlan

if TYPE_CHECKING:
    from rich.table import Table

SHOWN = 10  # trials in the terminal
SEEDS = 6  # the fewest with which one paired comparison can reach .05
WORDS = {"COMPLETE": "done", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "interrupted"}


def records(plan: SearchPlan, study: Any) -> list[dict[str, Any]]:
    """One row a trial that was begun, best first, pruned and failed ones last."""
    rows = []
    for trial in study.get_trials(deepcopy=False):
        if trial.state.name not in WORDS:
            continue
        seen = [value for value in trial.intermediate_values.values() if math.isfinite(value)]
        value = trial.value if trial.state.name == "COMPLETE" else _best(seen, plan.maximize)
        rows.append(
            {
                "trial": trial.number,
                "state": WORDS[trial.state.name],
                plan.monitor: value,
                "epochs": len(trial.intermediate_values),
                "seconds": trial.user_attrs.get("seconds", math.nan),
                **searched(plan, trial.params),
                "run": f"trials/{trial.user_attrs.get('run', '')}",
                "message": trial.user_attrs.get("message", ""),
            }
        )
    sign = -1.0 if plan.maximize else 1.0

    def order(row: dict[str, Any]) -> tuple[bool, float, int]:
        value = row[plan.monitor]
        return row["state"] != "done", math.inf if math.isnan(value) else sign * value, row["trial"]

    return sorted(rows, key=order)


def searched(plan: SearchPlan, params: dict[str, Any]) -> dict[str, Any]:
    """The searched values for people: the weights of the loss as one expression."""
    found = {"loss": plan.space.expression(params)} if plan.space.coefficients else {}
    return found | {
        d.key: params.get(d.key, "") for d in plan.space.dimensions if not d.key.startswith(WEIGHT)
    }


def command(plan: SearchPlan, study: Any, seeds: int = SEEDS) -> str:
    """The command that trains the best trial's settings with new seeds, or nothing if there is none."""
    done = [trial for trial in study.get_trials(deepcopy=False) if trial.state.name == "COMPLETE"]
    if not done:
        return ""
    best = plan.space.overrides(study.best_trial.params)
    first = plan.config.seed + 1  # the seed that was searched with would flatter them
    fresh = ",".join(str(seed) for seed in range(first, first + seeds))
    kept = [word for word in plan.words if word.partition("=")[0] not in ("seed", "output_root")]
    words = [*best, *kept, f"seed={fresh}", f"output_root={plan.folder / 'best'}"]
    return f"dmf train -m {shlex.join(words)}"


def write(plan: SearchPlan, study: Any) -> None:
    """``trials.{csv,json,md}`` and ``search.png`` in the study's folder."""
    rows, train = records(plan, study), command(plan, study)
    content = {
        "monitor": plan.monitor,
        "space": [str(dimension) for dimension in plan.space.dimensions],
        "train": train,
        "trials": rows,
    }
    files = {
        "trials.csv": csv_text(rows[0] if rows else ["trial"], (row.values() for row in rows)),
        "trials.json": json.dumps(jsonable(content), indent=2, allow_nan=False) + "\n",
        "trials.md": _markdown(plan, rows, train),
    }
    for name, text in files.items():
        write_atomic(plan.folder / name, text)
    figure = picture(plan, study)
    if len(figure.panels[0].at):
        matplotlib_renderer.write(plan.folder, figure, plan.folder.name)


def render(plan: SearchPlan, study: Any) -> "Table":
    """The best trials for the terminal."""
    from rich import box
    from rich.table import Table

    rows = records(plan, study)
    made = Table(box=box.SIMPLE_HEAD, title=_title(plan, rows), title_justify="left")
    made.add_column("trial", justify="right")
    made.add_column(LABELS.get(plan.monitor, plan.monitor), justify="right", no_wrap=True)
    keys = list(searched(plan, {}))
    for key in keys:
        made.add_column(key, overflow="fold")
    for heading in ("epochs", "time", "state"):
        made.add_column(heading, justify="right", no_wrap=True)
    for row in rows[:SHOWN]:
        values = [_value(row[key]) for key in keys]
        figures = [str(row["epochs"]), duration(row["seconds"]), row["state"]]
        style = "bold" if row is rows[0] and row["state"] == "done" else None
        made.add_row(str(row["trial"]), _figure(row[plan.monitor]), *values, *figures, style=style)
    if len(rows) > SHOWN:
        made.caption = f"{len(rows) - SHOWN} more in trials.csv"
    return made


def _title(plan: SearchPlan, rows: list[dict[str, Any]]) -> str:
    counts = {word: sum(row["state"] == word for row in rows) for word in WORDS.values()}
    said = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    many = f"{len(rows)} trial{'s' * (len(rows) != 1)}"
    return f"{many} ({said}), best first by {plan.monitor} on the validation split"


def _best(values: list[float], maximize: bool) -> float:
    return (max if maximize else min)(values) if values else math.nan


def _figure(value: float) -> str:
    return "-" if math.isnan(value) else number(value)


def _value(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _markdown(plan: SearchPlan, rows: list[dict[str, Any]], train: str) -> str:
    keys = ["trial", plan.monitor, *searched(plan, {}), "epochs", "state"]
    lines = [f"# {markdown_text(_title(plan, rows))}", "", markdown_row(keys), "|--:" * len(keys) + "|"]
    for row in rows:
        cells = [_figure(row[k]) if k == plan.monitor else _value(row[k]) for k in keys]
        lines.append(markdown_row(cells))
    return "\n".join([*lines, *(["", "Train the best:", "", f"    {train}"] if train else []), ""])


def picture(plan: SearchPlan, study: Any) -> Figure:
    """The monitor over the trials, and over each searched value: where the good ones are."""
    done = [trial for trial in study.get_trials(deepcopy=False) if trial.state.name == "COMPLETE"]
    numbers, values = np.array([t.number for t in done]), np.array([t.value for t in done])
    best = (np.maximum if plan.maximize else np.minimum).accumulate(values)
    x, y = Axis("trial", whole=True), Axis(plan.monitor)
    trials = Dots("", numbers, values, colour=None)
    panels = [Panel("trials", "", x, y, numbers, (Line("best so far", best, held=True),), (trials,))]
    for dimension in [d for d in plan.space.dimensions if d.kind != "choice"][:3]:
        panels.append(_scatter([trial.params[dimension.key] for trial in done], values, dimension, y))
    return Figure("search", tuple(panels), (3.2 * len(panels), 3.0), columns=len(panels), legend="inside")


def _scatter(x: list[float], y: np.ndarray, dimension: Any, scale: Axis) -> Panel:
    label, ends = dimension.key, (dimension.low, dimension.high)  # all that was searched
    if label.startswith(WEIGHT):
        x, ends = [math.exp(value) for value in x], (math.exp(ends[0]), math.exp(ends[1]))
        label = f"weight of {label.removeprefix(WEIGHT)} over the first's"
    axis = Axis(label, log=dimension.log or dimension.key.startswith(WEIGHT), limits=ends)
    return Panel(dimension.key, "", axis, scale, marks=(Dots("", np.array(x), y),))


def files(folder: Path) -> str:
    """Where everything is, for the last line."""
    names = ("trials.csv", "trials.json", "trials.md", "search.png", "trials")
    return f"written to {folder}: {', '.join(name for name in names if (folder / name).exists())}"
