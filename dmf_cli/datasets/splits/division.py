"""Which image is trained on, validated on and tested on: decided once, saved, checked."""

import dataclasses
import functools
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dmf_cli import bounded
from dmf_cli.datasets.base import Dataset
from dmf_cli.datasets.sources import accents
from dmf_cli.datasets.splits.assignment import Kind, Unit, deal
from dmf_cli.datasets.splits.presence import Holds, represent
from dmf_cli.datasets.splits.units import units_of
from dmf_cli.errors import DatasetError
from dmf_cli.files import write_atomic

PARTS = ("train", "val", "test")


@dataclasses.dataclass(frozen=True)
class Split:
    """Indices into a dataset, sorted; every image is in exactly one part.

    Args:
        train: to learn from.
        val: to choose the best epoch by.
        test: to score.
        how: how it was made, in words of JSON; saved with it.
    """

    train: tuple[int, ...]
    val: tuple[int, ...]
    test: tuple[int, ...]
    how: Mapping[str, Any] = dataclasses.field(default_factory=dict, compare=False)


def make_split(
    dataset: Dataset,
    *,
    seed: int = 42,
    fractions: Sequence[float] = (0.7, 0.15, 0.15),
    stratify: bool = True,
    folds: int | None = None,
    fold: int = 0,
    links: Iterable[tuple[int, int]] = (),
    sizes: Sequence[int] | None = None,
    holds: Holds | None = None,
) -> Split:
    """A random split, the same on every machine for the same ids, strata, links, sizes, classes and seed.

    See :func:`dmf_cli.datasets.splits.assignment.deal` for how images are dealt out, and
    :func:`dmf_cli.datasets.splits.presence.represent` for how every part gets lesions of every class.

    Args:
        dataset: at least three images.
        seed: any integer.
        fractions: of train, val and test; all > 0, summing to 1.
        stratify: divide each stratum (and each size) on its own.
        folds: None, or into how many test parts the whole dataset is divided: ``fold`` is tested on, and the
            rest is divided into train and val as ``fractions`` has them. The folds do not depend on ``fold``.
        fold: from 0.
        links: pairs of images that must be in one part, directly or over others, see
            :func:`~dmf_cli.datasets.splits.units.links_of`.
        sizes: one an image, a class of sizes, see :func:`~dmf_cli.datasets.splits.units.size_classes`; or
            None.
        holds: one an image, the classes above the background that it holds; None if they are not known.

    Raises:
        DatasetError: too few images or units, or fractions that do not sum to 1.
    """
    fractions = tuple(fractions)
    if len(fractions) != 3 or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        allowed = "three numbers above 0 that sum to 1"
        raise DatasetError(key="split.fractions", value=list(fractions), allowed=allowed)
    units = units_of(len(dataset), links)
    _check_enough(dataset, units, folds)
    kinds, known = _kinds(dataset, stratify, sizes), holds or [()] * len(dataset)
    if folds is None:
        parts = represent(deal(units, kinds, dataset.ids, fractions, str(seed)), kinds, known)
    else:
        tested = deal(units, kinds, dataset.ids, [1 / folds] * folds, str(seed))
        tested = represent(tested, kinds, known, train=False)
        rest = [unit for number, part in enumerate(tested) if number != fold for unit in part]
        shares = [share / (fractions[0] + fractions[1]) for share in fractions[:2]]
        learned = deal(rest, kinds, dataset.ids, shares, f"{seed} val")
        parts = [*represent(learned, kinds, known), tested[fold]]
    how = {"seed": seed, "fractions": fractions, "stratify": stratify, "folds": folds, "fold": fold}
    together = [[dataset.ids[i] for i in unit] for unit in units if len(unit) > 1]
    train, val, test = map(_indices, parts)
    return Split(train, val, test, {**how, "together": together})


