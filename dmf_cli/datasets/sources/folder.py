"""A folder of images and masks: which file belongs to which is said by patterns in the config."""

import difflib
import functools
import hashlib
import logging
import math
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from dmf_cli import hints, lookup
from dmf_cli.config.inputs import check_classes
from dmf_cli.datasets.base import Dataset, Ignored, Sample
from dmf_cli.datasets.cache import cache_folder
from dmf_cli.datasets.finding import Finding
from dmf_cli.datasets.input_spec import MAX_PIXELS, Reading
from dmf_cli.datasets.sources import (
    bad_files,
    dicom,
    grouping,
    label_coding,
    mask_planes,
    mask_report,
    mask_values,
)
from dmf_cli.datasets.sources.accents import twin
from dmf_cli.datasets.sources.image_files import (
    image_size,
    open_image,
    orientation,
    read_image,
)
from dmf_cli.datasets.sources.image_report import skipped, turned
from dmf_cli.datasets.sources.pairing import Pair, Patterns, find_pairs
from dmf_cli.datasets.sources.suffixes import is_dicom
from dmf_cli.errors import (
    ConfigError,
    DatasetError,
    SizeMismatchError,
    UnknownNameError,
    UnreadableError,
)

log = logging.getLogger("dmf")
_SAME = "give both the same size"
_STORED = (
    "it was drawn on the pixels as they are stored, and viewers turn the photograph (EXIF orientation): draw "
    "it on what they show, or remove the orientation from the photograph"
)


