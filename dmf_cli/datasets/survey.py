"""What a split has to know of the images themselves: near-duplicates, and how large the lesions are.

Found once for a dataset and kept in the cache under a hash of its content, so that only the first run pays.
"""

import contextlib
import dataclasses
import hashlib
import json
import logging
from collections.abc import Callable
from pathlib import Path

from dmf_cli.datasets.base import Dataset
from dmf_cli.datasets.cache import cache_folder
from dmf_cli.datasets.duplicates import Description, Pair, describe, find
from dmf_cli.errors import DmfError
from dmf_cli.results.atomic import write_atomic

VERSION = 1  # of what is kept; another one is not read
log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Survey:
    """Findings about all images of a dataset.

    Args:
        areas: share of the pixels that are no background, one an image, in [0, 1].
        pairs: near-duplicates, whatever their similarity (see :mod:`dmf_cli.datasets.duplicates`).
    """

    areas: tuple[float, ...]
    pairs: tuple[Pair, ...]

    def similar(self, least: float | None) -> list[Pair]:
        """Pairs at least so similar; none for None."""
        return [] if least is None else [pair for pair in self.pairs if pair.similarity >= least]


def survey(dataset: Dataset, progress: Callable[[], None] = lambda: None) -> Survey:
    """Look at every image of ``dataset``, or read from the cache what was found the last time.

    Args:
        dataset: its images are decoded one by one; 9 KB of each are kept.
        progress: called after each image.

    Raises:
        DatasetError: an image or mask that cannot be read.
    """
    file = _file(dataset)
    found = _read(file, len(dataset))
    if found is None:
        log.info("looking for near-duplicates in the %d images of %s", len(dataset), dataset.name)
        areas: list[float] = []
        descriptions: list[Description] = []
        for index in range(len(dataset)):
            sample = dataset.load(index)
            areas.append(float((sample.label > 0).mean()))
            descriptions.append(describe(sample.image))
            progress()
        found = Survey(tuple(areas), tuple(find(descriptions)))
        _write(file, found)
    return found


def _file(dataset: Dataset) -> Path:
    key = hashlib.sha256(f"{VERSION}\0{dataset.fingerprint()}\0{dataset.reading()}".encode()).hexdigest()[:24]
    return cache_folder() / "surveys" / f"{key}.json"


def _read(file: Path, count: int) -> Survey | None:
    """What is in the cache; None if there is nothing, or nothing whole."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        content = json.loads(file.read_text(encoding="utf-8"))
        areas = tuple(float(area) for area in content["areas"])
        pairs = tuple(_pair(*entry) for entry in content["pairs"])
        known = all(0 <= p.first < p.second < count for p in pairs)
        if content["version"] == VERSION and len(areas) == count and known:
            return Survey(areas, pairs)
    return None


def _pair(first: int, second: int, similarity: float, bits: int) -> Pair:
    return Pair(int(first), int(second), float(similarity), int(bits))


def _write(file: Path, found: Survey) -> None:
    """A cache that cannot be written costs time only."""
    content = {"version": VERSION, "areas": found.areas, "pairs": found.pairs}
    with contextlib.suppress(OSError, DmfError):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, json.dumps(content))
