"""Plots of a run, drawn from the files of its folder alone."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dmf_cli.results import figure as look
from dmf_cli.results.examples import plot_examples as plot_examples
from dmf_cli.results.recorder import Columns
from dmf_cli.results.run_folder import RunFolder

MANY_STEPS = 400  # from here on, lines of single steps are a mist that needs a mean


def plot_run(run: RunFolder) -> None:
    """``losses.png``, ``metrics.png`` and ``weights.png`` of a run; nothing before its first epoch.

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
            figures["weights"] = weights(steps, terms)
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
    words = [f"training (sum: adapting weights{extra})", "validation (sum: fixed weights)"]
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
    names = [name for name in epochs if name.startswith("val_") and not name.startswith("val_loss.")]
    names = [name for name in names if name != "val_objective"]
    rates = look.finite(epochs.get("learning_rate", []))
    changes = len(rates) > 1 and np.nanmax(rates) > 1.001 * np.nanmin(rates)
    figure = Figure(figsize=(7.2, 5.4 if changes else 4.0))
    panels = figure.subplots(1 + changes, 1, sharex=True, squeeze=False, height_ratios=(3, 1)[: 1 + changes])[
        :, 0
    ]
    for index, name in enumerate(names):
        look.draw(panels[0], epochs["epoch"], epochs[name], label=_metric(name), **look.look(index))
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
    monitor, value = next(((k, v) for k, v in best.items() if k != "epoch"), ("", None))
    what = f": {_metric(monitor)} {value:.3f}" if value is not None else ""
    axes.axvline(epoch, color="0.6", linewidth=1, zorder=0, label=f"best epoch {epoch:.0f}{what}")
    if monitor in epochs and not monitor.startswith(("val_loss.", "val_objective")):
        axes.plot(epoch, value, "o", color=look.COLOURS[0], markersize=6)


def _metric(column: str) -> str:
    """``val_foreground_dice`` as people write it."""
    return column.removeprefix("val_").replace("_", " ").replace("dice", "Dice")


def weights(steps: Columns, terms: Sequence[str]) -> Figure:
    """Weight of each term over steps, the warm-up shaded; gamma below when there is an auxiliary loss."""
    auxiliary = bool(np.nansum(np.abs(look.finite(steps["gamma"]))))
    wide = len(terms) > 12
    figure = Figure(figsize=(9.6 if wide else 8.4, 5.6 if auxiliary else 4.2))
    heights = (2.2, 1)[: 1 + auxiliary]
    panels = figure.subplots(1 + auxiliary, 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    series = {term: look.finite(steps[f"weight.{term}"]) for term in terms}
    start = _still(np.stack(list(series.values())))
    _weight_lines(panels[0], steps["step"], series, start)
    if start:
        panels[0].axvspan(
            steps["step"][0], steps["step"][start], color="0.9", lw=0, zorder=0, label="warm-up"
        )
    panels[0].set_ylim(0, max(0.05, *(1.08 * np.nanmax(v, initial=0.0) for v in series.values())))
    panels[0].set_ylabel("weight")
    panels[0].set_title("weight of each term")
    panels[0].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), ncols=2 if wide else 1)
    if auxiliary:
        panels[1].step(steps["step"], steps["gamma"], where="post", color=look.COLOURS[0])
        panels[1].set_ylim(0, 1.08 * np.nanmax(look.finite(steps["gamma"])))
        panels[1].set_ylabel("gamma")
        panels[1].set_title("weight of the auxiliary loss")
    panels[-1].set_xlabel("step" + _epoch_note(steps))
    panels[-1].set_xlim(_around(steps["step"]))
    return figure


def _weight_lines(axes: Axes, x: Sequence[float], series: Mapping[str, np.ndarray], start: int) -> None:
    """Each step; over many steps their moving mean, with the steps as a mist behind it."""
    window = len(x) // 100 if len(x) >= MANY_STEPS else 1
    for index, (term, values) in enumerate(series.items()):
        how = look.look(index)
        if window > 1 and len(series) <= len(look.COLOURS):
            axes.plot(x, values, **{**how, "linewidth": 0.7, "alpha": 0.35})
        if window > 1:  # the mean must not reach back into the warm-up and smear its end
            values = np.concatenate([values[:start], _moving_mean(values[start:], window)])
        look.draw(axes, x, values.tolist(), label=look.text(term, 24), **how)
    if window > 1:
        where = {"transform": axes.transAxes, "ha": "right", "va": "top", "color": "0.45"}
        axes.text(0.995, 0.99, f"mean over {window} steps", **where)


def _still(rows: np.ndarray) -> int:
    """How many steps, from the first on, had the weights of the first; 0 when they never move.

    Args:
        rows: ``(terms, steps)``.
    """
    same = np.all(np.isclose(rows, rows[:, :1], rtol=1e-6, atol=1e-9), axis=0)
    start = int(np.argmin(same))
    return start if start > 1 else 0


def _around(x: Sequence[float]) -> tuple[float, float]:
    margin = 0.01 * (x[-1] - x[0]) or 0.5
    return x[0] - margin, x[-1] + margin


def _epoch_note(steps: Columns) -> str:
    epochs = len(set(steps.get("epoch", ())))
    return f" ({round(len(steps['step']) / epochs)} an epoch)" if epochs > 1 else ""


def _moving_mean(values: np.ndarray, window: int) -> np.ndarray:
    """Mean of the last ``window`` values (of fewer at the start) that are not NaN."""
    known = ~np.isnan(values)
    sums = np.cumsum(np.where(known, values, 0.0))
    counts = np.cumsum(known).astype(float)
    late = np.arange(len(values)) >= window
    for total in (sums, counts):
        total[late] -= total[: len(values) - window].copy() if window < len(values) else 0.0
    return np.divide(sums, counts, out=np.full(len(values), np.nan), where=counts > 0)
