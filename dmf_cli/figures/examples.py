"""Images with the outlines of truth and prediction, to see what the figures of a table mean."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from dmf_cli.figures import palette
from dmf_cli.figures import style as look
from dmf_cli.run_folder.cases import Example

EXAMPLES_A_ROW = 4


def plot_examples(path: Path, examples: Sequence[Example], classes: Sequence[str] = ()) -> None:
    """A grid of images with the outlines of truth and prediction; no file for no examples.

    The colour says truth or prediction; with several classes it says the class, and dashes are predictions.

    Args:
        path: the PNG file.
        examples: see :class:`dmf_cli.run_folder.cases.Example`.
        classes: names, background first; none for one class above it.

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
                _example(panel, example, len(classes))
        legend = class_lines(classes)
        truth, prediction = ("0.35", "0.35") if legend else (palette.TRUTH, palette.PREDICTION)
        legend["truth"] = Line2D([], [], color=truth, linestyle="-", lw=2)
        legend["prediction"] = Line2D([], [], color=prediction, linestyle="--", lw=2)
        figure.legend(legend.values(), legend.keys(), loc="outside lower center", ncols=min(len(legend), 4))
        look.save(path, figure)


def class_lines(classes: Sequence[str]) -> dict[str, Line2D]:
    """A line in the colour of each class for a legend; nothing for one class above the background."""
    return {
        look.text(name, 30): Line2D([], [], color=c, lw=2, path_effects=[rim()])
        for name, c in palette.legend(classes)
    }


def _example(panel: Axes, example: Example, classes: int) -> None:
    image = example.image if example.image.shape[-1] == 3 else example.image[..., 0]
    panel.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
    outline(panel, example.truth, palette.outlines(classes, palette.TRUTH), "-")
    outline(panel, example.prediction, palette.outlines(classes, palette.PREDICTION), "--")
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


def rim() -> withStroke:
    """A dark rim, with which a bright line is seen on bright speckle and on paper."""
    return withStroke(linewidth=2.6, foreground="black", alpha=0.55)


def outline(panel: Axes, labels: np.ndarray, colours: Sequence[str], dashes: str) -> None:
    """The border of each class, closed where it meets the edge of the image, with a dark rim to be seen.

    Args:
        panel: with the image.
        labels: class indices ``(h, w)``.
        colours: of the classes 1, 2, ..., over and over.
        dashes: of the line.
    """
    height, width = labels.shape
    padded = np.pad(labels, 1)
    for value in np.unique(labels[labels > 0]):
        lines = panel.contour(
            np.arange(-1, width + 1), np.arange(-1, height + 1), padded == value, [0.5],
            colors=colours[(int(value) - 1) % len(colours)], linestyles=dashes, linewidths=1.4,
        )  # fmt: skip
        lines.set_path_effects([rim()] if dashes == "-" else [])
    panel.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
