"""Plots of a run, drawn from the files of its folder alone."""

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from dmf_cli.results.atomic import write_atomic
from dmf_cli.results.run_folder import RunFolder

if TYPE_CHECKING:
    from dmf_cli.training.evaluation import Example

# Okabe & Ito: told apart with every kind of colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
TRUTH, PREDICTION = "#F0E442", "#D55E00"
DPI = 130
COLUMNS = 4  # of the example grid

Columns = dict[str, list[float]]


def plot_run(run: RunFolder) -> None:
    """``losses.png``, ``metrics.png`` and ``weights.png`` of a run that has at least one epoch."""
    epochs, steps = run.read_epochs(), run.read_steps()
    if not epochs:
        return
    terms = [name.removeprefix("loss.") for name in epochs if name.startswith("loss.")]
    _save(run.plots / "losses.png", losses(epochs, terms))
    _save(run.plots / "metrics.png", metrics(epochs))
    _save(run.plots / "weights.png", weights(steps, terms))


def losses(epochs: Columns, terms: Sequence[str]) -> Figure:
    """Left: raw loss of each term, training and validation. Right: the moving total, and the fixed one."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for index, term in enumerate(terms):
        colour, style = _style(index)
        _line(left, epochs["epoch"], epochs[f"loss.{term}"], term, colour, style)
        _line(left, epochs["epoch"], epochs[f"val_loss.{term}"], None, colour, style, alpha=0.45)
    left.plot([], [], color="grey", label="training")
    left.plot([], [], color="grey", alpha=0.45, label="validation")
    _finish(left, "raw loss of each term", "epoch", "loss")
    _line(right, epochs["epoch"], epochs["loss"], "training total (weights move)", COLOURS[0], "-")
    _line(right, epochs["epoch"], epochs["val_objective"], "validation, fixed weights", COLOURS[1], "-")
    _finish(right, "objective", "epoch", "loss")
    return figure


def metrics(epochs: Columns) -> Figure:
    """Validation Dice over epochs, the best epoch marked, and the learning rate below."""
    figure = Figure(figsize=(7, 5), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    dice = epochs["val_foreground_dice"]
    _line(top, epochs["epoch"], dice, "validation", COLOURS[0], "-")
    best = int(np.nanargmax(dice)) if not all(map(math.isnan, dice)) else 0
    label = f"best: {dice[best]:.3f} (epoch {epochs['epoch'][best]:.0f})"
    top.plot(epochs["epoch"][best], dice[best], "o", color=COLOURS[1], label=label)
    top.set_ylim(0, 1)
    _finish(top, "foreground Dice, mean over images at network resolution", "", "Dice")
    _line(bottom, epochs["epoch"], epochs["learning_rate"], None, COLOURS[2], "-")
    _finish(bottom, "", "epoch", "learning rate")
    return figure


def weights(steps: Columns, terms: Sequence[str]) -> Figure:
    """Weight of each term over steps; gamma below when there is an auxiliary loss."""
    auxiliary = any(steps["gamma"])
    figure = Figure(figsize=(9, 5.4 if auxiliary else 4), layout="constrained")
    panels = figure.subplots(2 if auxiliary else 1, 1, sharex=True, squeeze=False)[:, 0]
    for index, term in enumerate(terms):
        colour, style = _style(index)
        panels[0].plot(steps["step"], steps[f"weight.{term}"], style, color=colour, label=term, linewidth=1.3)
    panels[0].set_ylim(bottom=0)
    _finish(panels[0], "weight of each term", "" if auxiliary else "step", "weight")
    if auxiliary:
        panels[1].step(steps["step"], steps["gamma"], where="post", color=COLOURS[0])
        panels[1].set_ylim(bottom=0)
        _finish(panels[1], "weight of the auxiliary loss", "step", "gamma")
    return figure


def plot_examples(path: Path, examples: Sequence["Example"]) -> None:
    """A grid of images with the outlines of truth and prediction; nothing for no examples."""
    if not examples:
        return
    rows, columns = math.ceil(len(examples) / COLUMNS), min(COLUMNS, len(examples))
    figure = Figure(figsize=(2.9 * columns, 3.1 * rows + 0.5), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel in panels:
        panel.set_axis_off()
    for panel, example in zip(panels, examples, strict=False):
        _example(panel, example)
    figure.legend(
        handles=[_proxy(TRUTH, "-", "truth"), _proxy(PREDICTION, "--", "prediction")],
        loc="outside lower center",
        ncols=2,
        frameon=False,
    )
    _save(path, figure)


def _example(panel: Axes, example: "Example") -> None:
    grey = example.image.shape[-1] == 1
    panel.imshow(example.image[..., 0] if grey else example.image, cmap="gray", vmin=0, vmax=255)
    for labels, colour, style in ((example.truth, TRUTH, "-"), (example.prediction, PREDICTION, "--")):
        for value in range(1, int(labels.max()) + 1):
            panel.contour(labels == value, [0.5], colors=colour, linestyles=style, linewidths=1.2)
    name = example.id if len(example.id) <= 28 else f"...{example.id[-25:]}"
    dice = "no lesion" if math.isnan(example.dice) else f"Dice {example.dice:.2f}"
    panel.set_title(f"{example.kind}: {dice}\n{name}", fontsize=9)


def _proxy(colour: str, style: str, label: str) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=colour, linestyle=style, label=label)


def _style(index: int) -> tuple[str, str]:
    """Colours first, then dashes: 28 terms can be told apart."""
    return COLOURS[index % len(COLOURS)], ("-", "--", ":", "-.")[index // len(COLOURS) % 4]


def _line(
    axes: Axes, x: list[float], y: list[float], label: str | None, colour: str, style: str, alpha: float = 1.0
) -> None:
    """A line; a single epoch is a dot that can be seen."""
    axes.plot(x, y, style, marker="o" if len(x) == 1 else None, color=colour, label=label, alpha=alpha)


def _finish(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.25)
    if x == "epoch":
        axes.xaxis.get_major_locator().set_params(integer=True)
    handles, _ = axes.get_legend_handles_labels()
    if handles:
        axes.legend(fontsize=8, frameon=False, ncols=1 if len(handles) <= 8 else 2)


def _save(path: Path, figure: Figure) -> None:
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_figure(buffer, format="png", dpi=DPI)
    write_atomic(path, buffer.getvalue())