class FolderDataset(Dataset):
    """Pairs of image and mask files below one folder.

    Args:
        name: what tables call it.
        dir: the folder.
        images: glob of the images, relative to ``dir``.
        masks: pattern of the masks of one image, relative to ``dir``; ``{folder}``, ``{stem}`` and the named
            groups of ``parse`` stand for those of the image, ``*`` for anything. Several masks are united:
            where they overlap, the higher class index stays.
        exclude: glob of files that ``images`` matches but that are no images, relative to ``dir``, or of
            names alone; None: none.
        parse: regular expression for an image's path below ``dir`` without its suffix, or None. Its named
            groups may stand in ``masks``; a group called ``class`` is the stratum, in place of the folder;
            one called ``patient`` says which images belong on one side of a split.
        table: a CSV file that tells more of each image, see
            :func:`dmf_cli.datasets.sources.table.read_table`;
            its fields are as the named groups of ``parse``.
        strata: strata to use; None uses all.
        classes: names, the background first.
        values: pixel value -> class index of a label map; None: a mask of two classes is foreground where
            it is above ``threshold``, a mask of more classes holds the indices themselves. Keys such as
            ``red`` or ``"#ff0000"`` are colours: each pixel has the class of the nearest.
        threshold: see ``values``; 0 means every value but 0. ``auto``: 0, or half of the largest value where
            masks have soft edges, see :mod:`dmf_cli.datasets.sources.mask_values`.
        ignore: a pixel value or colour of masks, or a list of them, whose pixels count nowhere: in no loss,
            no score and no figure; None: none.
        channels: 1 reads images as grey, 3 as RGB.
        missing_mask: ``error``, or ``empty`` for images without a mask file.
        size_mismatch: ``error``, or ``skip`` to leave out images whose mask has another size.
        folders: what the folders of the images are, see :func:`dmf_cli.datasets.sources.grouping.group`.
        spacing: millimetres per pixel (row, column); None: what a DICOM file says of itself, else nothing.
        range: grey values that become black and white, see
            :class:`dmf_cli.datasets.input_spec.Reading`.
        max_pixels: images with more are refused.
        on_bad: ``error``, or ``skip`` to leave out images that cannot be used, or whose masks cannot.

    Raises:
        ConfigError: patterns, classes or values that make no sense.
        DatasetError: the folder is missing or empty, or a mask is missing.
    """

    ignore: Ignored

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
        values: Mapping[int | str, int] | None = None,
        threshold: int | Literal["auto"] = "auto",
        ignore: int | str | Sequence[int | str] | None = None,
        channels: Literal[1, 3] = 1,
        missing_mask: Literal["error", "empty"] = "error",
        table: Mapping[str, str] | None = None,
        size_mismatch: Literal["error", "skip"] = "error",
        folders: Literal["auto", "strata", "patients", "none"] = "auto",
        spacing: Sequence[float] | None = None,
        range: Sequence[float] | None = None,  # the key of the config
        max_pixels: int = MAX_PIXELS,
        on_bad: Literal["error", "skip"] = "error",
    ) -> None:
        self.name, self.classes = name, tuple(classes)
        if channels not in (1, 3):
            raise ConfigError(f"dataset.channels is {channels}: 1 (grey) or 3 (RGB)")
        check_classes(classes)
        self.channels, self.threshold = channels, None if threshold == "auto" else threshold
        self._looked: mask_report.Values | None = None
        self._lock = threading.Lock()
        self.values, self.colours = label_coding.split(values or {}, len(self.classes))
        self.ignore = label_coding.ignored(ignore, len(self.classes))
        self.ignores = ignore is not None
        self.spacing = _checked_spacing(spacing) if spacing is not None else None
        patterns = Patterns(images, masks, exclude, parse, strata, missing_mask, table)
        self._reading = Reading(range, max_pixels)
        if on_bad not in ("error", "skip"):
            raise UnknownNameError("dataset.on_bad", on_bad, ["error", "skip"])
        self.left_out = Counter[str]()
        self._root, self._patterns = _existing(name, dir), patterns
        # Whoever chooses strata by their folders has said what the folders are.
        self._folders = "strata" if folders == "auto" and strata is not None else folders
        pairs = find_pairs(self._root, patterns, name, self.left_out)
        self.unusable = _of_another_size(pairs, size_mismatch)
        self._use([pair for pair in pairs if pair.id not in self.unusable])
        if on_bad == "skip" and (found := bad_files.unusable(self, self._decoding)):
            self.unusable = {**self.unusable, **found}
            self._use([pair for pair in self._pairs if pair.id not in found])

    def _use(self, pairs: list[Pair]) -> None:
        """``pairs`` are the images."""
        _fingerprint.cache_clear()  # it knows this object by its identity
        self._pairs, self._looked = pairs, None
        self.ids = tuple(pair.id for pair in pairs)
        self.strata, self.groups, self.grouping = grouping.group(pairs, self.name, self._folders)

    def load(self, index: int) -> Sample:
        """See :meth:`Dataset.load`."""
        pair = self._pairs[index]
        image = read_image(pair.image, self.channels, self._reading)
        if not pair.masks:
            return Sample(image, np.zeros(image.shape[:2], np.uint8))
        label = self.label(index)
        if label.shape != image.shape[:2]:
            turned_round = label.T.shape == image.shape[:2] and orientation(pair.image) > 1
            name = f"image {pair.image.relative_to(self._root)}"
            raise _sizes(pair.masks[0], label, name, image, _STORED if turned_round else _SAME)
        return Sample(image, label)

    def label(self, index: int) -> np.ndarray:
        """See :meth:`Dataset.label`."""
        pair = self._pairs[index]
        if not pair.masks:
            return np.zeros(image_size(pair.image), np.uint8)
        label = self._read_mask(pair.masks[0])
        for mask in pair.masks[1:]:
            found = self._read_mask(mask)
            if found.shape != label.shape:
                raise _sizes(mask, found, f"other mask {pair.masks[0].name}", label)
            label = np.maximum(label, found)
        return label

    def mask_remarks(self) -> list[Finding]:
        """See :meth:`Dataset.mask_remarks`."""
        return self._look().remarks if self._binary else []

    def fingerprint(self) -> str:
        """See :meth:`Dataset.fingerprint`."""
        return _fingerprint(self)

    def reading(self) -> str:
        """See :meth:`Dataset.reading`."""
        coded = (self.threshold, self.values, self.colours, self.ignore)
        return repr((self.classes, self.channels, *coded, self._reading.limits))

    def content(self, index: int) -> str:
        """See :meth:`Dataset.content`; of the file, so that nothing is decoded."""
        return hashlib.sha256(self._pairs[index].image.read_bytes()).hexdigest()[:16]

    def pixel_size(self, index: int) -> tuple[float, float] | None:
        """See :meth:`Dataset.pixel_size`."""
        file = self._pairs[index].image
        return dicom.spacing(file) if self.spacing is None and is_dicom(file) else self.spacing

    def remarks(self) -> list[Finding]:
        """See :meth:`Dataset.remarks`."""
        files = {pair.id: pair.image for pair in self._pairs}
        return [*skipped(self._root, self._patterns), *turned(files)]

    def masks(self, index: int) -> tuple[Path, ...]:
        """The mask files of image ``index``; none where ``missing_mask`` is ``empty``."""
        return self._pairs[index].masks

    @property
    def _binary(self) -> bool:
        return self.values is None and self.colours is None and len(self.classes) == 2

    def _look(self) -> mask_report.Values:
        """All masks, once: what is foreground in one of them depends on the others."""
        with self._lock:
            if self._looked is None:
                files = sorted({file for pair in self._pairs for file in pair.masks})
                sources = [
                    functools.partial(_facts, file, self.ignore, self._reading.max_pixels) for file in files
                ]
                self._looked = mask_report.look(self._key, sources, self.classes, self.threshold)
            return self._looked

    def _key(self) -> str:
        return f"{self.fingerprint()}\0{self.reading()}"

    def _decoding(self) -> str:
        """What decides whether files can be used."""
        return f"{self._key()}\0{self._reading.max_pixels}"

    def _read_mask(self, path: Path) -> np.ndarray:
        image = open_image(path, self._reading.max_pixels)
        if self.colours:
            return label_coding.nearest(
                mask_planes.colours(image),
                self.colours,
                path,
                lossy=image.format in mask_planes.LOSSY,
                ignore=self.ignore.colours,
            )
        if self._binary:
            labels = self._foreground(image).astype(np.uint8)
            return (
                label_coding.leave_out(labels, mask_values.void(image, self.ignore))
                if self.ignores
                else labels
            )
        if self.values is None and mask_planes.is_coloured(image):
            raise label_coding.coloured(path)
        pixels = mask_planes.plane(image, keep_indices=True)
        return label_coding.by_value(pixels, self.values, len(self.classes), path, self.ignore.values)

    def _foreground(self, image: Image.Image) -> np.ndarray:
        pixels = mask_planes.plane(image, keep_indices=False)
        if self.threshold is not None:
            return pixels > self.threshold
        counted = ~mask_values.void(image, self.ignore) if self.ignores else None
        level = self._look().level
        return mask_values.foreground(pixels, level, lossy=image.format in mask_planes.JPEG, counted=counted)


