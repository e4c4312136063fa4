"""One look at every image of a dataset: each is decoded once for all that is asked before a training.

Which files are good, near-duplicates, lesions' sizes and classes, the reports of masks and of images and the
statistics of `dmf data check` all read these facts. They are kept in the cache under a hash of the content of
all files and of how they are read, so that only the first look decodes; images that are bad are tried again.
"""

import contextlib
import dataclasses
import json
import weakref
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dmf_cli import bounded
from dmf_cli.datasets.base import Dataset, Examined
from dmf_cli.datasets.cache import cache_folder
from dmf_cli.datasets.input_spec import InputSpec
from dmf_cli.datasets.sources import bad_files
from dmf_cli.datasets.sources.description import Description, SimilarPair, describe
from dmf_cli.datasets.sources.image_facts import (
    ImageFacts,
    LabelFacts,
    from_json,
    image_facts,
    label_facts,
    present,
    size_key,
)
from dmf_cli.errors import DatasetError, DmfError
from dmf_cli.files import write_atomic
from dmf_cli.hashes import digest

VERSION = 4  # of what is kept; another one is not read
_known: "weakref.WeakKeyDictionary[Dataset, tuple[str, Survey]]" = weakref.WeakKeyDictionary()


class Survey:
    """What is known of all images of a dataset.

    Args:
        facts: one an image.
        errors: index -> what is wrong, of images that cannot be used.
        descriptions: index -> what near-duplicates are found by, of good images; as long as it is needed.
        values: index -> what its mask files hold; not of images that were known from the cache.
        pairs: near-duplicates among the good images, whatever their similarity; None: not looked for yet.
    """

    def __init__(
        self,
        facts: Sequence[ImageFacts],
        errors: dict[int, DatasetError] | None = None,
        descriptions: dict[int, Description] | None = None,
        values: dict[int, Sequence[Any]] | None = None,
        pairs: Sequence[SimilarPair] | None = None,
    ) -> None:
        self.facts, self.errors = list(facts), errors or {}
        self.descriptions, self.values = descriptions or {}, values or {}
        self.pairs = None if pairs is None else tuple(pairs)

    @property
    def good(self) -> list[int]:
        """Indices of the images that can be used."""
        return [index for index in range(len(self.facts)) if index not in self.errors]

    @property
    def labels(self) -> list[LabelFacts]:
        """Of each image; callers refuse the bad ones before, or take :meth:`of` the good ones."""
        # None is dropped for mypy alone: an image without labels has an error.
        return [facts.label for facts in self.facts if facts.label is not None]

    def refuse(self) -> None:
        """Raises ``DatasetError`` naming every image that cannot be used."""
        bad_files.refuse([self.errors[index] for index in sorted(self.errors)])

    def of(self, indices: Sequence[int]) -> "Survey":
        """Of these images alone, which are numbered anew; ``indices`` are sorted."""
        new = {old: number for number, old in enumerate(indices)}
        pairs = None if self.pairs is None else [p for p in self.pairs if p.first in new and p.second in new]
        return Survey(
            [self.facts[old] for old in indices],
            {new[old]: error for old, error in self.errors.items() if old in new},
            {new[old]: found for old, found in self.descriptions.items() if old in new},
            {new[old]: found for old, found in self.values.items() if old in new},
            None if pairs is None else [p._replace(first=new[p.first], second=new[p.second]) for p in pairs],
        )


def survey(
    dataset: Dataset,
    spec: InputSpec | None = None,
    *,
    alike: bool = False,
    progress: Callable[[], None] = lambda: None,
) -> Survey:
    """Look at every image of ``dataset``, as far as it is not known already.

    Args:
        dataset: the images.
        spec: of network inputs whose labels are looked at too; None: of none.
        alike: near-duplicates will be looked for: what finds them is taken from the same decoding.
        progress: called after each image.
    """
    key = _key(dataset)
    found, unknown = _recalled(dataset, key)
    if unknown:
        _look(dataset, found, unknown, spec, alike and not dataset.synthetic, progress)
    for _ in range(len(dataset) - len(unknown)):
        progress()
    sized = spec is not None and _add_left(dataset, found, spec)
    if key:
        _known[dataset] = key, found
    if unknown or sized:
        keep(dataset, found)
    return found


def adopt(dataset: Dataset, found: Survey) -> None:
    """``found`` is what is known of ``dataset``, which has changed, unless the cache knows more."""
    key = _key(dataset)
    known, unknown = _recalled(dataset, key)
    if key and (unknown or known.pairs is None):
        _known[dataset] = key, found
        keep(dataset, found)


