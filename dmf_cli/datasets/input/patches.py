"""Patches: what a network gets of images that are larger than it, ``dataset.patch``.

One patch an image and epoch is for training, a pure function of (seed, epoch, sample index) as augmentations
are; validation is on the tiles of a fixed grid that covers each image.
"""

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from dmf_cli.datasets.base import IGNORED
from dmf_cli.datasets.input.prepared import InputPart

Size = tuple[int, int]
STREAM = 1  # of the generator: the order of an epoch has none


class Tiles(InputPart):
    """The tiles of all images of a part, those of one image after the other.

    Args:
        part: whole images.
        patch: (height, width) of a tile, none larger than an image.
    """

    def __init__(self, part: InputPart, patch: Size) -> None:
        self._part, self._patch = part, patch
        self._corners = grid(part.shape, patch)
        self.shape = (*patch, *part.shape[2:])
        self.ids = tuple(f"{name} tile {k}" for name in part.ids for k in range(len(self._corners)))

    def rows(self, index: Any) -> tuple[np.ndarray, np.ndarray]:
        """See :meth:`InputPart.rows`; an image is read once for all of its tiles that are asked for."""
        rows, numbers = np.divmod(np.asarray(index), len(self._corners))
        known, places = np.unique(rows, return_inverse=True)
        images, labels = self._part.rows(known)
        found = [(place, self._corners[number]) for place, number in zip(places, numbers, strict=True)]
        return (
            np.stack([cut(images[place], corner, self._patch) for place, corner in found]),
            np.stack([cut(labels[place], corner, self._patch) for place, corner in found]),
        )


def in_tiles(part: InputPart, patch: Size | None) -> InputPart:
    """The tiles of ``part``; itself where the network takes whole images."""
    return part if patch is None else Tiles(part, patch)


def grid(shape: tuple[int, ...], patch: Size, step: float = 1.0) -> list[Size]:
    """(top, left) of the fewest tiles that cover an image of ``shape``, evenly spread.

    Args:
        shape: of the image; sides after the first two do not matter.
        patch: (height, width) of a tile.
        step: from one tile to the next, at most, as a share of its side; below 1 tiles overlap.

    Example:
        >>> grid((10, 8), (4, 8))
        [(0, 0), (3, 0), (6, 0)]
    """
    ends = (
        np.linspace(0, side - size, math.ceil((side - size) / (size * step)) + 1).round().astype(int).tolist()
        for side, size in zip(shape, patch, strict=False)
    )
    rows, columns = ends
    return [(top, left) for top in rows for left in columns]


def sampled(
    part: InputPart, patch: Size, seed: int, foreground: float
) -> Callable[[Any, Any], tuple[np.ndarray, np.ndarray]]:
    """``(epoch, indices) -> (images, labels)``: one random patch of each image.

    Args:
        part: whole images.
        patch: (height, width).
        seed: of the run.
        foreground: share of the patches that are centred on a pixel of a class above the background, as far
            as the border allows it; images that hold none give a random patch.
    """

    def rows(epoch: Any, index: Any) -> tuple[np.ndarray, np.ndarray]:
        images, labels = part.rows(index % len(part))
        corners = [
            _corner(label, patch, foreground, _generator(seed, int(epoch), int(number)))
            for label, number in zip(labels, index, strict=True)
        ]
        cuts = functools.partial(_cuts, corners=corners, patch=patch)
        return np.stack(list(cuts(images))), np.stack(list(cuts(labels)))

    return rows


def cut(image: np.ndarray, corner: Size, patch: Size) -> np.ndarray:
    """The patch of ``image`` ``(H, W, ...)`` at ``corner``."""
    (top, left), (height, width) = corner, patch
    return image[top : top + height, left : left + width]


def around(place: int, shape: tuple[int, ...], patch: Size) -> Size:
    """(top, left) of the patch with a pixel, by its number, at its centre, as far as the border allows it."""
    row, column = divmod(place, shape[1])
    top, left = row - patch[0] // 2, column - patch[1] // 2
    return min(max(top, 0), shape[0] - patch[0]), min(max(left, 0), shape[1] - patch[1])


def _cuts(images: np.ndarray, corners: list[Size], patch: Size) -> Iterator[np.ndarray]:
    return (cut(image, corner, patch) for image, corner in zip(images, corners, strict=True))


def _corner(label: np.ndarray, patch: Size, foreground: float, generator: np.random.Generator) -> Size:
    forced = generator.random() < foreground
    if forced:
        counts = np.bincount(label.ravel(), minlength=IGNORED + 1)
        classes = np.flatnonzero(counts[1:IGNORED]) + 1
        if len(classes):  # a rare class as often as a frequent one
            pixels = np.flatnonzero(label == generator.choice(classes))
            return around(int(generator.choice(pixels)), label.shape, patch)
    top, left = (
        int(generator.integers(side - size + 1)) for side, size in zip(label.shape, patch, strict=True)
    )
    return top, left


def _generator(seed: int, epoch: int, index: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, epoch, index, STREAM])))
