"""Smooth random fields and borders of the phantom, drawn in coordinates from 0 to 1."""

import numpy as np
from scipy import ndimage

FIELD = 64  # side of the coarse grids that smooth random fields are drawn on


def centres(size: int) -> np.ndarray:
    """Where the pixels of a side are, in (0, 1)."""
    return (np.arange(size) + 0.5) / size


def smooth(
    layout: np.random.Generator, x: np.ndarray, y: np.ndarray, across: float, along: float
) -> np.ndarray:
    """A smooth random field of mean 0 and deviation 1; correlation lengths are shares of the side."""
    coarse = layout.standard_normal((FIELD, FIELD))
    coarse = ndimage.gaussian_filter(coarse, (along * FIELD, across * FIELD), mode="reflect")
    coarse = (coarse - coarse.mean()) / (coarse.std() + 1e-9)
    where = np.stack([y, x]) * FIELD - 0.5
    field: np.ndarray = ndimage.map_coordinates(coarse, where, order=1, mode="nearest")
    return field


def ridges(
    layout: np.random.Generator, x: np.ndarray, y: np.ndarray, across: float, along: float
) -> np.ndarray:
    """Bright strands in [0, 1] where a smooth field crosses zero: fibres, septa, ligaments."""
    return np.exp(-((smooth(layout, x, y, across, along) / 0.28) ** 2))


def border(layout: np.random.Generator, x: np.ndarray, depth: float, bend: float) -> np.ndarray:
    """Depth of a layer's border over x: a tilt, a bow and ripples."""
    tilt, bow = layout.normal(0, bend, 2)
    waves = sum(
        layout.normal(0, bend / (2 * k)) * np.sin(2 * np.pi * k * x + layout.uniform(0, 2 * np.pi))
        for k in (1, 2, 3, 5)
    )
    rows: np.ndarray = depth + tilt * (x - 0.5) + bow * (2 * x - 1) ** 2 + waves
    return rows
