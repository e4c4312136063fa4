"""Which images of a run ``dmf eval`` scores, whether the network has seen them, and the names of the files.

A score on images that the network was trained on is no test, and it is labelled so; a score under other
settings than the run's own never takes the place of the run's own.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dmf_cli.config import dataset_schema, schema
from dmf_cli.config.typed import Config
from dmf_cli.datasets.base import Dataset
from dmf_cli.datasets.input.run_data import make_split
from dmf_cli.datasets.splits import division
from dmf_cli.errors import ConfigError
from dmf_cli.hashes import digest
from dmf_cli.inference import seen
from dmf_cli.run_folder.folder import RunFolder

Group = Mapping[str, Any]  # plain: keys that differ name a file
NAME_LENGTH = 80  # characters of what is changed in the name of a file


class Scored:
    """The images of ``config`` that are scored for a run.

    Args:
        run: the run.
        trained: its config.
        config: the same, possibly with another ``dataset`` group or other settings of the score.
        dataset: that of ``config``, opened.
        split: ``train``, ``val``, ``test`` or ``all``.

    Attributes:
        indices: which images.
        own: whether they are those that the run was trained with.
        knows: whether it was trained with any of them, however the dataset is read now.
        settings: for those of the summary: ``seen``, how many of the images the run trained on (``train``)
            and chose its best epoch by (``val``), or a run whose weights it began with; None if nobody
            knows; nothing if none.
        name: of the files: the split for the run's own images and settings, and what differs after it.

    Raises:
        DatasetError: the run's own images are wanted by their split, and they or it are not as they were.
        ConfigError: another split of images that have one.
    """

    def __init__(self, run: RunFolder, trained: Config, config: Config, dataset: Dataset, split: str) -> None:
        self._trained, self._config, self._dataset, self._split = trained, config, dataset, split
        self._saved = division.read_split(run.split_file) if run.split_file.exists() else None
        self.own = own = config.dataset == trained.dataset
        if own:
            self._check_split_stays(len(dataset))
        self.knows = own or bool(self.parts(range(len(dataset))))
        self.indices = self._indices(run.split_file if own else None)
        self.settings = seen.settings(self._saved, trained, self.parts(self.indices))
        self.name = self._name()

    def _indices(self, saved: Path | None) -> Sequence[int]:
        if self._split == "all":
            return range(len(self._dataset))
        if saved:
            indices: Sequence[int] = getattr(division.load_split(saved, self._dataset), self._split)
            return indices
        parts = self.parts(range(len(self._dataset)))
        if not parts:
            indices = getattr(make_split(self._config.split, self._dataset), self._split)
            return indices
        # A new split would deal the images anew, those of the training into the test. What the run does
        # not know, no epoch has seen.
        self._check_split_stays(len(parts))
        return [i for i in range(len(self._dataset)) if parts.get(i, "test") == self._split]

    def _check_split_stays(self, known: int) -> None:
        if changed := _changed(self._trained.plain["split"], self._config.plain["split"]):
            key, value = next(iter(changed.items()))
            reason = f"and {known} of these images have the split of the run, which stays"
            hint = "do not set it, or give other images"
            raise ConfigError(key=f"split.{key}", value=value, reason=reason, hint=hint)

    def parts(self, indices: Sequence[int]) -> dict[int, str]:
        """The part that each image had in the run, for those that it knows; of equal ones the worst."""
        return seen.known_parts(self._saved, self._trained, self._config, self._dataset, indices)

    def own_parts(self, indices: Sequence[int]) -> dict[int, str]:
        """The same by the split of the run alone, whatever its first weights have seen."""
        return seen.own_parts(self._saved, self._trained, self._config, self._dataset, indices)

    def _name(self) -> str:
        trained, config = self._trained.plain, self._config.plain
        one, other = trained["dataset"], config["dataset"]
        split = self._split
        if all(one.get(key) == other.get(key) for key in seen.images_of(other)):
            changes = _changed(one, other)
        else:
            split, changes = f"{self._dataset.name}_{split}_{self._whose()}", {}
        again = _changed(trained["split"], config["split"])
        changes |= {f"split.{key}": value for key, value in again.items()}
        changes |= _other_scores(trained["metrics"], config["metrics"])
        changes |= _changed(trained["eval"], config["eval"])
        before = {**dataclasses.asdict(schema.Predict()), **trained.get("predict", {})}
        changes |= _changed(before, config["predict"])
        return "_".join([split, *([_short(changes)] if changes else [])])

    def _whose(self) -> str:
        """Other images by the name of their folder, and by what they are: two folders may share a name."""
        group = self._config.dataset
        given = group.table if isinstance(group, dataset_schema.Table) else getattr(group, "dir", None)
        place = _plain(Path(given).name.removesuffix(".csv"))[:24] if given else ""
        inputs = [group.image_size, group.resize, group.normalize, *([group.patch] if group.patch else [])]
        facts = (self._dataset.fingerprint(), self._dataset.reading(), tuple(self.indices), inputs)
        return "-".join(filter(None, [place, digest(repr(facts), 6)]))


def _changed(one: Group, other: Group) -> dict[str, Any]:
    """Keys of ``other`` with another value than in ``one``; None for those that it lacks."""
    return {key: other.get(key) for key in (*one, *other) if one.get(key) != other.get(key)}


def _other_scores(own: Group, other: Group) -> dict[str, Any]:
    """What makes a score another one than the run's; more metrics beside the same ones do not."""
    metrics = other.get("own") or {}
    same = all(metrics.get(name) == params for name, params in (own.get("own") or {}).items())
    own, other = (_without_own(group) | ({} if same else _own(group)) for group in (own, other))
    if other.get("name") == "full" != own.get("name"):
        other = {key: value for key, value in other.items() if key in own and key != "name"}
        own = {key: value for key, value in own.items() if key != "name"}
    elif other.get("name") != own.get("name"):  # the run has more, and keeps them
        both = ("threshold", "empty")
        return {"metrics": other.get("name"), **_changed(*({k: m[k] for k in both} for m in (own, other)))}
    return _changed(own, other)


def _without_own(group: Group) -> dict[str, Any]:
    return {key: value for key, value in group.items() if key != "own"}


def _own(group: Group) -> dict[str, Any]:
    """The user's metrics by their dotted keys; one without parameters is just there."""
    own = group.get("own") or {}
    leaves = {f"own.{name}.{key}": value for name, params in own.items() for key, value in params.items()}
    return leaves | {f"own.{name}": True for name, params in own.items() if not params}


def _short(changes: Group) -> str:
    text = "_".join(f"{key}={_plain(value)}" for key, value in changes.items())
    return text if len(text) <= NAME_LENGTH else f"{text[: NAME_LENGTH - 7]}-{digest(text, 6)}"


def _plain(value: Any) -> str:
    """A value as a part of a file's name."""
    if value is None or isinstance(value, bool):
        return {None: "null", False: "false", True: "true"}[value]
    return re.sub(r"[^\w.+-]+", "-", str(value)).strip("-")
