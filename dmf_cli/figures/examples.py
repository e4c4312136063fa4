"""Images with the outlines of truth and prediction, to see what the figures of a table mean."""

import math
from collections.abc import Sequence
from pathlib import Path

from dmf_cli.figures import image_grid, palette
from dmf_cli.figures.image_grid import Outline, Tile
from dmf_cli.run_folder.cases import Example

GREY = "#595959"  # where the colour is the class


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
    legend = image_grid.classes(classes)
    truth, prediction = (GREY, GREY) if legend else (palette.TRUTH, palette.PREDICTION)
    legend |= {"truth": (truth, "solid"), "prediction": (prediction, "dashed")}
    image_grid.write(path, [tile(one, len(classes)) for one in examples], legend)


def tile(example: Example, classes: int) -> Tile:
    """One image with both masks, its Dice and its name."""
    outlines = (
        Outline(example.truth, palette.outlines(classes, palette.TRUTH)),
        Outline(example.prediction, palette.outlines(classes, palette.PREDICTION), dashed=True),
    )
    dice = "no lesion" if math.isnan(example.dice) else f"Dice {example.dice:.3f}"
    return Tile(example.image, outlines, f"{example.kind}: {dice}", example.id)
