"""Plots of a run, drawn from the files of its folder alone."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dmf_cli.figures import style as look
from dmf_cli.figures.examples import plot_examples as plot_examples
from dmf_cli.figures.step_plots import insight, shares
from dmf_cli.figures.step_plots import weights as weights
from dmf_cli.run_folder import headline
from dmf_cli.run_folder.csv_log import Columns
from dmf_cli.run_folder.folder import RunFolder

MOST_CLASSES = 5  # above 0, whose curves can be told apart beside those of all together


def plot_run(run: RunFolder) -> None:
    """``losses metrics weights shares``, and ``insight`` if recorded, as PNG; nothing before the first epoch.

    Raises:
        RunFolderError: the CSV files are damaged, or a plot cannot be written.
    """
    epochs, steps = run.read_epochs(), run.read_steps()
    if not epochs:
        return
    terms = terms_of(steps or epochs)
    best = run.read_status().get("best") or {}
    with look.style():
        figures = {"losses": losses(epochs, terms), "metrics": metrics(epochs, best)}
        if steps:
            figures["weights"], figures["shares"] = weights(steps, terms), shares(steps, terms)
            recorded = run.read_insight()
            if recorded:
                figures["insight"] = insight(recorded, steps, terms)
        for name, figure in figures.items():
            look.name_it(figure, run.path.resolve().name)
            look.save(run.plots / f"{name}.png", figure)


def terms_of(columns: Columns) -> list[str]:
    """Names of the loss terms, in the order of the columns."""
    return [name.removeprefix("loss.") for name in columns if name.startswith("loss.")]


def losses(epochs: Columns, terms: Sequence[str]) -> Figure:
    """A panel for the objective and one for each term: their scales differ by orders of magnitude."""
    count = len(terms) + 1
    columns = 2 if count in (2, 4) else 3 if count <= 9 else 5
    rows = math.ceil(count / columns)
    width, height = (3.6, 3.0) if columns <= 3 else (2.7, 2.1)
    figure = Figure(figsize=(width * columns, height * rows + 0.5))
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True).ravel()
    names = {"weighted sum": ("loss", "val_objective")}
    names |= {term: (f"loss.{term}", f"val_loss.{term}") for term in terms}
    for panel, (title, pair) in zip(panels, names.items(), strict=False):
        _train_and_val(panel, epochs, *pair)
        panel.set_title(look.text(title, 28))
    for position, panel in enumerate(panels):
        if position % columns == 0:
            panel.set_ylabel("loss")
        if position >= count:
            panel.set_axis_off()
        elif position + columns >= count:  # nothing below it
            look.epoch_axis(panel, epochs["epoch"])
            panel.tick_params(labelbottom=True)
    extra = " and auxiliary loss" if np.nansum(look.finite(epochs.get("gamma", []))) else ""
    words = [f"training (sum: weights of the strategy{extra})", "validation (sum: coefficients)"]
    figure.legend(panels[0].get_lines(), words, loc="outside lower center", ncols=2)
    return figure


def _train_and_val(axes: Axes, epochs: Columns, train: str, val: str) -> None:
    """Both lines of one quantity, on an axis of its own."""
    nothing = [math.nan] * len(epochs["epoch"])
    series = [epochs.get(train, nothing), epochs.get(val, nothing)]
    for index, values in enumerate(series):
        how = {"color": look.COLOURS[index], "linestyle": look.DASHES[index]}
        look.draw(axes, epochs["epoch"], values, **how)
    look.scale(axes, *series)


def metrics(epochs: Columns, best: Mapping[str, Any]) -> Figure:
    """Validation metrics with the best epoch marked; the learning rate below it when it changes.

    Args:
        epochs: columns of ``epochs.csv``.
        best: ``{"epoch": ..., MONITOR: value}`` of ``status.json``; may be empty.
    """
    names = validated(epochs)
    rates = look.finite(epochs.get("learning_rate", []))
    changes = len(rates) > 1 and np.nanmax(rates) > 1.001 * np.nanmin(rates)
    figure = Figure(figsize=(7.2, 5.4 if changes else 4.0))
    panels = figure.subplots(1 + changes, 1, sharex=True, squeeze=False, height_ratios=(3, 1)[: 1 + changes])[
        :, 0
    ]
    for index, name in enumerate(names):
        look.draw(panels[0], epochs["epoch"], epochs[name], label=metric(name), **look.look(index))
    _mark_best(panels[0], epochs, best)
    panels[0].set_ylim(0, 1)
    panels[0].set_title("validation, mean over images at network resolution")
    panels[0].set_ylabel("metric (0 to 1)")
    panels[0].legend(loc="lower right")
    if changes:
        look.draw(panels[1], epochs["epoch"], rates.tolist(), color=look.COLOURS[2])
        look.scale(panels[1], rates.tolist())
        panels[1].set_ylabel("learning rate")
    look.epoch_axis(panels[-1], epochs["epoch"])
    return figure


def _mark_best(axes: Axes, epochs: Columns, best: Mapping[str, Any]) -> None:
    epoch = best.get("epoch")
    if epoch not in epochs["epoch"]:
        return
    monitor, value = headline.kept(best)
    what = f": {metric(monitor)} {value:.3f}" if value is not None else ""
    axes.axvline(epoch, color="0.6", linewidth=1, zorder=0, label=f"best epoch {epoch:.0f}{what}")
    if value is not None and monitor in epochs and not monitor.startswith(("val_loss.", "val_objective")):
        axes.plot(epoch, value, "o", color=look.COLOURS[0], markersize=6)


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
