"""Grids of images with the outlines of their classes, and a legend below them."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from dmf_cli.figures import palette, style

MOST = 34  # characters of a note


@dataclasses.dataclass(frozen=True)
class Outline:
    """The borders of the classes of one mask.

    Args:
        labels: class indices ``(h, w)``.
        colours: of the classes 1, 2, ..., over and over.
        dashed: to set it off from another mask of the same image.
    """

    labels: np.ndarray
    colours: Sequence[str]
    dashed: bool = False


@dataclasses.dataclass(frozen=True)
class Tile:
    """One image: ``(h, w, 1 or 3)`` of 8 bits, what is outlined on it, a bold title and a note below that."""

    image: np.ndarray
    outlines: Sequence[Outline]
    title: str
    note: str


def classes(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Class -> colour and dashes for a legend; nothing for one class above the background."""
    return {name: (colour, "solid") for name, colour in palette.legend(names)}


def write(
    path: Path, tiles: Sequence[Tile], legend: Mapping[str, tuple[str, str]], *, columns: int = 4
) -> None:
    """The grid as PNG, whole or not at all.

    Args:
        path: the PNG file.
        tiles: one at least.
        legend: name -> (colour, dashes).
        columns: at most.

    Raises:
        RunFolderError: the picture cannot be written.
    """
    columns = min(columns, len(tiles))
    rows = math.ceil(len(tiles) / columns)
    ratios = [tile.image.shape[0] / tile.image.shape[1] for tile in tiles]
    ratio = float(np.clip(np.median(ratios), 0.5, 1.6))
    with style.style():
        figure = Figure(figsize=(max(2.8 * columns, 3.4), (2.65 * ratio + 0.5) * rows + 0.4))
        figure.set_layout_engine("constrained", h_pad=0.12)  # inches: room for the second line of the titles
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for panel in panels:
            panel.set_axis_off()
        for panel, tile in zip(panels, tiles, strict=False):
            draw(panel, tile)
        lines = [Line2D([], [], color=c, linestyle=d, lw=2, path_effects=_rim(d)) for c, d in legend.values()]
        names = [style.text(name, 30) for name in legend]
        if names:
            figure.legend(lines, names, loc="outside lower center", ncols=min(len(names), 6))
        style.save(path, figure)


def draw(panel: Axes, tile: Tile) -> None:
    """One image of the grid."""
    image = tile.image if tile.image.shape[-1] == 3 else tile.image[..., 0]
    panel.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
    for outline in tile.outlines:
        _outline(panel, outline)
    panel.set_title(style.text(tile.title, MOST), fontsize=9.5, fontweight="bold", loc="center", pad=15)
    place = {"transform": panel.transAxes, "ha": "center", "fontsize": 8, "color": "0.35"}
    panel.text(0.5, 1.02, style.text(tile.note, MOST), **place)


def _outline(panel: Axes, outline: Outline) -> None:
    """The border of each class, closed where it meets the edge of the image."""
    labels, dashes = outline.labels, "dashed" if outline.dashed else "solid"
    height, width = labels.shape
    padded = np.pad(labels, 1)
    for value in np.unique(labels[labels > 0]):
        colour = outline.colours[(int(value) - 1) % len(outline.colours)]
        lines = panel.contour(
            np.arange(-1, width + 1), np.arange(-1, height + 1), padded == value, [0.5],
            colors=colour, linestyles=dashes, linewidths=1.4,
        )  # fmt: skip
        lines.set_path_effects(_rim(dashes))
    panel.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))


def _rim(dashes: str) -> list[withStroke]:
    """A dark rim, with which a bright line is seen on bright speckle and on paper; it would fill gaps."""
    return [withStroke(linewidth=2.6, foreground="black", alpha=0.55)] if dashes == "solid" else []
