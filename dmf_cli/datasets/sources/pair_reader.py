"""One image with its masks, from files to pixels and labels."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from dmf_cli.datasets.base import Examined, Sample
from dmf_cli.datasets.input_spec import Reading
from dmf_cli.datasets.sources.content import Source, image_size, open_image, orientation, read_image
from dmf_cli.datasets.sources.mask_reader import MaskReader
from dmf_cli.datasets.sources.pairing import Pair
from dmf_cli.errors import DatasetError, SizeMismatchError

T = TypeVar("T")
_SAME = "give both the same size"
_STORED = (
    "it was drawn on the pixels as they are stored, and viewers turn the photograph (EXIF orientation): draw "
    "it on what they show, or remove the orientation from the photograph"
)


class PairReader:
    """Reads images and masks.

    Args:
        root: errors call images by their path below this folder, if there is one.
        channels: 1 reads images as grey, 3 as RGB.
        reading: how image files are read.
        masks: how mask files become labels.
    """

    def __init__(self, root: Path | None, channels: int, reading: Reading, masks: MaskReader) -> None:
        self._root, self._channels, self._reading, self._masks = root, channels, reading, masks

    def load(self, pair: Pair) -> Sample:
        """The image with its labels; raises ``DatasetError`` naming the file that is bad."""
        image = read_image(pair.image, self._channels, self._reading)
        if not pair.masks:
            return Sample(image, np.zeros(image.shape[:2], np.uint8))
        return self._fitting(pair, image, self.label(pair))

    def label(self, pair: Pair) -> np.ndarray:
        """The labels alone; raises likewise."""
        if not pair.masks:
            return np.zeros(image_size(pair.image), np.uint8)
        return self._united(pair, (open_image(mask, self._reading.max_pixels) for mask in pair.masks))

    def examine(self, pair: Pair) -> Examined:
        """Everything about the image that its files say, each decoded once."""
        masks = [_attempt(open_image, mask, self._reading.max_pixels) for mask in pair.masks]
        whole = [(m, str(f)) for m, f in zip(masks, pair.masks, strict=True) if isinstance(m, Image.Image)]
        facts = [_attempt(self._masks.facts, *one) for one in whole] if self._masks.binary else []
        image = _attempt(read_image, pair.image, self._channels, self._reading)
        if pair.masks:
            label = _attempt(self._united, pair, map(_raised, masks), guess=True)
        else:
            label = _attempt(self.label, pair)
        errors = [one for one in (image, label, *facts) if isinstance(one, DatasetError)]
        if isinstance(image, np.ndarray) and isinstance(label, np.ndarray):
            fits = _attempt(self._fitting, pair, image, label)
            errors += [fits] if isinstance(fits, DatasetError) else []
        return Examined(
            image if isinstance(image, np.ndarray) else None,
            label if isinstance(label, np.ndarray) else None,
            errors[0] if errors else None,
            tuple(one for one in facts if not isinstance(one, DatasetError)),
            orientation(pair.image) > 1,
        )

    def _united(self, pair: Pair, masks: Iterable[Image.Image], *, guess: bool = False) -> np.ndarray:
        """The labels of all masks of an image; where they overlap, the higher class stays."""
        made = list[np.ndarray]()
        for file, mask in zip(pair.masks, masks, strict=True):
            made.append(self._masks.label(mask, file, guess=guess))
            if made[-1].shape != made[0].shape:
                raise _sizes(file, made[-1], f"other mask {_name(pair.masks[0])}", made[0])
        return made[0] if len(made) == 1 else np.maximum.reduce(made)

    def _fitting(self, pair: Pair, image: np.ndarray, label: np.ndarray) -> Sample:
        """Both in one; raises ``SizeMismatchError`` if they are not of one size."""
        if label.shape == image.shape[:2]:
            return Sample(image, label)
        turned_round = label.T.shape == image.shape[:2] and orientation(pair.image) > 1
        name = f"image {self._called(pair.image)}"
        raise _sizes(pair.masks[0], label, name, image, _STORED if turned_round else _SAME)

    def _called(self, source: Source) -> str:
        if isinstance(source, Path) and self._root and source.is_relative_to(self._root):
            return str(source.relative_to(self._root))
        return str(source)


def _attempt(function: Callable[..., T], *arguments: Any, **options: Any) -> T | DatasetError:
    try:
        return function(*arguments, **options)
    except DatasetError as error:
        return error


def _raised(mask: Image.Image | DatasetError) -> Image.Image:
    if isinstance(mask, DatasetError):
        raise mask
    return mask


def _name(source: Source) -> str:
    return source.name


def _sizes(
    one: Source, mask: np.ndarray, other: str, image: np.ndarray, do: str = _SAME
) -> SizeMismatchError:
    return SizeMismatchError(
        path=one if isinstance(one, Path) else str(one),
        reason=f"is {_pixels(mask)} pixels and its {other} {_pixels(image)}",
        hint=do,
    )


def _pixels(plane: np.ndarray) -> str:
    height, width = plane.shape[:2]
    return f"{width}x{height}"
