"""From an image of any size to a network input, and from probabilities back to the image's size."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from PIL import Image

from dmf_cli.config import dataset_schema
from dmf_cli.config.dataset_schema import MAX_PIXELS as MAX_PIXELS
from dmf_cli.config.inputs import as_size
from dmf_cli.errors import ConfigError, UnknownNameError

RESIZE = ("stretch", "letterbox")
NORMALIZE = ("unit", "minmax", "zscore")
Resize = Literal["stretch", "letterbox"]
Normalize = Literal["unit", "minmax", "zscore"]


@dataclasses.dataclass(frozen=True)
class Reading:
    """How image files are read; keys of the ``dataset`` group.

    Args:
        range: values (in those of the file) that become black and white; None: what the file calls so.
        max_pixels: images with more are refused.
    """

    range: Sequence[float] | None = None
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        if self.range is not None and not _is_range(self.range):
            raise ConfigError(
                key="dataset.range",
                value=self.range,
                allowed="the values of black and white, as [0,4095], or null",
            )
        if isinstance(self.max_pixels, bool) or not 1 <= self.max_pixels < 2**31:
            raise ConfigError(
                key="dataset.max_pixels", value=self.max_pixels, allowed=f"a number from 1 to {2**31 - 1}"
            )

    @property
    def limits(self) -> tuple[float, float] | None:
        """Black and white."""
        return None if self.range is None else (float(self.range[0]), float(self.range[1]))


@dataclasses.dataclass(frozen=True)
class Geometry:
    """Where an image lies inside its network input.

    Args:
        original: (height, width) of the image.
        size: (height, width) of the network input.
        box: (top, left, height, width) of the image inside the input.
    """

    original: tuple[int, int]
    size: tuple[int, int]
    box: tuple[int, int, int, int]


@dataclasses.dataclass(frozen=True)
class InputSpec:
    """How an image file becomes a network input: the same in training, scoring, prediction and export.

    Args:
        size: (height, width) of the network input: of the whole image, however large the network's is.
        resize: ``stretch`` fills the input; ``letterbox`` keeps the aspect ratio and pads around it.
        normalize: ``unit`` is /255; ``minmax`` maps the image's own range to [0, 1]; ``zscore`` gives it
            mean 0 and standard deviation 1.
        channels: 1 (grey) or 3 (RGB).
        reading: how files are read.
        patch: (height, width) of the part of the input that the network takes at once; None: all of it.
    """

    size: tuple[int, int]
    resize: Resize = "stretch"
    normalize: Normalize = "unit"
    channels: int = 1
    reading: Reading = Reading()
    patch: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.resize not in RESIZE:
            raise UnknownNameError("dataset.resize", self.resize, RESIZE)
        if self.normalize not in NORMALIZE:
            raise UnknownNameError("dataset.normalize", self.normalize, NORMALIZE)

    @classmethod
    def of(cls, dataset: dataset_schema.Dataset) -> "InputSpec":
        """The one that the ``dataset`` group asks for."""
        values = dataset.range if isinstance(dataset, dataset_schema.Labelled) else None
        most = dataset.max_pixels if isinstance(dataset, dataset_schema.Paired) else MAX_PIXELS
        size, reading = as_size(dataset.image_size), Reading(values, most)
        patch = None if dataset.patch is None else as_size(dataset.patch, "dataset.patch")
        return cls(size, dataset.resize, dataset.normalize, dataset.channels, reading, patch)

    @property
    def network_size(self) -> tuple[int, int]:
        """(height, width) of what the network takes: a patch, or the whole input."""
        return self.patch or self.size

    def geometry(self, original: tuple[int, int]) -> Geometry:
        """Where an image of (height, width) ``original`` lies inside its network input."""
        if self.resize == "stretch":
            return Geometry(original, self.size, (0, 0, *self.size))
        (h, w), scale = self.size, min(self.size[0] / original[0], self.size[1] / original[1])
        height, width = (min(s, max(1, round(o * scale))) for s, o in zip(self.size, original, strict=True))
        return Geometry(original, self.size, ((h - height) // 2, (w - width) // 2, height, width))

    def image(self, image: np.ndarray) -> tuple[np.ndarray, Geometry]:
        """An image ``(H, W, C)`` as a network input ``(h, w, C)`` float32, and its geometry.

        Black is 0 and white 255, in uint8 or, of deeper files, in float32: nothing is rounded here. Resizing
        is bilinear with antialiasing. The padding of a letterbox is 0 after normalisation and takes no part
        in it.
        """
        where = self.geometry(image.shape[:2])
        top, left, height, width = where.box
        planes = [_resize(image[..., c].astype(np.float32), (height, width)) for c in range(image.shape[-1])]
        canvas = np.zeros((*self.size, image.shape[-1]), np.float32)
        inside = _normalize(np.stack(planes, axis=-1), self.normalize)
        canvas[top : top + height, left : left + width] = inside
        return canvas, where

    def label(self, label: np.ndarray) -> np.ndarray:
        """A label map ``(H, W)`` as ``(h, w)`` uint8, nearest neighbour; letterbox padding is background."""
        top, left, height, width = self.geometry(label.shape).box
        canvas = np.zeros(self.size, np.uint8)
        nearest = Image.fromarray(label).resize((width, height), Image.Resampling.NEAREST)
        canvas[top : top + height, left : left + width] = np.asarray(nearest)
        return canvas


def restore(probabilities: np.ndarray, where: Geometry) -> np.ndarray:
    """Probabilities ``(h, w, K)`` of a network input as ``(H, W, K)`` float32 at the original size."""
    top, left, height, width = where.box
    inside = probabilities[top : top + height, left : left + width].astype(np.float32)
    return np.stack([_resize(inside[..., k], where.original) for k in range(inside.shape[-1])], axis=-1)


def _resize(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if plane.shape == size:
        return plane
    return np.asarray(Image.fromarray(plane).resize((size[1], size[0]), Image.Resampling.BILINEAR))


def _normalize(image: np.ndarray, how: Normalize) -> np.ndarray:
    if how == "unit":
        return image / 255.0
    low, scale = image.min(), image.max() - image.min()
    if how == "zscore":
        low, scale = image.mean(), image.std()
    normalized: np.ndarray = (image - low) / max(scale, 1e-6)
    return normalized


def _is_range(given: Any) -> bool:
    sides = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else []
    plain = [s for s in sides if isinstance(s, int | float) and not isinstance(s, bool) and math.isfinite(s)]
    return len(sides) == len(plain) == 2 and plain[0] < plain[1]
