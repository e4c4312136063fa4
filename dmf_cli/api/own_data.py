"""Images and masks in memory as a dataset: arrays, or a ``tf.data.Dataset``."""

import dataclasses
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dmf_cli.config import dataset_schema
from dmf_cli.datasets.sources import content
from dmf_cli.errors import DatasetError
from dmf_cli.hashes import digest

ALLOWED = (
    "images (N, H, W) or (N, H, W, 1 or 3) and class indices (N, H, W), as two arrays or lists, or a "
    "tf.data.Dataset of single images with their masks"
)
CHANNELS = (1, 3)
DIM = 16  # fractions between 1 and this are no grey values up to 255 either: nearly all would be black


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Images with masks, for the decorator ``dataset``.

    Args:
        images: ``(H, W, C)`` each.
        masks: class indices ``(H, W)`` uint8 each.
    """

    images: Sequence[np.ndarray]
    masks: Sequence[np.ndarray]

    def __call__(self) -> "Pairs":
        """Itself: what the decorated function of a file would give."""
        return self

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[str, np.ndarray, np.ndarray]:
        return f"{index:0{len(str(len(self) - 1))}}", self.images[index], self.masks[index]

    @property
    def content(self) -> str:
        """A hash of all of it."""
        arrays = [*self.images, *self.masks]
        facts = [f"{one.dtype.str} {one.shape} ".encode() + one.tobytes() for one in arrays]
        return digest("".join(map(digest, facts)))

    @property
    def settings(self) -> dict[str, Any]:
        """What the config has to know of them: keys of the ``dataset`` group.

        255 are pixels of no class, unless there is nothing else but 0.
        """
        found = sorted({int(value) for mask in self.masks for value in np.unique(mask)} - {0})
        ignored = 255 in found and len(found) > 1
        highest = max([1, *(value for value in found if value != 255)])
        names = ["lesion"] if highest == 1 else [f"class_{number}" for number in range(1, highest + 1)]
        first = 255 if found == [255] else 1
        sizes = {image.shape[:2] for image in self.images}
        return {
            "channels": self.images[0].shape[-1],
            "classes": ("background", *names),
            "values": {0: 0, **{number + first: number + 1 for number in range(highest)}},
            **({"ignore": 255} if ignored else {}),
            **({"image_size": sizes.pop()} if len(sizes) == 1 else {}),
            **({"range": (0, 255)} if self._highest > 1.0 else {}),
        }

    def check_values(self) -> None:
        """Raise ``DatasetError`` for fractions of which nobody knows which is black and which white."""
        floats = [image for image in self.images if image.dtype.kind == "f" and image.size]
        low, high = min((float(one.min()) for one in floats), default=0.0), self._highest
        whole = [float(one.max()) for one in self.images if one.dtype.kind != "f" and one.size]
        finite = all(np.isfinite(image).all() for image in floats)
        sure = high <= 1.0 or (high > DIM and max([high, *whole]) <= 255.0)
        if not (finite and low >= 0.0 and sure):
            reason = "" if finite else ", and some that are no numbers"
            raise DatasetError(
                f"the dataset has images with values from {low:g} to {max([high, *whole]):g}{reason}",
                key="dataset",
                allowed="0 (black) to 1 or to 255 (white), or say which they are, as "
                "dataset={'name': (images, masks), 'range': (LOW, HIGH)}",
            )

    @property
    def _highest(self) -> float:
        """The brightest value of the images with fractions."""
        return max(
            (float(one.max()) for one in self.images if one.dtype.kind == "f" and one.size), default=0.0
        )


def is_data(value: Any) -> bool:
    """Whether ``value`` is meant as images and masks."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is not None and isinstance(value, tensorflow.data.Dataset):
        return True
    return isinstance(value, tuple) and len(value) == 2 and not any(isinstance(one, str) for one in value)


def pairs(value: Any) -> Pairs:
    """The images and masks of a pair of arrays, or of a ``tf.data.Dataset``, which is read once.

    Raises:
        DatasetError: it is something else.
    """
    if isinstance(value, tuple):
        if any(not hasattr(one, "__len__") for one in value) or len(value[0]) != len(value[1]):
            raise _wrong("two things of another length, or of none")
        value = zip(*value, strict=True)
    elif hasattr(value, "as_numpy_iterator"):
        value = value.as_numpy_iterator()
    images, masks = [], []
    for number, pair in enumerate(_each(value)):
        image, mask = (np.asarray(one) for one in pair)
        images.append(_image(number, image))
        masks.append(_mask(number, mask, image))
    if not images:
        raise _wrong("no images")
    if len({image.shape[-1] for image in images}) > 1:
        raise _wrong("grey and coloured images")
    return Pairs(images, masks)


def as_trained(image: Any, dataset: dataset_schema.Dataset) -> Any:
    """An array as ``dataset`` reads those that it yields; anything else unchanged."""
    if isinstance(image, str | Path) or not isinstance(dataset, dataset_schema.Own):
        return image
    pixels = np.asarray(image)
    if (
        not pixels.size
        or pixels.ndim not in (2, 3)
        or (pixels.ndim == 3 and pixels.shape[-1] not in CHANNELS)
    ):
        return image
    fractions = pixels.dtype.kind == "f" and pixels.min() >= 0 and pixels.max() <= 1
    read = dataset.range is not None or pixels.dtype == np.uint16 or fractions
    return content.Pixels.of("the image", pixels) if read else image


def _each(values: Iterable[Any]) -> Iterable[tuple[Any, Any]]:
    for pair in values:
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise _wrong("something else than pairs")
        yield pair


def _image(number: int, image: np.ndarray) -> np.ndarray:
    image = image[..., None] if image.ndim == 2 else image
    if image.dtype.kind not in "buif":
        raise _wrong(f"image {number} of {image.dtype}, which are no grey values")
    if image.ndim != 3 or image.shape[-1] not in CHANNELS:
        raise _wrong(f"image {number} of the shape {image.shape}")
    return image


def _mask(number: int, mask: np.ndarray, image: np.ndarray) -> np.ndarray:
    mask = mask[..., 0] if mask.ndim == 3 and mask.shape[-1] == 1 else mask
    if mask.shape != image.shape[:2]:
        raise _wrong(f"a mask {mask.shape} for image {number} of the shape {image.shape}")
    indices = mask.astype(np.uint8)
    if not (indices == mask).all():
        raise _wrong(f"mask {number} with values from {mask.min()} to {mask.max()}")
    return indices


def _wrong(what: str) -> DatasetError:
    return DatasetError(f"the dataset has {what}", key="dataset", allowed=ALLOWED)
