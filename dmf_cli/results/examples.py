"""Images with the outlines of truth and prediction, to see what the figures of a table mean."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from dmf_cli.results import figure as look
from dmf_cli.results.cases import Example

TRUTH, PREDICTION = "#56B4E9", "#E69F00"  # blue and orange of Okabe & Ito, both bright on grey
EXAMPLES_A_ROW = 4


def plot_examples(path: Path, examples: Sequence[Example]) -> None:
    """A grid of images with the outlines of truth and prediction; no file for no examples.

    Args:
        path: the PNG file.
        examples: see :class:`dmf_cli.results.cases.Example`.

    Raises:
        RunFolderError: the file cannot be written.
    """
    if not examples:
        return
    columns = min(EXAMPLES_A_ROW, len(examples))
    rows = math.ceil(len(examples) / columns)
    ratio = float(np.clip(np.median([e.image.shape[0] / e.image.shape[1] for e in examples]), 0.5, 1.6))
    with look.style():
        figure = Figure(figsize=(max(2.8 * columns, 3.4), (2.65 * ratio + 0.5) * rows + 0.4))
        figure.set_layout_engine("constrained", h_pad=0.12)  # inches: room for the second line of the titles
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for panel, example in zip(panels, [*examples, *[None] * len(panels)], strict=False):
            panel.set_axis_off()
            if example is not None:
                _example(panel, example)
        lines = [Line2D([], [], color=c, linestyle=s, lw=2) for c, s in ((TRUTH, "-"), (PREDICTION, "--"))]
        figure.legend(lines, ["truth", "prediction"], loc="outside lower center", ncols=2)
        look.save(path, figure)


def _example(panel: Axes, example: Example) -> None:
    image = example.image if example.image.shape[-1] == 3 else example.image[..., 0]
    panel.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
    outline(panel, example.truth, TRUTH, "-")
    outline(panel, example.prediction, PREDICTION, "--")
    dice = "no lesion" if math.isnan(example.dice) else f"Dice {example.dice:.3f}"
    panel.set_title(f"{example.kind}: {dice}", fontsize=9.5, fontweight="bold", loc="center", pad=15)
    panel.text(
        0.5,
        1.02,
        look.text(example.id, 34),
        transform=panel.transAxes,
        ha="center",
        fontsize=8,
        color="0.35",
    )


def outline(panel: Axes, labels: np.ndarray, colour: str, dashes: str) -> None:
    """The border of each class, closed where it meets the edge of the image, with a dark rim to be seen."""
    height, width = labels.shape
    padded = np.pad(labels, 1)
    halo = [withStroke(linewidth=2.6, foreground="black", alpha=0.55)]
    for value in np.unique(labels[labels > 0]):
        lines = panel.contour(
            np.arange(-1, width + 1), np.arange(-1, height + 1), padded == value, [0.5],
            colors=colour, linestyles=dashes, linewidths=1.4,
        )  # fmt: skip
        lines.set_path_effects(halo if dashes == "-" else [])
    panel.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
