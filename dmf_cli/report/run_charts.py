"""The charts of one run: over epochs, over steps, and of the gradients."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dmf_cli.figures import style as look
from dmf_cli.figures.run_plots import metric, validated
from dmf_cli.figures.step_plots import pairs, still
from dmf_cli.report import chart
from dmf_cli.report.chart import Chart
from dmf_cli.report.reading import Facts
from dmf_cli.run_folder import headline
from dmf_cli.run_folder.csv_log import Columns


def of_epochs(facts: Facts) -> list[Chart]:
    """Validation metrics, the weighted sum, each term, the learning rate; nothing before the first epoch."""
    if not facts.epochs:
        return []
    made = [_metrics(facts.epochs, facts.status.get("best") or {})]
    made.append(_pair(facts.epochs, "sum", "Weighted sum", ("loss", "val_objective")))
    extra = " and auxiliary loss" if np.nansum(look.finite(facts.epochs.get("gamma", []))) else ""
    made[-1].caption += f" Training: weights of the strategy{extra}; validation: coefficients."
    made += [
        _pair(facts.epochs, f"term{i}", f"Loss {term}", (f"loss.{term}", f"val_loss.{term}"))
        for i, term in enumerate(facts.terms)
    ]
    rates = look.finite(facts.epochs.get("learning_rate", []))
    if len(rates) > 1 and np.nanmax(rates) > 1.001 * np.nanmin(rates):
        made.append(
            _one(facts.epochs, "rate", "Learning rate at the end of each epoch", {"learning rate": rates})
        )
    return [one for one in made if one.model.renderers]  # a column that is missing has no chart


def of_steps(facts: Facts) -> list[Chart]:
    """Weights, raw losses, weighted shares, and gamma where there is an auxiliary loss; zoomed together."""
    steps, terms = facts.steps, facts.terms
    if not steps or any(f"{kind}.{t}" not in steps for t in terms for kind in ("weight", "loss")):
        return []
    weights = {term: look.finite(steps[f"weight.{term}"]) for term in terms}
    raw = {term: look.finite(steps[f"loss.{term}"]) for term in terms}
    shares = {term: raw[term] * weights[term] for term in terms}
    start = still(np.stack(list(weights.values())))
    first = _stepwise(steps, "weights", "Weight of each term", "weight", weights, start=start)
    first.caption += _warm_up(first, steps, start)
    zoom = {"x_range": first.model.x_range}
    made = [
        first,
        _stepwise(steps, "raw", "Loss of each term, before its weight", "loss", raw, **zoom),
        _stepwise(steps, "shares", "What the weight makes of it: weight x loss", "loss", shares, **zoom),
    ]
    gamma = look.finite(steps.get("gamma", []))
    if np.nansum(np.abs(gamma)):
        series = {"gamma": gamma}
        one = _stepwise(
            steps, "gamma", "Weight of the auxiliary loss", "gamma", series, toggles=False, **zoom
        )
        made.append(one)
    return made


def of_gradients(facts: Facts) -> list[Chart]:
    """Norm of each term's gradient, the pull that its weight makes of it, and the cosines between terms."""
    recorded, steps, terms = facts.insight, facts.steps, facts.terms
    if not recorded or any(f"norm.{t}" not in recorded or f"weight.{t}" not in steps for t in terms):
        return []
    norms = {term: look.finite(recorded[f"norm.{term}"]) for term in terms}
    at = np.searchsorted(steps["step"], recorded["step"]).clip(max=len(steps["step"]) - 1)
    pulls = {term: norms[term] * look.finite(steps[f"weight.{term}"])[at] for term in terms}
    first = _stepwise(recorded, "norms", "Norm of each term's gradient at the logits", "norm", norms)
    zoom = {"x_range": first.model.x_range}
    made = [first, _stepwise(recorded, "pulls", "Its pull: weight x norm", "norm", pulls, **zoom)]
    cosines = pairs(recorded)
    if cosines:
        one = _stepwise(
            recorded, "cosines", "Cosine between gradients", "cosine", cosines, toggles=False, **zoom
        )
        low = min(float(np.nanmin(values, initial=1.0)) for values in cosines.values())
        one.caption += f" Below 0 two terms pull against each other; the lowest here is {low:.3g}."
        one.model.y_range.start, one.model.y_range.end = -1.05, 1.05
        made.append(one)
    return made


def _metrics(epochs: Columns, best: Mapping[str, Any]) -> Chart:
    series = {metric(name): look.finite(epochs[name]) for name in validated(epochs)}
    title = "Validation, mean over images at network resolution"
    made = _one(epochs, "metrics", title, series, wide=True, height=300)
    made.model.y_range.start, made.model.y_range.end = 0, 1
    epoch, (monitor, value) = best.get("epoch"), headline.kept(best)
    if epoch in epochs["epoch"] and value is not None:
        from bokeh.models import Span

        made.model.add_layout(
            Span(location=float(epoch), dimension="height", line_dash="dashed", name="mark")
        )
        made.caption += (
            f" The dashed line is the epoch that was kept: {epoch}, {metric(monitor)} {_3(value)}."
        )
    return made


def _pair(epochs: Columns, key: str, title: str, names: tuple[str, str]) -> Chart:
    known = {
        kind: look.finite(epochs[name])
        for kind, name in zip(("training", "validation"), names, strict=True)
        if name in epochs
    }
    return _one(epochs, key, title, known)


def _one(
    epochs: Columns,
    key: str,
    title: str,
    series: Mapping[str, np.ndarray],
    *,
    wide: bool = False,
    height: int = 220,
) -> Chart:
    """A chart over epochs; its lines carry their names in the caption and the hover box."""
    unit = {"rate": "rate", "metrics": "0 to 1"}.get(key, "loss")
    log = key != "metrics" and chart.log_scale(*series.values())
    model = chart.figure("epoch", unit, log=log, height=height)
    if series:
        chart.lines(model, epochs["epoch"], series, label="epoch", toggles=False, dots=True)
    colours = {name: i for i, name in enumerate(series)}
    made = Chart(key, title, _sentence(series), model, wide=wide)
    made.legend = colours if len(series) > 1 else {}
    return made


def _stepwise(
    steps: Columns,
    key: str,
    title: str,
    unit: str,
    series: Mapping[str, np.ndarray],
    *,
    start: int = 0,
    toggles: bool = True,
    x_range: Any = None,
) -> Chart:
    log = unit in ("loss", "norm") and chart.log_scale(*series.values())
    model = chart.figure("step", unit, log=log, x_range=x_range)
    found = chart.lines(model, steps["step"], series, label="step", toggles=toggles, start=start)
    made = Chart(key, title, _sentence(series), model, found)
    if not toggles and len(series) > 1:
        made.legend = {name: i for i, name in enumerate(series)}
    if len(steps["step"]) >= chart.MANY_STEPS:
        made.caption += f" Bold: mean over {len(steps['step']) // 100} steps."
    return made


def _warm_up(made: Chart, steps: Columns, start: int) -> str:
    if not start:
        return ""
    from bokeh.models import BoxAnnotation

    left, right = steps["step"][0], steps["step"][start]
    made.model.add_layout(BoxAnnotation(left=left, right=right, name="shade", line_alpha=0))
    return f" Shaded: the warm-up, until step {right:.0f}."


def _sentence(series: Mapping[str, np.ndarray]) -> str:
    said = chart.in_words(series)
    return f"{said}." if said else ""


def _3(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) else "unknown"
