"""Weights of several strategies on one history, a panel each, under the losses they saw."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from dmf_cli.figures import series
from dmf_cli.figures.description import Axis, Figure, Panel, lines


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
    at, x = series.finite(steps), Axis("step", whole=True)
    drawn = lines(losses)
    scale = Axis("loss", log=series.wide(*(line.y for line in drawn)))
    top = max([1e-3, *(float(np.nanmax(w)) for w in replayed.values())])
    common = Axis("weight", limits=(-0.03 * top, 1.06 * top))
    panels = [Panel("losses", "Losses", x, scale, at, drawn)]
    panels += [
        Panel(label, label, x, common, at, lines(dict(zip(losses, table.T, strict=True))))
        for label, table in replayed.items()
    ]
    count = len(panels)
    columns = 1 if count <= 3 else 2 if count <= 8 else 3 if count <= 12 else 4
    width = max(6.4, (3.6 if columns < 4 else 2.9) * columns)
    return Figure(
        "weights", tuple(panels), (width, height * math.ceil(count / columns) + 0.8), columns, "below"
    )
