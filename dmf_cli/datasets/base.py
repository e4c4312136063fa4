"""What every dataset offers: an indexable set of images with label maps at their original size."""

import abc
import contextlib
import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from dmf_cli.datasets.finding import Finding
from dmf_cli.errors import DatasetError, LabelError, SizeMismatchError

IGNORED = 255  # in label maps: a pixel that no loss and no score counts
Colour = tuple[int, int, int]


class Ignored(NamedTuple):
    """Pixels of no class in mask files: their values, or their colours."""

    values: tuple[int, ...] = ()
    colours: tuple[Colour, ...] = ()


@dataclasses.dataclass(frozen=True)
class Sample:
    """One image with its label map.

    Args:
        image: ``(H, W, C)``, C = 1 or 3; black is 0 and white 255, in uint8, or in float32 where a file has
            more than 8 bits.
        label: ``(H, W)`` uint8 class indices, 0 = background; ``IGNORED`` counts nowhere.
    """

    image: np.ndarray
    label: np.ndarray


class Examined(NamedTuple):
    """What one decoding of the files of an image gives.

    Args:
        image: as in :class:`Sample`; None: it cannot be read.
        label: likewise.
        error: why the image cannot be used.
        values: what each of its mask files holds, for :meth:`Dataset.settle`.
        turned: its EXIF orientation turns it.
    """

    image: np.ndarray | None
    label: np.ndarray | None
    error: DatasetError | None = None
    values: tuple[Any, ...] = ()
    turned: bool = False


def lesion_share(label: np.ndarray) -> float:
    """Share of the pixels of ``label`` that are no background, of those that count."""
    counted = int(np.count_nonzero(label != IGNORED))
    return float(np.count_nonzero((label > 0) & (label != IGNORED))) / max(counted, 1)


class Dataset(abc.ABC):
    """Images with label maps at their original size; NumPy only, nothing is resized or normalised.

    Attributes:
        name: what tables call it, e.g. ``busi``.
        classes: class names; ``classes[0]`` is the background.
        channels: of the images, 1 (grey) or 3 (RGB).
        ids: one an image, unique, sorted, stable over machines, e.g. ``benign/benign (1)``.
        strata: one an image, what splits are stratified by, e.g. ``benign``.
        groups: one an image, images of one group (a patient) belong on one side; None if unknown.
        grouping: what the groups are, in words; empty where nothing says.
        left_out: stratum -> how many of its images are not used.
        unusable: id -> what is wrong with an image that is excluded because it cannot be used.
        spacing: millimetres per pixel (row, column), or None.
        parts: one an image, ``train``, ``val`` or ``test``: the dataset's own split; None: it has none.
        ignores: pixels may be ``IGNORED``.
        ignore: what the config says of them, for messages.
        max_pixels: images with more are refused; None: none are.
        synthetic: each image was made on its own, so that no two can be views of one thing: splits need not
            look for near-duplicates.
    """

    name: str
    classes: tuple[str, ...]
    channels: int
    ids: tuple[str, ...]
    strata: tuple[str, ...]
    groups: tuple[str, ...] | None = None
    grouping: str = ""
    left_out: Mapping[str, int] = MappingProxyType({})
    unusable: Mapping[str, str] = MappingProxyType({})
    spacing: tuple[float, float] | None = None
    parts: tuple[str, ...] | None = None
    synthetic: bool = False
    ignores: bool = False
    ignore: Ignored | None = None
    max_pixels: int | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @abc.abstractmethod
    def load(self, index: int) -> Sample:
        """Image ``index`` with its labels; raises ``DatasetError`` naming the file that is bad.

        Several threads call it at once.
        """

    def label(self, index: int) -> np.ndarray:
        """The labels of image ``index``, without decoding it where that can be had."""
        return self.load(index).label

    def examine(self, index: int) -> Examined:
        """Image ``index`` with all that its files say, each decoded once; nothing is raised for bad ones.

        What a mask means may depend on all masks: :meth:`settle` says whether labels are as they were.
        """
        try:
            sample = load_checked(self, index)
            return Examined(sample.image, sample.label)
        except DatasetError as error:
            label = None
            with contextlib.suppress(DatasetError):
                label = self.label(index)
            return Examined(None, label, error)

    def settle(self, values: Sequence[Any]) -> bool:
        """``values`` are those of all masks; whether the labels that were examined before are right still."""
        return True

    def mask_remarks(self) -> list[Finding]:
        """What the values of all masks say against their reading (``sources/mask_reader.py``)."""
        return []

    def pixel_size(self, index: int) -> tuple[float, float] | None:
        """Millimetres per pixel (row, column) of image ``index``, or None; raises ``DatasetError``."""
        return self.spacing

    def remarks(self) -> list[Finding]:
        """What a user should know of the files, see :mod:`dmf_cli.datasets.sources.image_report`."""
        return []

    @abc.abstractmethod
    def fingerprint(self) -> str:
        """A short hex hash of the content (ids and bytes), the same on every machine."""

    def reading(self) -> str:
        """What decides, beside the files, which pixels and labels ``load`` gives; for keys of caches."""
        return repr((self.classes, self.channels))

    def content(self, index: int) -> str:
        """A short hex hash of image ``index`` without its labels, the same on every machine."""
        image = self.load(index).image
        return hashlib.sha256(repr(image.shape).encode() + np.ascontiguousarray(image).tobytes()).hexdigest()[
            :16
        ]


def load_checked(dataset: Dataset, index: int) -> Sample:
    """Image ``index``, its labels validated against size and classes; ``DatasetError`` if they do not fit."""
    sample = dataset.load(index)
    name, label = f"{dataset.name}, image {dataset.ids[index]!r}", sample.label
    highest = int((label[label != IGNORED] if dataset.ignores else label).max(initial=0))
    if sample.label.shape != sample.image.shape[:2]:
        raise SizeMismatchError(
            f"{name} has labels {sample.label.shape} for an image {sample.image.shape[:2]}",
            hint="give both one size",
        )
    if highest >= len(dataset.classes):
        raise LabelError(
            f"{name} has the label {highest} and there are {len(dataset.classes)} classes",
            value=highest,
            hint=f"use labels 0 to {len(dataset.classes) - 1}",
        )
    return sample
