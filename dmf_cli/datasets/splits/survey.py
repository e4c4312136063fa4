"""What a split has to know of the images themselves: near-duplicates, lesions' sizes and their classes.

Found once for a dataset and kept in the cache under a hash of its content, so that only the first run pays.
"""

import contextlib
import dataclasses
import hashlib
import json
import logging
from pathlib import Path

import numpy as np

from dmf_cli.datasets.base import IGNORED, Dataset, Sample, lesion_share
from dmf_cli.datasets.cache import cache_folder
from dmf_cli.datasets.sources import bad_files
from dmf_cli.datasets.splits.near_duplicates import Description, SimilarPair, describe, find
from dmf_cli.errors import DatasetError, DmfError
from dmf_cli.files import write_atomic

VERSION = 3  # of what is kept; another one is not read
log = logging.getLogger("dmf")


@dataclasses.dataclass(frozen=True)
class Survey:
    """Findings about all images of a dataset.

    Args:
        areas: share of the pixels that are no background, one an image, in [0, 1].
        pairs: near-duplicates, whatever their similarity (see
            :mod:`dmf_cli.datasets.splits.near_duplicates`).
        classes: the classes above the background that each image holds.
    """

    areas: tuple[float, ...]
    pairs: tuple[SimilarPair, ...]
    classes: tuple[tuple[int, ...], ...]

    def similar(self, least: float | None) -> list[SimilarPair]:
        """Pairs at least so similar; none for None."""
        return [] if least is None else [pair for pair in self.pairs if pair.similarity >= least]


class Surveyor:
    """Looks at images one after another; 9 KB of each are kept.

    Args:
        alike: look for near-duplicates too.
    """

    def __init__(self, alike: bool = True) -> None:
        self._alike, self._areas = alike, list[float]()
        self._descriptions: list[Description] = []
        self._classes: list[tuple[int, ...]] = []

    def add(self, sample: Sample) -> None:
        """The next image."""
        self._areas.append(lesion_share(sample.label))
        self._classes.append(
            tuple(np.unique(sample.label[(sample.label > 0) & (sample.label != IGNORED)]).tolist())
        )
        if self._alike:
            self._descriptions.append(describe(sample.image))

    def finish(self) -> Survey:
        """What was found in all of them."""
        return Survey(tuple(self._areas), tuple(find(self._descriptions)), tuple(self._classes))


def survey(dataset: Dataset) -> Survey:
    """Look at every image of ``dataset``, or read from the cache what was found the last time.

    Raises:
        DatasetError: naming every image or mask that cannot be read.
    """
    found = recall(dataset)
    if found is None:
        log.info("looking for near-duplicates in the %d images of %s", len(dataset), dataset.name)
        surveyor, errors = Surveyor(), list[DatasetError]()
        for index in range(len(dataset)):
            try:
                surveyor.add(dataset.load(index))
            except DatasetError as error:
                errors.append(error)
        bad_files.refuse(errors)
        found = surveyor.finish()
        keep(dataset, found)
    return found


def recall(dataset: Dataset) -> Survey | None:
    """What is in the cache for ``dataset``; None if there is nothing, or nothing whole."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        content = json.loads(_file(dataset).read_text(encoding="utf-8"))
        areas = tuple(float(area) for area in content["areas"])
        pairs = tuple(_pair(*entry) for entry in content["pairs"])
        classes = tuple(tuple(int(c) for c in held) for held in content["classes"])
        known = len(classes) == len(dataset) and all(0 <= p.first < p.second < len(dataset) for p in pairs)
        if content["version"] == VERSION and len(areas) == len(dataset) and known:
            return Survey(areas, pairs, classes)
    return None


def keep(dataset: Dataset, found: Survey) -> None:
    """Put ``found`` into the cache; one that cannot be written costs time only."""
    content = {"version": VERSION, "areas": found.areas, "pairs": found.pairs, "classes": found.classes}
    with contextlib.suppress(OSError, DmfError):
        file = _file(dataset)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, json.dumps(content))


def _file(dataset: Dataset) -> Path:
    key = hashlib.sha256(f"{VERSION}\0{dataset.fingerprint()}\0{dataset.reading()}".encode()).hexdigest()[:24]
    return cache_folder() / "surveys" / f"{key}.json"


def _pair(first: int, second: int, similarity: float, bits: int) -> SimilarPair:
    return SimilarPair(int(first), int(second), float(similarity), int(bits))
