"""Which images a network has seen: in its own run, and in those whose weights that began with."""

import functools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dmf_cli.config.typed import Config
from dmf_cli.datasets.base import Dataset
from dmf_cli.datasets.splits import division
from dmf_cli.run_folder import places, stored_config
from dmf_cli.run_folder.folder import RunFolder

SEEN = ("train", "val")
Group = Mapping[str, Any]
Earlier = dict[str, Any] | None  # what one run has seen; None: nobody knows, as of weights of a file


def known_parts(
    saved: Group | None, trained: Config, config: Config, dataset: Dataset, indices: Sequence[int]
) -> dict[int, str]:
    """The part that images had in a run, for those that it knows; of several the worst.

    An image that the run tests on counts as a training image where the run began with weights that were
    trained on it.

    Args:
        saved: the content of its ``split.json``; None: it is gone.
        trained: its config.
        config: of the images.
        dataset: that of ``config``, opened.
        indices: which of them.
    """
    if saved is None:
        return {}
    own = {**saved, "dataset": trained.plain["dataset"]}
    return earlier_parts([own, *_before(saved, trained.model.weights)], config, dataset, indices)


def own_parts(
    saved: Group | None, trained: Config, config: Config, dataset: Dataset, indices: Sequence[int]
) -> dict[int, str]:
    """The same by the run's own split, whatever its first weights have seen."""
    return known_parts(saved and {**saved, "before": []}, trained, config, dataset, indices)


def earlier_parts(
    earlier: Sequence[Earlier], config: Config, dataset: Dataset, indices: Sequence[int]
) -> dict[int, str]:
    """The same in the runs of ``earlier``, which :func:`before` gave."""
    content, found = functools.cache(dataset.content), dict[int, str]()
    for one in filter(None, earlier):
        for i, part in _parts(one, config, dataset, indices, content).items():
            found[i] = min(part, found.get(i, part), key=division.PARTS.index)
    return found


def settings(saved: Group | None, trained: Config, parts: Mapping[int, str]) -> dict[str, Any]:
    """What a summary says of images with these ``parts``: ``seen``, or nothing where all of them are new.

    ``seen`` counts those that the network was trained on (``train``) or chosen by (``val``); None: nobody
    knows all that it has seen.
    """
    found = Counter(parts.values())
    if any(found[part] for part in SEEN):
        return {"seen": {part: found[part] for part in SEEN}}
    unknown = saved is None or None in _before(saved, trained.model.weights)
    return {"seen": None} if unknown else {}


def before(weights: str | None, split_file: Path | None) -> list[Earlier]:
    """What a run's first weights have seen, as its ``split.json`` keeps it; the latest first.

    Args:
        weights: the run or file that they come from; None: they are new.
        split_file: of the run that is resumed or extended, which says it already.
    """
    if split_file is not None:
        return _before(division.read_split(split_file), weights)
    if weights is None:
        return []
    path = Path(weights).expanduser()
    run = RunFolder(path.parents[1] if path.parent.name == "checkpoints" else path)
    if not places.is_run(run.path) or not run.split_file.exists():
        return [None]
    saved, config = division.read_split(run.split_file), stored_config.load_run(run.path)
    own = _own(saved, config)
    return [own, *(one for one in _before(saved, config.model.weights) if one != own)]


def warning(earlier: Sequence[Earlier], config: Config, dataset: Dataset, split: division.Split) -> list[str]:
    """A line about test images that the first weights of a run have been trained on, or chosen by."""
    if not any(earlier) or not (known := earlier_parts(earlier, config, dataset, split.test)):
        return []
    of = f"{len(known)} of the {len(split.test)} test images"
    return [
        f"the weights of model.weights were trained on {of} or chosen by them: the scores of this run are no "
        "test; split.file=RUN/split.json of that run keeps its split"
    ]


def images_of(dataset: Group) -> tuple[str, ...]:
    """Keys of a ``dataset`` group whose values say which images they are."""
    return ("name", "kind", "dir", *(("table",) if dataset.get("kind") == "table" else ()))


def _before(saved: Group, weights: str | None) -> list[Earlier]:
    """What the split file says; one that is older than this list says nothing of ``weights``."""
    return list(saved.get("before", [None] if weights else []))


def _own(saved: Group, config: Config) -> Earlier:
    """What a run with this split file has seen."""
    ids, hashes = {part: saved[part] for part in SEEN}, saved.get("hashes", {})
    if hashes:
        return {
            **ids,
            "hashes": {name: hashes[name] for part in SEEN for name in ids[part] if name in hashes},
        }
    # What is made from a seed has no hashes, and its config says which images they are.
    group = config.plain["dataset"]
    if "dir" in group:
        return None
    return {**ids, "dataset": {key: group[key] for key in ("seed", *images_of(group)) if key in group}}


def _parts(
    saved: Group, config: Config, dataset: Dataset, indices: Sequence[int], content: Callable[[int], str]
) -> dict[int, str]:
    """The parts by one split; of equal images the worst."""
    by_id = {str(name): part for part in reversed(division.PARTS) for name in saved.get(part, ())}
    hashes = saved.get("hashes")
    if hashes:
        order = sorted(by_id, key=lambda name: -division.PARTS.index(by_id[name]))
        known = {hashes[name]: by_id[name] for name in order if name in hashes}
        parts = {i: known.get(content(i)) for i in indices}
    elif _same_draw(saved.get("dataset", {}), config.plain["dataset"]):
        # What is made from a seed has no hashes: its number says as much.
        parts = {i: by_id.get(dataset.ids[i]) for i in indices}
    else:
        parts = {}
    return {i: part for i, part in parts.items() if part}


def _same_draw(one: Group, other: Group) -> bool:
    return all(one.get(key) == other.get(key) for key in ("seed", *images_of(other)))
