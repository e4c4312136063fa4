"""A folder of images and masks: which file belongs to which is said by patterns in the config."""

import difflib
import functools
import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dmf_cli import _lookup
from dmf_cli.datasets.base import Dataset, Sample
from dmf_cli.datasets.decode import read_image, read_plane
from dmf_cli.datasets.pairs import Patterns, find_pairs
from dmf_cli.errors import ConfigError, DatasetError


class FolderDataset(Dataset):
    """Pairs of image and mask files below one folder.

    Args:
        name: what tables call it.
        dir: the folder.
        images: glob of the images, relative to ``dir``.
        masks: pattern of the masks of one image, relative to ``dir``; ``{folder}``, ``{stem}`` and the named
            groups of ``parse`` stand for those of the image, ``*`` for anything. Several masks are united:
            where they overlap, the higher class index stays.
        exclude: glob of files that ``images`` matches but that are no images, or None.
        parse: regular expression for an image's path below ``dir`` without its suffix, or None. Its named
            groups may stand in ``masks``; a group called ``class`` is the stratum, in place of the folder.
        strata: strata to use; None uses all.
        classes: names, the background first.
        values: pixel value -> class index of a label map; None: a mask of two classes is foreground where
            it is above ``threshold``, a mask of more classes holds the indices themselves.
        threshold: see ``values``; 0 means every value but 0.
        channels: 1 reads images as grey, 3 as RGB.
        missing_mask: ``error``, or ``empty`` for images without a mask file.
        spacing: millimetres per pixel (row, column), or None.

    Raises:
        ConfigError: patterns, classes or values that make no sense.
        DatasetError: the folder is missing or empty, or a mask is missing.
    """

    def __init__(
        self,
        *,
        name: str,
        dir: str | Path | None,  # the key of the config
        images: str,
        masks: str,
        exclude: str | None = None,
        parse: str | None = None,
        strata: Sequence[str] | None = None,
        classes: Sequence[str] = ("background", "lesion"),
        values: Mapping[int, int] | None = None,
        threshold: int = 0,
        channels: Literal[1, 3] = 1,
        missing_mask: Literal["error", "empty"] = "error",
        spacing: Sequence[float] | None = None,
    ) -> None:
        self.name, self.classes = name, tuple(classes)
        if channels not in (1, 3):
            raise ConfigError(f"dataset.channels is {channels}: 1 (grey) or 3 (RGB)")
        if not 2 <= len(self.classes) <= 256:
            raise ConfigError(
                f"dataset.classes is {list(classes)}: name the background and at least one class, at most 255"
            )
        self.channels, self.threshold = channels, threshold
        self.values = _checked_values(values, len(self.classes)) if values else None
        self.spacing = _checked_spacing(spacing) if spacing is not None else None
        patterns = Patterns(images, masks, exclude, parse, strata, missing_mask)
        self._pairs = find_pairs(_existing(name, dir), patterns, name)
        self.ids = tuple(pair.id for pair in self._pairs)
        self.strata = tuple(pair.stratum for pair in self._pairs)

    def load(self, index: int) -> Sample:
        """See :meth:`Dataset.load`."""
        pair = self._pairs[index]
        image = read_image(pair.image, self.channels)
        label = np.zeros(image.shape[:2], np.uint8)
        for mask in pair.masks:
            found = self._read_mask(mask)
            if found.shape != label.shape:
                raise DatasetError(
                    f"{mask} is {_pixels(found)} pixels and its image {pair.image.name} {_pixels(label)}: "
                    "give both the same size"
                )
            label = np.maximum(label, found)
        return Sample(image, label)

    def fingerprint(self) -> str:
        """See :meth:`Dataset.fingerprint`."""
        return _fingerprint(self)

    def reading(self) -> str:
        """See :meth:`Dataset.reading`."""
        return repr((self.classes, self.channels, self.threshold, self.values))

    def content(self, index: int) -> str:
        """See :meth:`Dataset.content`; of the file, so that nothing is decoded."""
        return hashlib.sha256(self._pairs[index].image.read_bytes()).hexdigest()[:16]

    def _read_mask(self, path: Path) -> np.ndarray:
        binary = self.values is None and len(self.classes) == 2
        pixels = read_plane(path, keep_indices=not binary)
        if binary:
            return (pixels > self.threshold).astype(np.uint8)
        table = self.values or {c: c for c in range(len(self.classes))}
        present, where = np.unique(pixels, return_inverse=True)
        unknown = [value for value in present.tolist() if value not in table]
        if unknown:
            raise DatasetError(
                f"{path} holds the value {unknown[0]} and the dataset has {len(self.classes)} classes "
                f"with values {sorted(table)}: set dataset.values or dataset.classes"
            )
        lookup = np.array([table[value] for value in present.tolist()], np.uint8)
        return lookup[where].reshape(pixels.shape)


def _checked_spacing(spacing: Any) -> tuple[float, float]:
    """Millimetres per pixel, row and column: a wrong one would give wrong distances without a word."""
    sides = spacing if isinstance(spacing, Sequence) else ()
    right = [side for side in sides if isinstance(side, int | float) and 0 < side < math.inf]
    if not len(sides) == len(right) == 2:
        raise ConfigError(
            f"dataset.spacing is {spacing!r}: give millimetres per pixel, row and column: [0.1,0.1], or null"
        )
    return float(spacing[0]), float(spacing[1])


def _checked_values(values: Mapping[int, int], classes: int) -> dict[int, int]:
    try:
        table = {int(pixel): int(label) for pixel, label in values.items()}
    except (AttributeError, TypeError, ValueError):
        raise ConfigError(
            f"dataset.values is {values!r}: give pixel value and class index, as {{0: 0, 255: 1}}"
        ) from None
    for pixel, label in table.items():
        if not 0 <= label < classes:
            raise ConfigError(
                f"dataset.values maps {pixel} to class {label} and dataset.classes has {classes}: "
                f"use 0 to {classes - 1}"
            )
    return table


def _pixels(plane: np.ndarray) -> str:
    height, width = plane.shape[:2]
    return f"{width}x{height}"


def _existing(name: str, folder: str | Path | None) -> Path:
    if folder is None:
        raise DatasetError(f"dataset={name} needs its folder: add dataset.dir=PATH")
    root = Path(folder).expanduser()
    if not root.is_dir():
        beside = sorted(p.name for p in root.parent.iterdir() if p.is_dir()) if root.parent.is_dir() else []
        close = difflib.get_close_matches(root.name, beside, n=1, cutoff=0.75)
        hint = f"did you mean {root.parent / close[0]}?" if close else f"give the folder of {name}"
        raise DatasetError(f"dataset.dir={folder} is not a folder: {hint}")
    return root


@functools.lru_cache(maxsize=8)
def _fingerprint(dataset: FolderDataset) -> str:
    digest = hashlib.sha256()
    for pair in dataset._pairs:
        digest.update(pair.id.encode())
        for file in (pair.image, *pair.masks):
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


def open_folder(config: Mapping[str, Any]) -> FolderDataset:
    """The dataset of a ``dataset`` group with ``kind: folder``."""
    params = {k: v for k, v in config.items() if k not in ("kind", "image_size", "resize", "normalize")}
    _lookup.check_keywords("dataset", FolderDataset, params)
    return FolderDataset(**params)
