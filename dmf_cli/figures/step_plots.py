"""Figures over single steps: weights, losses, shares, and the insight into the gradients of the terms."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dmf_cli.figures import style as look
from dmf_cli.run_folder.csv_log import Columns

MANY_STEPS = 400  # from here on, lines of single steps are a mist that needs a mean
MOST_PAIRS = 8  # lines of cosines that can be told apart


def weights(steps: Columns, terms: Sequence[str]) -> Figure:
    """Weight of each term over steps, the warm-up shaded; gamma below when there is an auxiliary loss."""
    auxiliary = bool(np.nansum(np.abs(look.finite(steps["gamma"]))))
    wide = len(terms) > 12
    figure = Figure(figsize=(9.6 if wide else 8.4, 5.6 if auxiliary else 4.2))
    heights = (2.2, 1)[: 1 + auxiliary]
    panels = figure.subplots(1 + auxiliary, 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    series = {term: look.finite(steps[f"weight.{term}"]) for term in terms}
    start = still(np.stack(list(series.values())))
    lines(panels[0], steps["step"], series, start)
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


def shares(steps: Columns, terms: Sequence[str]) -> Figure:
    """Raw loss of each term over steps, and below it what the weight makes of it: weight x loss."""
    raw = {term: look.finite(steps[f"loss.{term}"]) for term in terms}
    shared = {term: raw[term] * look.finite(steps[f"weight.{term}"]) for term in terms}
    figure, panels = _panels(2, wide=len(terms) > 12)
    for panel, series, title in (
        (panels[0], raw, "loss of each term"),
        (panels[1], shared, "share of each term: weight x loss"),
    ):
        lines(panel, steps["step"], series, 0)
        look.scale(panel, *(values.tolist() for values in series.values()))
        panel.set_title(title)
        panel.set_ylabel("loss")
    _finish(panels, steps, ncols=2 if len(terms) > 12 else 1)
    return figure


def insight(recorded: Columns, steps: Columns, terms: Sequence[str]) -> Figure:
    """Norm of each term's gradient, the same times its weight, and the cosines between them.

    Args:
        recorded: columns of ``insight.csv``.
        steps: columns of ``steps.csv``, for the weights.
        terms: names of the loss terms.
    """
    norms = {term: look.finite(recorded[f"norm.{term}"]) for term in terms}
    at = np.searchsorted(steps["step"], recorded["step"]).clip(max=len(steps["step"]) - 1)
    pulls = {term: norms[term] * look.finite(steps[f"weight.{term}"])[at] for term in terms}
    cosines = pairs(recorded)
    figure, panels = _panels(2 + bool(cosines), wide=len(terms) > 12)
    for panel, series, title in (
        (panels[0], norms, "norm of each term's gradient at the logits"),
        (panels[1], pulls, "its pull: weight x norm"),
    ):
        lines(panel, recorded["step"], series, 0)
        look.scale(panel, *(values.tolist() for values in series.values()))
        panel.set_title(title)
        panel.set_ylabel("norm")
    if cosines:
        _cosine_panel(panels[2], recorded, cosines)
    _finish(panels, recorded, ncols=2 if len(terms) > 12 else 1)
    return figure


def _cosine_panel(axes: Axes, recorded: Columns, cosines: Mapping[str, np.ndarray]) -> None:
    """Cosines with the region of conflict shaded."""
    lines(axes, recorded["step"], cosines, 0)
    axes.axhspan(-1.05, 0.0, color=look.COLOURS[1], alpha=0.12, lw=0, zorder=0, label="conflict")
    axes.set_ylim(-1.05, 1.05)
    every = sum(name.startswith("cosine.") for name in recorded)
    few = f", the {len(cosines)} lowest of {every}" if every > len(cosines) else ""
    axes.set_title(f"cosine between two terms' gradients{few}: below 0 they pull against each other")
    axes.set_ylabel("cosine")


def pairs(recorded: Columns) -> dict[str, np.ndarray]:
    """Cosines by pair, those with the lowest mean when there are many."""
    found = {
        name.removeprefix("cosine.").replace("|", " and "): look.finite(values)
        for name, values in recorded.items()
        if name.startswith("cosine.")
    }
    lowest = sorted(found, key=lambda pair: _mean_of_defined(found[pair]))[:MOST_PAIRS]
    return {pair: values for pair, values in found.items() if pair in lowest}


def _mean_of_defined(values: np.ndarray) -> float:
    """Infinite where nothing is: an unknown cosine is no cosine of 0."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else np.inf


def _panels(count: int, *, wide: bool) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(9.6 if wide else 8.4, 1.2 + 2.4 * count))
    return figure, list(figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0])


def _finish(panels: Sequence[Axes], steps: Columns, ncols: int) -> None:
    for panel in panels:
        panel.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), ncols=ncols)
    panels[-1].set_xlabel("step" + (_epoch_note(steps) if "loss" in steps else ""))
    panels[-1].set_xlim(_around(steps["step"]))


def lines(axes: Axes, x: Sequence[float], series: Mapping[str, np.ndarray], start: int) -> None:
    """Each step; over many steps their moving mean from ``start`` on, with the steps as a mist behind it."""
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


def still(rows: np.ndarray) -> int:
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