def known_good(dataset: Dataset) -> set[int]:
    """Images of ``dataset`` that were looked at in this process, and can be used."""
    key, found = _known.get(dataset, ("", Survey([])))
    return set(found.good) if key and key == _key(dataset) else set()


def _look(
    dataset: Dataset,
    found: Survey,
    indices: Sequence[int],
    spec: InputSpec | None,
    alike: bool,
    progress: Callable[[], None],
) -> None:
    """Decode ``indices`` and put what is seen into ``found``."""
    whole = len(indices) == len(dataset)
    if not whole:
        dataset.mask_remarks()  # what one mask means may depend on the others

    def look(index: int) -> tuple[Examined, ImageFacts, Description | None]:
        seen = dataset.examine(index)
        wanted = seen.image if alike and seen.error is None else None
        description = None if wanted is None else describe(wanted)
        return seen._replace(image=None, label=None), image_facts(seen, spec), description

    for index, one in zip(indices, bad_files.attempts(look, indices, progress), strict=True):
        if isinstance(one, DatasetError):  # of no image alone, as of a dataset that changes
            raise one
        seen, facts, description = one
        found.facts[index], found.values[index] = facts, seen.values
        if seen.error is not None:
            found.errors[index] = seen.error.with_traceback(None)  # its frames hold decoded pixels
        else:
            found.pairs = None  # it is one of the good images now
        if description is not None:
            found.descriptions[index] = description
    if whole and not dataset.settle([value for index in indices for value in found.values[index]]):
        _relabel(dataset, found, spec)


def _relabel(dataset: Dataset, found: Survey, spec: InputSpec | None) -> None:
    """Masks that turned out to have soft edges are read again, by the threshold that all of them give."""
    for index, label in _labels(dataset, [i for i, facts in enumerate(found.facts) if facts.label]):
        found.facts[index] = dataclasses.replace(found.facts[index], label=label_facts(label, spec))


def _add_left(dataset: Dataset, found: Survey, spec: InputSpec) -> bool:
    """Which labels are left at the size of ``spec``, where that is not known; whether something was added."""
    known = {index: facts.label for index, facts in enumerate(found.facts) if facts.label}
    lacking = [index for index, label in known.items() if size_key(spec) not in label.left]
    for index, label in _labels(dataset, lacking):
        known[index].left[size_key(spec)] = present(spec.label(label))
    return bool(lacking)


def _labels(dataset: Dataset, indices: Sequence[int]) -> Iterable[tuple[int, np.ndarray]]:
    results = zip(indices, bad_files.attempts(dataset.label, indices), strict=True)
    return ((index, label) for index, label in results if not isinstance(label, DatasetError))


def keep(dataset: Dataset, found: Survey) -> None:
    """Put ``found`` into the cache; one that cannot be written costs time only."""
    key = _key(dataset)
    if not key or dataset.synthetic:
        return
    images = [None if i in found.errors else dataclasses.asdict(f) for i, f in enumerate(found.facts)]
    with contextlib.suppress(OSError, DmfError):
        file = _file(key)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, json.dumps({"version": VERSION, "images": images, "pairs": found.pairs}))


def _recalled(dataset: Dataset, key: str) -> tuple[Survey, Sequence[int]]:
    """What is known of ``dataset`` in this process or in the cache, and the images of which nothing is."""
    nothing = Survey([ImageFacts()] * len(dataset)), range(len(dataset))
    if key and _known.get(dataset, ("",))[0] == key:
        return _known[dataset][1], ()
    if not key or dataset.synthetic:
        return nothing
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        content = bounded.read_json(_file(key), most=bounded.MOST)
        images = [ImageFacts() if entry is None else from_json(entry) for entry in content["images"]]
        pairs = None if content["pairs"] is None else [_pair(*entry) for entry in content["pairs"]]
        inside = all(0 <= p.first < p.second < len(dataset) for p in pairs or ())
        if content["version"] == VERSION and len(images) == len(dataset) and inside:
            bad = [index for index, entry in enumerate(content["images"]) if entry is None]
            return (Survey(images, pairs=pairs), bad) if len(bad) < len(dataset) else nothing
    return nothing


def _pair(first: int, second: int, similarity: float, bits: int) -> SimilarPair:
    return SimilarPair(int(first), int(second), float(similarity), int(bits))


def _key(dataset: Dataset) -> str:
    """What decides what is seen; empty where files cannot be read, of which nothing is kept."""
    with contextlib.suppress(OSError, DatasetError):
        facts = f"{VERSION}\0{dataset.fingerprint()}\0{dataset.reading()}\0{dataset.max_pixels}"
        return digest(facts, 24)
    return ""


def _file(key: str) -> Path:
    return cache_folder() / "surveys" / f"{key}.json"