def own_split(dataset: Dataset, folds: int | None = None) -> Split:
    """The split that ``dataset`` brings with it (``dataset.parts``).

    Raises:
        DatasetError: folds are wanted, which it has not.
    """
    if folds is not None:
        reason = f"and {dataset.name} has its own train, val and test"
        hint = "set dataset.parts=pool to divide all of its images anew"
        raise DatasetError(key="split.folds", value=folds, reason=reason, hint=hint)
    own = dataset.parts or ()
    train, val, test = (tuple(i for i, part in enumerate(own) if part == name) for name in PARTS)
    if lacking := [name for name in PARTS if name not in own]:
        reason = f"has no image in {' and '.join(lacking)} of its own split"
        hint = "give it some, or set dataset.parts=pool to divide all images anew"
        raise DatasetError(f"{dataset.name} {reason}", key="dataset.parts", hint=hint)
    return Split(train, val, test, {"parts": "of the dataset"})


def parted(dataset: Dataset, split: Split) -> dict[str, dict[str, str]]:
    """Groups, such as patients, that ``split`` has on several sides: part -> one image of each."""
    images: dict[str, dict[str, str]] = {}
    for part in PARTS:
        for index in getattr(split, part):
            if dataset.groups:
                images.setdefault(dataset.groups[index], {}).setdefault(part, dataset.ids[index])
    return {group: parts for group, parts in images.items() if len(parts) > 1}


def _check_enough(dataset: Dataset, units: Sequence[Unit], folds: int | None) -> None:
    needed = 3 if folds is None else max(3, folds)
    what = (
        "a split needs at least 3 (train, val, test)" if needed == 3 else f"split.folds={folds} needs as many"
    )
    refused = functools.partial(DatasetError, key="split.folds", value=folds)
    if len(dataset) < needed:
        raise refused(f"{dataset.name} has {len(dataset)} image(s) and {what}", hint="add images")
    if len(units) < needed:
        raise refused(
            f"the {len(dataset)} images of {dataset.name} make {len(units)} group(s) of one patient or of "
            f"near-duplicates, and {what}",
            hint="add images, raise split.similarity, or set split.leak_free=false",
        )


def _kinds(dataset: Dataset, stratify: bool, sizes: Sequence[int] | None) -> list[Kind]:
    if not stratify:
        return [("",)] * len(dataset)
    return list(zip(dataset.strata, sizes, strict=True)) if sizes else [(s,) for s in dataset.strata]


def _indices(part: Iterable[Unit]) -> tuple[int, ...]:
    return tuple(sorted(index for unit in part for index in unit))


