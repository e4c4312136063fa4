"""A folder of images and masks: which file belongs to which is said by glob patterns in the config."""

import difflib
import functools
import glob
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image, UnidentifiedImageError

from dmf_cli.datasets.base import Dataset, Sample
from dmf_cli.errors import ConfigError, DatasetError, suggest


class FolderDataset(Dataset):
    """Pairs of image and mask files below one folder.

    Args:
        name: what tables call it.
        dir: the folder.
        images: glob of the images, relative to ``dir``.
        masks: pattern of the masks of one image, relative to ``dir``; ``{folder}`` and ``{stem}`` stand for
            the image's folder and its name without suffix, ``*`` for anything. Several masks are united.
        exclude: glob of files that ``images`` matches but that are no images, or None.
        strata: folders to use, each a stratum of the split; None uses every folder.
        classes: names, the background first.
        values: pixel value -> class index of a label map; None: a mask of two classes is foreground where
            it is above ``threshold``, a mask of more classes holds the indices themselves.
        threshold: see ``values``; 0 means every value but 0.
        channels: 1 reads images as grey, 3 as RGB.
        missing_mask: ``error``, or ``empty`` for images without a mask file.
        spacing: millimetres per pixel (row, column), or None.

    Raises:
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
        if len(self.classes) < 2:
            raise ConfigError(
                f"dataset.classes is {list(classes)}: name the background and at least one class"
            )
        self.channels, self.threshold = channels, threshold
        self.values = {int(k): int(v) for k, v in values.items()} if values else None
        self.spacing = (float(spacing[0]), float(spacing[1])) if spacing else None
        self.root = _existing(name, dir)
        self._images = _find_images(self.root, images, exclude, strata)
        self._masks = [_find_masks(self.root, path, masks, missing_mask) for path in self._images]
        _check_any_mask(self.root, self._masks, masks)
        self.ids = _unique_ids(self.root, self._images)
        self.strata = tuple(_folder(self.root, path) or name for path in self._images)

    def load(self, index: int) -> Sample:
        """See :meth:`Dataset.load`."""
        path = self._images[index]
        image = _read_image(path, self.channels)
        label = np.zeros(image.shape[:2], np.uint8)
        for mask in self._masks[index]:
            found = self._read_mask(mask)
            if found.shape != label.shape:
                raise DatasetError(
                    f"{mask} is {_pixels(found)} pixels and its image {path.name} {_pixels(label)}: "
                    "give both the same size"
                )
            label = np.maximum(label, found)
        return Sample(image, label)

    def fingerprint(self) -> str:
        """See :meth:`Dataset.fingerprint`."""
        return _fingerprint(self)

    def _read_mask(self, path: Path) -> np.ndarray:
        binary = self.values is None and len(self.classes) == 2
        pixels = _read_plane(path, keep_indices=not binary)
        if binary:
            return (pixels > self.threshold).astype(np.uint8)
        table = self.values or {c: c for c in range(len(self.classes))}
        present = np.unique(pixels)
        unknown = [int(v) for v in present if int(v) not in table]
        if unknown:
            raise DatasetError(
                f"{path} holds the value {unknown[0]} and the dataset has {len(self.classes)} classes "
                f"with values {sorted(table)}: set dataset.values or dataset.classes"
            )
        lookup = np.zeros(int(present.max()) + 1, np.uint8)
        for value in present:
            lookup[int(value)] = table[int(value)]
        return lookup[pixels]


def _pixels(plane: np.ndarray) -> str:
    height, width = plane.shape[:2]
    return f"{width}x{height}"


def _existing(name: str, folder: str | Path | None) -> Path:
    if folder is None:
        raise DatasetError(f"dataset={name} needs its folder: add dataset.dir=PATH")
    root = Path(folder).expanduser()
    if not root.is_dir():
        beside = sorted(p.name for p in root.parent.iterdir() if p.is_dir()) if root.parent.is_dir() else []
        close = difflib.get_close_matches(root.name, beside, n=1)
        hint = f"did you mean {root.parent / close[0]}?" if close else f"give the folder of {name}"
        raise DatasetError(f"dataset.dir={folder} is not a folder: {hint}")
    return root


def _find_images(root: Path, pattern: str, exclude: str | None, strata: Sequence[str] | None) -> list[Path]:
    if Path(pattern).is_absolute():
        raise ConfigError(f"dataset.images={pattern} must be relative to dataset.dir")
    hidden = set(root.glob(exclude)) if exclude else set()
    found = sorted(p for p in root.glob(pattern) if p.is_file() and p not in hidden)
    found = [p for p in found if not p.name.startswith(".")]
    if not found:
        raise DatasetError(
            f"no image in {root} matches dataset.images={pattern!r}: check dataset.dir, or set dataset.images"
        )
    if strata is None:
        return found
    present = {_folder(root, p) for p in found}
    for wanted in strata:
        if wanted not in present:
            raise DatasetError(
                f"dataset.strata names the folder {wanted!r}: {suggest(wanted, sorted(present))}"
            )
    return [p for p in found if _folder(root, p) in strata]


def _find_masks(root: Path, image: Path, pattern: str, missing: str) -> tuple[Path, ...]:
    """The masks of ``image``, sorted; the pattern's own stars apply, those of the names do not."""
    folder, stem = glob.escape(_folder(root, image) or "."), glob.escape(image.stem)
    try:
        wanted = pattern.format(folder=folder, stem=stem)
    except (KeyError, IndexError, ValueError):
        raise ConfigError(
            f"dataset.masks={pattern!r}: only {{folder}} and {{stem}} may stand in braces"
        ) from None
    found = tuple(sorted(p for p in root.glob(wanted) if p.is_file() and p != image))
    if not found and missing == "error":
        raise DatasetError(
            f"{image} has no mask (looked for {wanted}): add it, remove the image, or set "
            "dataset.missing_mask=empty if images without a mask are free of lesions"
        )
    return found


