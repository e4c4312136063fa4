"""The figures of a run over its epochs, from the columns of its files; and all of them as pictures."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dmf_cli.figures import palette, step_figures
from dmf_cli.figures.description import Axis, Figure, Line, Mark, Panel, Rule, lines
from dmf_cli.figures.series import finite, known, wide
from dmf_cli.run_folder import headline
from dmf_cli.run_folder.csv_log import Columns
from dmf_cli.run_folder.folder import RunFolder

MOST_CLASSES = 5  # above 0, whose curves can be distinguished beside those of all together
EPOCH = Axis("epoch", whole=True)
TRAINING, VALIDATION = 0, len(palette.SERIES) + 1  # the second is dashed: in print colours may be lost


def plot_run(run: RunFolder) -> None:
    """``losses metrics weights shares``, and ``insight`` if recorded, as PNG; nothing before the first epoch.

    Raises:
        RunFolderError: the CSV files are damaged, or a plot cannot be written.
    """
    from dmf_cli.figures import matplotlib_renderer

    epochs, steps = run.read_epochs(), run.read_steps()
    if not epochs:
        return
    terms = terms_of(steps or epochs)
    made = of_epochs(epochs, run.read_status().get("best") or {}, terms)
    made += step_figures.of_steps(steps, terms)
    made += step_figures.of_gradients(run.read_insight(), steps, terms)
    for figure in made:
        matplotlib_renderer.write(run.plots, figure, run.path.resolve().name)


def of_epochs(epochs: Columns, best: Mapping[str, Any], terms: Sequence[str]) -> list[Figure]:
    """Metrics and losses; nothing before the first epoch."""
    return [metrics(epochs, best), losses(epochs, terms)] if epochs else []


def terms_of(columns: Columns) -> list[str]:
    """Names of the loss terms, in the order of the columns."""
    return [name.removeprefix("loss.") for name in columns if name.startswith("loss.")]


def losses(epochs: Columns, terms: Sequence[str]) -> Figure:
    """A panel for the objective and one for each term: their scales differ by orders of magnitude."""
    extra = " and auxiliary loss" if np.nansum(finite(epochs.get("gamma", []))) else ""
    words = (f"training (sum: weights of the strategy{extra})", "validation (sum: coefficients)")
    panels = [_both(epochs, "sum", "Weighted sum", dict(zip(words, ("loss", "val_objective"), strict=True)))]
    panels += [
        _both(epochs, f"term{i}", f"Loss {t}", {"training": f"loss.{t}", "validation": f"val_loss.{t}"})
        for i, t in enumerate(terms)
    ]
    count = len(panels)
    columns = 2 if count in (2, 4) else 3 if count <= 9 else 5
    width, height = (3.6, 3.0) if columns <= 3 else (2.7, 2.1)
    size = (width * columns, height * math.ceil(count / columns) + 0.5)
    return Figure("losses", tuple(panels), size, columns, legend="below")


def _both(epochs: Columns, key: str, title: str, names: Mapping[str, str]) -> Panel:
    """Training and validation of one quantity, on an axis of its own."""
    drawn = tuple(
        Line(label, finite(epochs[name]), colour)
        for (label, name), colour in zip(names.items(), (TRAINING, VALIDATION), strict=True)
        if name in epochs
    )
    scale = Axis("loss", log=wide(*(line.y for line in drawn)))
    return Panel(key, title, EPOCH, scale, finite(epochs["epoch"]), drawn, full=False)


def metrics(epochs: Columns, best: Mapping[str, Any]) -> Figure:
    """Validation metrics with the best epoch marked; the learning rate below it when it changes.

    Args:
        epochs: columns of ``epochs.csv``.
        best: ``{"epoch": ..., MONITOR: value}`` of ``status.json``; may be empty.
    """
    at, mark = finite(epochs["epoch"]), _best(epochs, best)
    title = "Validation, mean over images at network resolution"
    drawn = lines({metric(name): epochs[name] for name in validated(epochs)})
    notes = (f"The dashed line is the {mark.label}",) if mark else ()
    marks: tuple[Mark, ...] = (mark,) if mark else ()
    scale = Axis("0 to 1", limits=(0, 1))
    panels = [Panel("metrics", title, EPOCH, scale, at, drawn, marks, notes, height=3)]
    rates = known(finite(epochs.get("learning_rate", [])))
    if len(rates) > 1 and rates.max() > 1.001 * rates.min():
        drawn = lines({"learning rate": epochs["learning_rate"]})
        scale = Axis("learning rate", log=wide(rates))
        panels.append(
            Panel("rate", "Learning rate at the end of each epoch", EPOCH, scale, at, drawn, full=False)
        )
    return Figure("metrics", tuple(panels), (7.2, 5.4 if len(panels) > 1 else 4.0), legend="inside")


def _best(epochs: Columns, best: Mapping[str, Any]) -> Rule | None:
    epoch = best.get("epoch")
    if epoch not in epochs["epoch"]:
        return None
    monitor, value = headline.kept(best)
    what = f": {metric(monitor)} {value:.3f}" if value is not None else ""
    drawn = value is not None and monitor in validated(epochs)
    return Rule(f"best epoch {epoch:.0f}{what}", float(epoch), value if drawn else None)


def validated(epochs: Columns) -> list[str]:
    """The columns of ``epochs`` with a validation metric, without the classes where there are too many."""
    names = [name for name in epochs if name.startswith("val_") and not name.startswith("val_loss.")]
    classes = [name for name in names if name.startswith(headline.CLASS_DICE)]
    crowded = classes if len(classes) > MOST_CLASSES else []
    return [name for name in names if name not in (headline.OBJECTIVE, *crowded)]


def metric(column: str) -> str:
    """``val_foreground_dice`` as people write it; ``Dice of benign`` of one class."""
    if column.startswith(headline.CLASS_DICE):
        return f"Dice of {column.removeprefix(headline.CLASS_DICE)}"
    return column.removeprefix("val_").replace("_", " ").replace("dice", "Dice")