def save_split(
    path: Path, dataset: Dataset, split: Split, before: Sequence[Mapping[str, Any] | None] = ()
) -> None:
    """Write the ids of each part and a hash of each image as JSON, whole or not at all.

    Args:
        path: the file.
        dataset: the images.
        split: their parts.
        before: what the first weights of a run have seen, by :func:`dmf_cli.inference.seen.before`.
    """
    ids = {part: [dataset.ids[i] for i in getattr(split, part)] for part in PARTS}
    # What is made from a seed needs no hash of each image: the fingerprint says as much.
    used = [] if dataset.synthetic else sorted(i for part in PARTS for i in getattr(split, part))
    content = {
        "dataset": dataset.name,
        "fingerprint": dataset.fingerprint(),
        "how": dict(split.how),
        "strata": dict(sorted(Counter(dataset.strata).items())),
        "left_out": dict(sorted(dataset.left_out.items())),
        "unusable": dict(dataset.unusable),
        "grouping": dataset.grouping,
        "groups": _members(dataset),
        **ids,
        "hashes": {dataset.ids[i]: dataset.content(i) for i in used},
        **({"before": list(before)} if before else {}),
    }
    write_atomic(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def _members(dataset: Dataset) -> dict[str, list[str]]:
    """The ids of each group of several images; empty where nothing says who belongs together."""
    members: dict[str, list[str]] = {}
    for name, group in zip(dataset.ids, dataset.groups or (), strict=False):
        members.setdefault(group, []).append(name)
    return {group: names for group, names in members.items() if len(names) > 1}


def load_split(path: Path, dataset: Dataset, *, same_content: bool = False) -> Split:
    """A saved split for ``dataset``, whose images must be those that it was made for, byte for byte.

    Args:
        path: a file of :func:`save_split`. Without ``hashes`` (written by hand) ids are all that is checked.
        dataset: may have images that the split does not name; they are excluded.
        same_content: the whole dataset must be the same, with its masks: for a run that is resumed.

    Raises:
        DatasetError: unreadable, an id that the dataset lacks, an image in two parts, or changed images.
    """
    content = read_split(path)
    own = accents.speller(dataset.ids)
    ids = [[own(str(name)) for name in content[part]] for part in PARTS]
    _check_ids(path, dataset, ids)
    index = {name: i for i, name in enumerate(dataset.ids)}
    if content.get("fingerprint") != dataset.fingerprint():
        listed = {name: index[name] for part in ids for name in part}
        made = "the run was started with" if same_content else f"split file {path} was made with"
        do = "start a new run" if same_content else "set split.file=null for a new split"
        hashes = {own(name): digest for name, digest in content.get("hashes", {}).items()}
        _check_images(dataset, listed, hashes, made, do)
        if same_content:
            what = f"the list of images or the masks of {dataset.name} are not those that {made}"
            raise DatasetError(what, path=path, hint=f"bring them back, or {do}")
    train, val, test = (tuple(sorted(index[name] for name in part)) for part in ids)
    return Split(train, val, test, content.get("how", {}))


def read_split(path: Path) -> dict[str, Any]:
    """The content of a split file, which is not validated against a dataset.

    Raises:
        DatasetError: there is none, or it is something else.
    """
    new = "set split.file=null for a new split"
    refused = functools.partial(DatasetError, path=path, hint=f"give the split.json of a run, or {new}")
    try:
        content = bounded.read_json(path, most=bounded.MOST)
    except FileNotFoundError:
        there = accents.otherwise(Path(path))
        raise refused(reason=f"does not exist{there}", hint=new) from None
    except OSError as error:
        raise refused(reason=f"cannot be read ({error.strerror or error})") from None
    except ValueError:  # also what is no text
        raise refused(reason="is no split file, for it cannot be read as JSON") from None
    if not isinstance(content, dict) or not all(isinstance(content.get(part), list) for part in PARTS):
        raise refused(reason="is no split file, for it has no lists of ids for train, val and test")
    for key in ("hashes", "how"):
        if not isinstance(content.get(key, {}), dict):
            raise refused(reason=f"is no split file, in which {key} is a mapping")
    if not _is_before(content.get("before", [])):
        raise refused(reason="is no split file, in which before is a list of what earlier runs have seen")
    return content


def _is_before(value: Any) -> bool:
    """Whether each entry is null, or has lists of ids and mappings of what else there is."""
    entries = [one for one in value if one is not None] if isinstance(value, list) else [None]
    kinds = {"train": list, "val": list, "hashes": dict, "dataset": dict}
    return all(
        isinstance(one, dict) and all(isinstance(one[key], kinds[key]) for key in kinds if key in one)
        for one in entries
    )


def _check_ids(path: Path, dataset: Dataset, ids: Sequence[Sequence[str]]) -> None:
    listed, known = [name for part in ids for name in part], set(dataset.ids)
    missing = [name for name in listed if name not in known]
    if missing:
        reason = f"names {len(missing)} image(s) that {dataset.name} does not have, first {missing[0]!r}"
        hint = "bring them back, or use it with the dataset that it was made from"
        raise DatasetError(path=path, reason=reason, hint=hint)
    if len(set(listed)) < len(listed):
        twice = next(name for name, times in Counter(listed).items() if times > 1)
        hint = "an image may be in one part only"
        raise DatasetError(path=path, reason=f"lists {twice!r} twice", hint=hint)
    if not all(ids):
        hint = "train, val and test each need an image"
        raise DatasetError(path=path, reason="has an empty part", hint=hint)


def _check_images(
    dataset: Dataset, listed: Mapping[str, int], hashes: Mapping[str, Any], made: str, do: str
) -> None:
    """The images themselves must be those of the split; their masks may have been corrected."""
    changed = [name for name, i in listed.items() if name in hashes and dataset.content(i) != hashes[name]]
    if changed:
        counted = f"({len(changed)} of {len(listed)} changed)"
        what = f"image {changed[0]!r} of {dataset.name} is not the one that {made} {counted}"
        raise DatasetError(what, hint=f"bring it back, or {do}")