def _check_any_mask(root: Path, masks: Sequence[tuple[Path, ...]], pattern: str) -> None:
    if not any(masks):
        raise DatasetError(f"no mask in {root} matches dataset.masks={pattern!r}: set dataset.masks")


def _folder(root: Path, path: Path) -> str:
    """The folder of ``path`` below ``root``, with forward slashes; empty at the top."""
    relative = path.parent.relative_to(root).as_posix()
    return "" if relative == "." else relative


def _unique_ids(root: Path, images: Sequence[Path]) -> tuple[str, ...]:
    ids = tuple(p.relative_to(root).with_suffix("").as_posix() for p in images)
    for name, count in Counter(ids).items():
        if count > 1:
            files = ", ".join(p.name for p, i in zip(images, ids, strict=True) if i == name)
            raise DatasetError(
                f"{files} in {root} are one image {name!r} {count} times: keep one of the files"
            )
    return ids


def _open(path: Path) -> Image.Image:
    """The decoded file; half-written and foreign files are told by name."""
    try:
        with path.open("rb") as file:
            image = Image.open(file)
            image.load()
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise DatasetError(f"{path} cannot be read as an image ({error}): replace or remove it") from None
    return image


def _read_image(path: Path, channels: int) -> np.ndarray:
    image = _open(path)
    if image.mode.startswith("I;16"):  # Pillow would clip 16 bits to 8
        image = Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
    pixels = np.asarray(image.convert("RGB" if channels == 3 else "L"))
    return pixels.reshape(*pixels.shape[:2], channels)


def _read_plane(path: Path, keep_indices: bool) -> np.ndarray:
    """One plane of a mask; alpha is dropped, colours become grey, palette indices stay on request."""
    image = _open(path)
    if image.mode == "P" and keep_indices:
        return np.asarray(image)
    if image.mode in ("RGBA", "LA", "PA"):
        image = image.convert("RGB")
    if image.mode.startswith(("I", "F")):
        return np.asarray(image).astype(np.int64)
    return np.asarray(image.convert("L"))


@functools.lru_cache(maxsize=8)
def _fingerprint(dataset: FolderDataset) -> str:
    digest = hashlib.sha256()
    for name, image, masks in zip(dataset.ids, dataset._images, dataset._masks, strict=True):
        digest.update(name.encode())
        for file in (image, *masks):
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


def open_folder(config: Mapping[str, Any]) -> FolderDataset:
    """The dataset of a ``dataset`` group with ``kind: folder``."""
    ours = ("kind", "image_size", "resize", "normalize")
    return FolderDataset(**{key: value for key, value in config.items() if key not in ours})