def _facts(path: Path, ignore: Ignored, max_pixels: int) -> mask_values.Facts:
    return mask_values.facts(open_image(path, max_pixels), str(path), ignore)


def _sizes(one: Path, mask: np.ndarray, other: str, image: np.ndarray, do: str = _SAME) -> SizeMismatchError:
    return SizeMismatchError(f"{one} is {_pixels(mask)} pixels and its {other} {_pixels(image)}: {do}")


def _checked_spacing(spacing: Any) -> tuple[float, float]:
    """Millimetres per pixel, row and column: a wrong one would give wrong distances without a word."""
    sides = spacing if isinstance(spacing, Sequence) else ()
    right = [side for side in sides if isinstance(side, int | float) and 0 < side < math.inf]
    if not len(sides) == len(right) == 2:
        raise ConfigError(
            f"dataset.spacing is {spacing!r}: give millimetres per pixel, row and column: [0.1,0.1], or null"
        )
    return float(spacing[0]), float(spacing[1])


def _of_another_size(pairs: list[Pair], rule: str) -> dict[str, str]:
    """With ``skip``: id -> what is wrong, of the images whose masks have another size."""
    if rule not in ("error", "skip"):
        raise UnknownNameError("dataset.size_mismatch", rule, ["error", "skip"])
    if rule == "error":
        return {}  # `load` tells, once it has decoded both
    odd = [pair for pair in pairs if not _same_size(pair)]
    if len(odd) == len(pairs):
        raise DatasetError("every mask has another size than its image: check dataset.masks")
    if odd:
        left_out = f"{len(odd)} of {len(pairs)} images, first {odd[0].id}"
        log.warning("left out because their masks have another size: %s", left_out)
    return {pair.id: f"the mask of {pair.id!r} has another size than the image" for pair in odd}


