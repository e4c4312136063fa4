"""Whole images by a network that takes patches: overlapping tiles, whose middles count most.

Source: nnU-Net v2 (MIC-DKFZ/nnUNet 0e495086, predict_from_raw_data.py): step and weights.
"""

from collections.abc import Callable

import numpy as np

from dmf_cli.datasets.input import patches

ProbabilitiesOf = Callable[[np.ndarray], np.ndarray]
STEP = 0.5  # of a tile's side, at most
SIGMA = 1 / 8  # of a tile's side


def tiled(predict: ProbabilitiesOf, patch: patches.Size, batch: int) -> ProbabilitiesOf:
    """``predict``, which takes patches, for images of any size that is not smaller.

    Memory holds the probabilities of the images that are given, and ``batch`` tiles.

    Args:
        predict: ``(batch, *patch, C)`` to probabilities ``(batch, *patch, K)``.
        patch: (height, width).
        batch: tiles predicted at once, of whatever images; fewer if there are fewer.
    """
    weight = weights(patch)

    def whole(images: np.ndarray) -> np.ndarray:
        corners = patches.grid(images.shape[1:], patch, STEP)
        tiles = [(number, corner) for number in range(len(images)) for corner in corners]
        size = min(batch, len(tiles))
        total, summed = np.zeros((*images.shape[1:3], 1), np.float32), None
        for corner in corners:
            patches.cut(total, corner, patch)[...] += weight[..., None]
        for start in range(0, len(tiles), size):
            chunk = tiles[start : start + size]
            cuts = [patches.cut(images[number], corner, patch) for number, corner in chunk]
            # Filled up: a smaller batch would be compiled once more.
            made = np.asarray(predict(np.stack([*cuts, *[cuts[-1]] * (size - len(chunk))])), np.float32)
            if summed is None:
                summed = np.zeros((*images.shape[:3], made.shape[-1]), np.float32)
            for (number, corner), values in zip(chunk, made, strict=False):
                patches.cut(summed[number], corner, patch)[...] += values * weight[..., None]
        assert summed is not None  # there is an image, and a grid has a tile
        summed /= total
        return summed

    return whole


def weights(patch: patches.Size) -> np.ndarray:
    """How much each pixel of a tile counts, ``(height, width)`` float32: 1 in the middle, nowhere 0."""
    sides = ((np.arange(side) - side // 2) / (SIGMA * side) for side in patch)
    rows, columns = (np.exp(-(distance**2) / 2) for distance in sides)
    made: np.ndarray = np.outer(rows, columns).astype(np.float32)
    return made
