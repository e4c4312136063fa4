"""From an image of any size to a network input, and from probabilities back to the image's size."""

import dataclasses
from typing import Literal

import numpy as np
from PIL import Image

from dmf_cli.config.inputs import as_size as as_size
from dmf_cli.errors import UnknownNameError

Resize = Literal["stretch", "letterbox"]
Normalize = Literal["unit", "minmax", "zscore"]


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


def geometry(original: tuple[int, int], size: tuple[int, int], resize: Resize) -> Geometry:
    """``stretch`` fills the input; ``letterbox`` keeps the aspect ratio and pads around it."""
    if resize == "stretch":
        return Geometry(original, size, (0, 0, *size))
    if resize != "letterbox":
        raise UnknownNameError("dataset.resize", resize, ["stretch", "letterbox"])
    scale = min(size[0] / original[0], size[1] / original[1])
    height = min(size[0], max(1, round(original[0] * scale)))
    width = min(size[1], max(1, round(original[1] * scale)))
    return Geometry(original, size, ((size[0] - height) // 2, (size[1] - width) // 2, height, width))


def prepare(
    image: np.ndarray, *, size: tuple[int, int], resize: Resize = "stretch", normalize: Normalize = "unit"
) -> tuple[np.ndarray, Geometry]:
    """An image ``(H, W, C)`` as a network input ``(h, w, C)`` float32, and its geometry.

    Black is 0 and white 255, in uint8 or, of deeper files, in float32: nothing is rounded here. Resizing is
    bilinear with antialiasing. ``normalize``: ``unit`` is /255; ``minmax`` maps the image's own range to
    [0, 1]; ``zscore`` gives it mean 0 and standard deviation 1. The padding of a letterbox is 0 after
    normalisation and takes no part in it.
    """
    where = geometry(image.shape[:2], size, resize)
    top, left, height, width = where.box
    planes = [_resize(image[..., c].astype(np.float32), (height, width)) for c in range(image.shape[-1])]
    canvas = np.zeros((*size, image.shape[-1]), np.float32)
    canvas[top : top + height, left : left + width] = _normalize(np.stack(planes, axis=-1), normalize)
    return canvas, where


def prepare_label(label: np.ndarray, size: tuple[int, int], resize: Resize = "stretch") -> np.ndarray:
    """A label map ``(H, W)`` as ``(h, w)`` uint8, nearest neighbour; letterbox padding is background."""
    where = geometry(label.shape, size, resize)
    top, left, height, width = where.box
    canvas = np.zeros(size, np.uint8)
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
    if how == "minmax":
        low, high = image.min(), image.max()
        return (image - low) / max(high - low, 1e-6)
    if how == "zscore":
        return (image - image.mean()) / max(image.std(), 1e-6)
    raise UnknownNameError("dataset.normalize", how, ["unit", "minmax", "zscore"])
