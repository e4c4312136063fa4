"""Weights of several strategies on one history, a panel each, under the losses they saw."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dmf_cli.figures import style as look


def weights(
    steps: Sequence[float],
    losses: Mapping[str, np.ndarray],
    replayed: Mapping[str, np.ndarray],
    *,
    height: float = 1.9,
) -> Figure:
    """The losses in the first panel, then the weights of each strategy on one common axis.

    Args:
        steps: number of each row.
        losses: term -> values.
        replayed: label -> ``(steps, terms)``.
        height: of a row of panels, in inches.
    """
    count = 1 + len(replayed)
    columns = 1 if count <= 3 else 2 if count <= 8 else 3 if count <= 12 else 4
    rows = math.ceil(count / columns)
    figure = Figure(figsize=(max(6.4, (3.6 if columns < 4 else 2.9) * columns), height * rows + 0.8))
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True).ravel()
    clean = {term: look.finite(values.tolist()) for term, values in losses.items()}
    for i, values in enumerate(clean.values()):
        look.draw(panels[0], steps, values.tolist(), **{**look.look(i), "linewidth": 1.0})
    look.scale(panels[0], *(values.tolist() for values in clean.values()))
    panels[0].set_title("losses")
    top = max(1e-3, *(float(np.nanmax(w)) for w in replayed.values())) if replayed else 1.0
    for panel, (label, table) in zip(panels[1:], replayed.items(), strict=False):
        _panel(panel, steps, list(losses), table, top)
        panel.set_title(look.text(label, 34))
    for position, panel in enumerate(panels):
        if position % columns == 0:
            panel.set_ylabel("loss" if position == 0 else "weight")
        if position >= count:
            panel.set_axis_off()
        elif position + columns >= count:  # nothing below it
            panel.set_xlabel("step")
            panel.tick_params(labelbottom=True)
    names = [look.text(term, 24) for term in losses]
    figure.legend(panels[0].get_lines(), names, loc="outside lower center", ncols=6)
    return figure


def _panel(axes: Axes, steps: Sequence[float], terms: Sequence[str], table: np.ndarray, top: float) -> None:
    for i, _ in enumerate(terms):
        axes.plot(steps, table[:, i], **{**look.look(i), "linewidth": 1.2})
    axes.set_ylim(-0.03 * top, 1.06 * top)
