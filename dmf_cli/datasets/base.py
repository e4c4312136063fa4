"""What every dataset offers: an indexable set of images with label maps at their original size."""

import abc
import dataclasses
import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from dmf_cli.datasets.finding import Finding

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
        unusable: id -> what is wrong with an image that is left out because it cannot be used.
        spacing: millimetres per pixel (row, column), or None.
        parts: one an image, ``train``, ``val`` or ``test``: the dataset's own split; None: it has none.
        ignores: pixels may be ``IGNORED``.
        ignore: what the config says of them, for messages.
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

    def mask_remarks(self) -> list[Finding]:
        """What the values of all masks say against their reading (``sources/mask_report.py``)."""
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
