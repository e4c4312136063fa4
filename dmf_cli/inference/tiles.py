"""Whole images by a network that takes patches: overlapping tiles, whose middles count most.

Source: nnU-Net v2 (MIC-DKFZ/nnUNet 0e495086, predict_from_raw_data.py): step and weights.
"""

from collections.abc import Callable

import numpy as np

from dmf_cli.datasets.input import patches

ProbabilitiesOf = Callable[[np.ndarray], np.ndarray]
STEP = 0.5  # of a tile's side, at most
SIGMA = 1 / 8  # of a tile's side


def tiled(predict: ProbabilitiesOf, patch: patches.Size) -> ProbabilitiesOf:
    """``predict``, which takes patches, for images of any size that is not smaller.

    Memory holds the probabilities of the images that are given, and as many tiles as these are images.

    Args:
        predict: ``(batch, *patch, C)`` to probabilities ``(batch, *patch, K)``.
        patch: (height, width).
    """
    weight = weights(patch)

    def whole(images: np.ndarray) -> np.ndarray:
        return np.stack([_one(predict, image, weight, len(images)) for image in images])

    return whole


def weights(patch: patches.Size) -> np.ndarray:
    """How much each pixel of a tile counts, ``(height, width)`` float32: 1 in the middle, nowhere 0."""
    sides = ((np.arange(side) - side // 2) / (SIGMA * side) for side in patch)
    rows, columns = (np.exp(-(distance**2) / 2) for distance in sides)
    made: np.ndarray = np.outer(rows, columns).astype(np.float32)
    return made


def _one(predict: ProbabilitiesOf, image: np.ndarray, weight: np.ndarray, batch: int) -> np.ndarray:
    """The probabilities ``(H, W, K)`` of an image."""
    corners = patches.grid(image.shape, weight.shape, STEP)
    total, summed = np.zeros((*image.shape[:2], 1), np.float32), None
    for start in range(0, len(corners), batch):
        chunk = corners[start : start + batch]
        cuts = [patches.cut(image, corner, weight.shape) for corner in chunk]
        # Filled up: a smaller batch would be compiled once more.
        made = np.asarray(predict(np.stack([*cuts, *[cuts[-1]] * (batch - len(chunk))])), np.float32)
        if summed is None:
            summed = np.zeros((*image.shape[:2], made.shape[-1]), np.float32)
        for corner, values in zip(chunk, made, strict=False):
            patches.cut(summed, corner, weight.shape)[...] += values * weight[..., None]
            patches.cut(total, corner, weight.shape)[...] += weight[..., None]
    assert summed is not None  # a grid has a tile
    summed /= total
    return summed
