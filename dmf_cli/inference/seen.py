"""Which images a network has seen: in its own run, and in those whose weights that began with."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dmf_cli.config.typed import Config
from dmf_cli.datasets.base import Dataset
from dmf_cli.datasets.splits import division
from dmf_cli.run_folder import places, stored_config
from dmf_cli.run_folder.folder import RunFolder

SEEN = ("train", "val")
Group = Mapping[str, Any]
Earlier = dict[str, Any] | None  # what one run has seen; None: weights of a file, of which nobody knows it


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
    parts = _parts(saved, trained.plain["dataset"], config, dataset, indices)
    for one in saved.get("before", ()):
        earlier = _parts(one, one.get("dataset", {}), config, dataset, indices) if one else {}
        for i, part in earlier.items():
            parts[i] = min(part, parts.get(i, part), key=division.PARTS.index)
    return parts


def unknown(saved: Group | None) -> bool:
    """Whether nobody knows all that the network of a run has seen."""
    return saved is None or None in saved.get("before", ())


def before(weights: str | None, split_file: Path | None) -> list[Earlier]:
    """What a run's first weights have seen, as its ``split.json`` keeps it; the latest first.

    Args:
        weights: the run or file that they come from; None: they are new.
        split_file: of the run that is resumed or extended, which says it already.
    """
    if split_file is not None:
        return list(division.read_split(split_file).get("before", ()))
    if weights is None:
        return []
    path = Path(weights).expanduser()
    run = RunFolder(path.parents[1] if path.parent.name == "checkpoints" else path)
    if not places.is_run(run.path) or not run.split_file.exists():
        return [None]
    saved = division.read_split(run.split_file)
    ids = {part: saved[part] for part in SEEN}
    hashes = {name: saved["hashes"][name] for part in SEEN for name in ids[part] if name in saved["hashes"]}
    # Without a hash of each image, the config says which ones they are.
    whose = {"hashes": hashes} if hashes else {"dataset": stored_config.load_run(run.path).plain["dataset"]}
    return [{**ids, **whose}, *saved.get("before", ())]


def warning(earlier: Sequence[Earlier], config: Config, dataset: Dataset, split: division.Split) -> list[str]:
    """A line about test images that the first weights of a run have been trained on, or chosen by."""
    nothing: Group = dict.fromkeys(division.PARTS, ())
    parts = known_parts({**nothing, "before": earlier}, config, config, dataset, split.test)
    if not (known := Counter(parts.values()).total()):
        return []
    of = f"{known} of the {len(split.test)} test images"
    return [
        f"the weights of model.weights were trained on {of} or chosen by them: the scores of this run are no "
        "test; split.file=RUN/split.json of that run keeps its split"
    ]


def images_of(dataset: Group) -> tuple[str, ...]:
    """Keys of a ``dataset`` group whose values say which images they are."""
    return ("name", "kind", "dir", *(("table",) if dataset.get("kind") == "table" else ()))


def _parts(
    saved: Group, group: Group, config: Config, dataset: Dataset, indices: Sequence[int]
) -> dict[int, str]:
    """The parts by one split; of equal images the worst."""
    by_id = {str(name): part for part in reversed(division.PARTS) for name in saved.get(part, ())}
    hashes = saved.get("hashes")
    if hashes:
        order = sorted(by_id, key=lambda name: -division.PARTS.index(by_id[name]))
        known = {hashes[name]: by_id[name] for name in order if name in hashes}
        parts = {i: known.get(dataset.content(i)) for i in indices}
    elif _same_draw(group, config.plain["dataset"]):
        # What is made from a seed has no hashes: its number says as much.
        parts = {i: by_id.get(dataset.ids[i]) for i in indices}
    else:
        parts = {}
    return {i: part for i, part in parts.items() if part}


def _same_draw(one: Group, other: Group) -> bool:
    return all(one.get(key) == other.get(key) for key in ("seed", *images_of(other)))
