"""What near-duplicates are found by: a small picture of an image, and hashes of its windows."""

import itertools
from typing import NamedTuple

import numpy as np
from PIL import Image

from dmf_cli.datasets.sources.grey_depth import shown

SIDE, HASHED = 96, 32  # pixels: thumbnail, input of the hash
# Left, right (top, bottom) of windows: the whole side, and 92 % of it at its start, middle and end.
_SIDES = ((0.0, 1.0), (0.0, 0.92), (0.04, 0.96), (0.08, 1.0))
WINDOWS = tuple((left, top, right, low) for (left, right), (top, low) in itertools.product(_SIDES, _SIDES))

Box = tuple[float, float, float, float]


class Description(NamedTuple):
    """What is kept of an image: 9 KB, whatever its size.

    Args:
        thumbnail: grey, SIDE x SIDE.
        hashes: one 64-bit hash a window, uint64 ``(16,)``; the first is of the whole image.
    """

    thumbnail: Image.Image
    hashes: np.ndarray


class SimilarPair(NamedTuple):
    """Two images that show one picture.

    Args:
        first: index, below ``second``.
        second: index.
        similarity: correlation once aligned, in [0.5, 1], rounded to 3 digits.
        bits: of 64 that differ between the hash of one image and the closest window of the other.
    """

    first: int
    second: int
    similarity: float
    bits: int


def describe(image: np.ndarray) -> Description:
    """``image`` ``(H, W, C)`` as in :class:`dmf_cli.datasets.base.Sample`."""
    import imagehash  # half a second, of those who look for near-duplicates

    image = shown(image)  # grey values become ranks anyway, and dark ones of 16 bits must not become black
    whole = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).convert("L")
    thumbnail = whole.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    bits = [imagehash.phash(cut(thumbnail, box, HASHED)).hash.ravel() for box in WINDOWS]
    return Description(thumbnail, np.packbits(bits, axis=1).view(np.uint64)[:, 0])


def cut(thumbnail: Image.Image, box: Box, side: int) -> Image.Image:
    """The part of ``thumbnail`` in ``box``, whose sides are shares of its own, ``side`` x ``side``."""
    left, top, right, low = box
    pixels = (SIDE * left, SIDE * top, SIDE * right, SIDE * low)
    return thumbnail.resize((side, side), Image.Resampling.BILINEAR, box=pixels)
