"""Which image is trained on, validated on and tested on: decided once, saved, checked."""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from dmf_cli.datasets.base import Dataset
from dmf_cli.errors import DatasetError
from dmf_cli.results.atomic import write_atomic

PARTS = ("train", "val", "test")


@dataclasses.dataclass(frozen=True)
class Split:
    """Indices into a dataset, sorted; every image is in exactly one part."""

    train: tuple[int, ...]
    val: tuple[int, ...]
    test: tuple[int, ...]


def make_split(
    dataset: Dataset,
    *,
    seed: int = 42,
    fractions: Sequence[float] = (0.7, 0.15, 0.15),
    stratify: bool = True,
) -> Split:
    """A random split, the same on every machine for the same ids, strata and seed.

    Images are ordered by a hash of (seed, id), so the file order does not matter and an image that is
    added later moves few others. With ``stratify`` each stratum is divided in the same proportions,
    remainders going where the whole split lacks most.

    Args:
        dataset: at least three images.
        seed: any integer.
        fractions: of train, val and test; all > 0, summing to 1.
        stratify: divide each stratum on its own.

    Raises:
        DatasetError: too few images, or fractions that do not sum to 1.
    """
    fractions = tuple(fractions)
    if len(fractions) != 3 or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise DatasetError(f"split.fractions is {list(fractions)}: give three numbers above 0 that sum to 1")
    if len(dataset) < 3:
        raise DatasetError(
            f"{dataset.name} has {len(dataset)} image(s) and a split needs at least 3 "
            "(train, val, test): add images"
        )
    groups = _strata(dataset) if stratify else [list(range(len(dataset)))]
    parts: tuple[list[int], ...] = ([], [], [])
    for members in groups:
        members.sort(key=lambda i: _rank(seed, dataset.ids[i]))
        _deal(members, fractions, parts)
    _fill_empty(parts)
    return Split(*(tuple(sorted(part)) for part in parts))


def save_split(path: Path, dataset: Dataset, split: Split) -> None:
    """Write the ids of each part as JSON, whole or not at all."""
    ids = {part: [dataset.ids[i] for i in getattr(split, part)] for part in PARTS}
    content = {"dataset": dataset.name, "fingerprint": dataset.fingerprint(), **ids}
    write_atomic(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def load_split(path: Path, dataset: Dataset, *, same_content: bool = False) -> Split:
    """A saved split for ``dataset``; with ``same_content`` of these very images, byte for byte.

    Raises:
        DatasetError: unreadable, an id that the dataset lacks, an image in two parts, or changed images.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        ids = [[str(name) for name in content[part]] for part in PARTS]
    except FileNotFoundError:
        raise DatasetError(f"split file {path} does not exist: set split.file=null for a new split") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"split file {path} cannot be read ({error!r}): it needs train, val and test"
        ) from None
    if same_content and content.get("fingerprint") != dataset.fingerprint():
        raise DatasetError(
            f"the images of {dataset.name} are not those that the run was started with: "
            "bring them back, or start a new run"
        )
    index = {name: i for i, name in enumerate(dataset.ids)}
    listed = [name for part in ids for name in part]
    missing = [name for name in listed if name not in index]
    if missing:
        raise DatasetError(
            f"split file {path} names {len(missing)} image(s) that {dataset.name} does not have, "
            f"first {missing[0]!r}: use it with the dataset that it was made from"
        )
    if len(set(listed)) < len(listed):
        twice = next(name for name in listed if listed.count(name) > 1)
        raise DatasetError(f"split file {path} lists {twice!r} twice: an image may be in one part only")
    if not all(ids):
        raise DatasetError(f"split file {path} has an empty part: train, val and test each need an image")
    return Split(*(tuple(sorted(index[name] for name in part)) for part in ids))


def _strata(dataset: Dataset) -> list[list[int]]:
    names = sorted(set(dataset.strata))
    return [[i for i, s in enumerate(dataset.strata) if s == name] for name in names]


def _rank(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}\0{name}".encode()).digest()


def _deal(members: list[int], fractions: tuple[float, ...], parts: tuple[list[int], ...]) -> None:
    """Give ``members`` to the parts: the whole shares first, then one by one to who lacks most."""
    counts = [int(len(members) * f) for f in fractions]
    total = sum(map(len, parts)) + len(members)
    while sum(counts) < len(members):
        lack = [f * total - len(p) - c for f, p, c in zip(fractions, parts, counts, strict=True)]
        counts[lack.index(max(lack))] += 1
    start = 0
    for part, count in zip(parts, counts, strict=True):
        part.extend(members[start : start + count])
        start += count


def _fill_empty(parts: tuple[list[int], ...]) -> None:
    """With very few images a share can round to nothing: take one from the largest part."""
    for part in parts:
        if not part:
            part.append(max(parts, key=len).pop())
