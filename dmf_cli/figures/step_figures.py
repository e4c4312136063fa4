"""The figures of a run over single steps: weights, losses, shares, and the gradients of the terms."""

from collections.abc import Mapping, Sequence

import numpy as np

from dmf_cli.figures import series
from dmf_cli.figures.description import Axis, Figure, Mark, Panel, Shade, lines
from dmf_cli.run_folder.csv_log import Columns

MOST_PAIRS = 8  # lines of cosines that can be distinguished
MANY_TERMS = 12  # from here on, legends have two columns


def of_steps(steps: Columns, terms: Sequence[str]) -> list[Figure]:
    """Weights and shares; nothing where a column of a term is missing."""
    complete = steps and terms and all(f"{kind}.{t}" in steps for t in terms for kind in ("weight", "loss"))
    return [weights(steps, terms), shares(steps, terms)] if complete else []


def of_gradients(recorded: Columns, steps: Columns, terms: Sequence[str]) -> list[Figure]:
    """The insight; nothing where none, or not that of each term, was recorded."""
    complete = recorded and terms and all(f"norm.{t}" in recorded and f"weight.{t}" in steps for t in terms)
    return [insight(recorded, steps, terms)] if complete else []


def weights(steps: Columns, terms: Sequence[str]) -> Figure:
    """Weight of each term over steps, the warm-up shaded; gamma below when there is an auxiliary loss."""
    values = {term: series.finite(steps[f"weight.{term}"]) for term in terms}
    start = series.still(np.stack(list(values.values())))
    marks: tuple[Mark, ...] = ()
    notes: tuple[str, ...] = ()
    if start:
        left, right = steps["step"][0], steps["step"][start]
        marks = (Shade("warm-up", "x", left, right),)
        notes = (f"Shaded: the warm-up, until step {right:.0f}",)
    top = max(0.05, 1.08 * max(np.nanmax(v, initial=0.0) for v in values.values()))
    scale = Axis("weight", limits=(0, top))
    panels = [_panel("weights", "Weight of each term", scale, steps, values, start, marks, notes, 2.2)]
    gamma = series.finite(steps.get("gamma", []))
    if np.nansum(np.abs(gamma)):
        title, scale = "Weight of the auxiliary loss", Axis("gamma", limits=(0, 1.08 * np.nanmax(gamma)))
        panels.append(_panel("gamma", title, scale, steps, {"gamma": gamma}, None))
    return Figure("weights", tuple(panels), _size(terms, 5.6 if len(panels) > 1 else 4.2))


def shares(steps: Columns, terms: Sequence[str]) -> Figure:
    """Raw loss of each term over steps, and below it what the weight makes of it: weight x loss."""
    raw = {term: series.finite(steps[f"loss.{term}"]) for term in terms}
    shared = {term: raw[term] * series.finite(steps[f"weight.{term}"]) for term in terms}
    panels = (
        _panel("raw", "Loss of each term, before its weight", _scale("loss", raw), steps, raw),
        _panel("shares", "Share of each term: weight x loss", _scale("loss", shared), steps, shared),
    )
    return Figure("shares", panels, _size(terms, 1.2 + 2.4 * len(panels)))


def insight(recorded: Columns, steps: Columns, terms: Sequence[str]) -> Figure:
    """Norm of each term's gradient, the same times its weight, and the cosines between them.

    Args:
        recorded: columns of ``insight.csv``.
        steps: columns of ``steps.csv``, for the weights.
        terms: names of the loss terms.
    """
    norms = {term: series.finite(recorded[f"norm.{term}"]) for term in terms}
    at = np.searchsorted(steps["step"], recorded["step"]).clip(max=len(steps["step"]) - 1)
    pulls = {term: norms[term] * series.finite(steps[f"weight.{term}"])[at] for term in terms}
    title = "Norm of each term's gradient at the logits"
    panels = [
        _panel("norms", title, _scale("norm", norms), recorded, norms),
        _panel("pulls", "Its pull: weight x norm", _scale("norm", pulls), recorded, pulls),
    ]
    cosines = pairs(recorded)
    if cosines:
        panels.append(_conflict(recorded, cosines))
    return Figure("insight", tuple(panels), _size(terms, 1.2 + 2.4 * len(panels)))


def _conflict(recorded: Columns, cosines: Mapping[str, np.ndarray]) -> Panel:
    """Cosines with the region of conflict shaded."""
    every = sum(name.startswith("cosine.") for name in recorded)
    few = f", the {len(cosines)} lowest of {every}" if every > len(cosines) else ""
    title = f"Cosine between two terms' gradients{few}: below 0 they pull against each other"
    low = min(float(np.nanmin(values, initial=1.0)) for values in cosines.values())
    notes = (f"Shaded: below 0 two terms pull against each other; the lowest here is {low:.3g}",)
    shade = Shade("conflict", "y", -1.05, 0.0)
    scale = Axis("cosine", limits=(-1.05, 1.05))
    return _panel("cosines", title, scale, recorded, cosines, 0, (shade,), notes)


def pairs(recorded: Columns) -> dict[str, np.ndarray]:
    """Cosines by pair, those with the lowest mean when there are many."""
    cosines = {
        name.removeprefix("cosine.").replace("|", " and "): series.finite(values)
        for name, values in recorded.items()
        if name.startswith("cosine.")
    }
    lowest = sorted(cosines, key=lambda pair: _mean_of_defined(cosines[pair]))[:MOST_PAIRS]
    return {pair: values for pair, values in cosines.items() if pair in lowest}


def _mean_of_defined(values: np.ndarray) -> float:
    """Infinite where nothing is: an unknown cosine is no cosine of 0."""
    defined = series.known(values)
    return float(defined.mean()) if defined.size else np.inf


def _panel(
    key: str,
    title: str,
    scale: Axis,
    columns: Columns,
    values: Mapping[str, np.ndarray],
    start: int | None = 0,
    marks: tuple[Mark, ...] = (),
    notes: tuple[str, ...] = (),
    height: float = 1.0,
) -> Panel:
    """Lines over the steps of ``columns``; those of the terms can be hidden."""
    at = series.finite(columns["step"])
    epochs = len(set(columns.get("epoch", ()))) if "loss" in columns else 0
    note = f" ({round(len(at) / epochs)} an epoch)" if epochs > 1 else ""
    window = 1 if start is None else series.window(len(at))
    return Panel(
        key, title, Axis(f"step{note}", whole=True), scale, at, lines(values, start=start), marks, notes,
        window, toggles=key not in ("gamma", "cosines"), height=height,
    )  # fmt: skip


def _scale(label: str, values: Mapping[str, np.ndarray]) -> Axis:
    return Axis(label, log=series.wide(*values.values()))


def _size(terms: Sequence[str], height: float) -> tuple[float, float]:
    return (9.6 if len(terms) > MANY_TERMS else 8.4), height