def _same_size(pair: Pair) -> bool:
    """Also where a file cannot be read: that is for ``on_bad`` and `load` to tell."""
    try:
        return {image_size(pair.image)} >= {image_size(mask) for mask in pair.masks}
    except UnreadableError:
        return True


def _pixels(plane: np.ndarray) -> str:
    height, width = plane.shape[:2]
    return f"{width}x{height}"


def _existing(name: str, folder: str | Path | None) -> Path:
    if folder is None:
        raise DatasetError(f"dataset={name} needs its folder: add dataset.dir=PATH")
    root = Path(folder).expanduser()
    if not root.is_dir():
        hint = _similar(root) or "give the folder of its images"
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
    """The dataset of a ``dataset`` group with ``kind: folder``.

    Raises:
        ConfigError: see :class:`FolderDataset`.
        DatasetError: see :class:`FolderDataset`; one that can be had says by which command.
    """
    others = ("kind", "image_size", "resize", "normalize", "download")
    params = {k: v for k, v in config.items() if k not in others}
    lookup.check_keywords("dataset", FolderDataset, params)
    check_place(config)
    if "download" in config:
        params["dir"] = images_folder(config)
    return FolderDataset(**params)


def check_place(config: Mapping[str, Any]) -> None:
    """Whether the folder of a ``dataset`` group with ``kind: folder`` is there; needs no moment.

    Raises:
        DatasetError: it is not; one that can be had says by which command.
    """
    if "download" not in config:
        _existing(config["name"], config.get("dir"))
    elif not images_folder(config).is_dir():
        raise DatasetError(not_there(config))


def images_folder(config: Mapping[str, Any]) -> Path:
    """Where the images of a dataset that can be had are, or will be: ``dir``, else a place in the cache."""
    given = config.get("dir")
    return Path(given).expanduser() if given else cache_folder() / "datasets" / str(config["name"])


def not_there(config: Mapping[str, Any]) -> str:
    """The line for a dataset that is not on this machine."""
    name, folder = config["name"], images_folder(config)
    prepare = hints.command("data", "prepare", f"dataset={name}")
    if config.get("dir"):
        close = _similar(folder)
        hint = f"{close} " if close else ""
        return f"dataset.dir={config['dir']} is not a folder: {hint}`{prepare}` says how to get {name}"
    return f"{name} is not there ({folder}): get it by `{prepare}`, or give its folder, dataset.dir=PATH"


def _similar(folder: Path) -> str:
    """``did you mean PATH?`` of the folder beside ``folder`` that is called most alike, or nothing."""
    if (other := twin(folder)) is not None:
        return f"did you mean {other}, with its accents written otherwise?"
    parent = folder.parent
    beside = sorted(p.name for p in parent.iterdir() if p.is_dir()) if parent.is_dir() else []
    close = difflib.get_close_matches(folder.name, beside, n=1, cutoff=0.75)
    return f"did you mean {parent / close[0]}?" if close else ""
