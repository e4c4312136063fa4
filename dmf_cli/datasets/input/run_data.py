"""The data of a run: an opened dataset, its split, and the decoded training and validation images."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dmf_cli import datasets
from dmf_cli.config import schema
from dmf_cli.config.typed import Config
from dmf_cli.datasets.base import IGNORED, Dataset, lesion_share
from dmf_cli.datasets.finding import Finding
from dmf_cli.datasets.input import input_profile, keeping, patches
from dmf_cli.datasets.input.order import lesion_weights, steps_per_epoch
from dmf_cli.datasets.input.prepared import InputPart
from dmf_cli.datasets.input_spec import InputSpec
from dmf_cli.datasets.sources import image_report, mask_report
from dmf_cli.datasets.sources.survey import Survey, survey
from dmf_cli.datasets.splits import division, units
from dmf_cli.errors import ConfigError, DatasetError

NO_LESION = "normal"  # the stratum of the phantoms without one


@dataclasses.dataclass(frozen=True)
class Data:
    """Everything that training and evaluation read."""

    dataset: Dataset
    split: division.Split
    channels: int  # of the network's output: 1 (sigmoid) or the number of classes
    train: InputPart
    val: InputPart
    note: str = ""  # for the log: where the decoded images are kept, and what is doubtful about files
    patch: tuple[int, int] | None = None  # (height, width) that the network takes of them; None: all

    @property
    def shape(self) -> tuple[int, ...]:
        """``(h, w, C)`` of what the network takes."""
        return (*(self.patch or self.train.shape[:2]), *self.train.shape[2:])

    def part(self, name: str) -> tuple[int, ...]:
        """Indices of ``train``, ``val``, ``test`` or ``all``."""
        parts = {n: getattr(self.split, n) for n in ("train", "val", "test")}
        return tuple(range(len(self.dataset))) if name == "all" else parts[name]

    def probe(self) -> np.ndarray:
        """Targets of the first training images that together hold every class of the training split.

        Raises:
            DatasetError: there is background only, or no background: nothing can be learned from that.
        """
        rows: dict[int, int] = {}
        for row, label in enumerate(self.train.each_label()):
            rows = dict.fromkeys(np.unique(label[label != IGNORED]).tolist(), row) | rows
            if len(rows) == len(self.dataset.classes):
                break
        if len(rows) < 2:
            masks = f"the masks of all {len(self.split.train)} training images"
            if not rows:
                what = f"{masks} hold nothing but pixels that dataset.ignore excludes"
                raise DatasetError(what, key="dataset.ignore", hint="check dataset.ignore")
            raise DatasetError(
                f"{masks} are {self.dataset.classes[next(iter(rows))]} and nothing else",
                key="dataset.masks",
                hint="look at them by `dmf data show`; check dataset.masks, dataset.threshold and "
                "dataset.values",
            )
        chosen = self._holding(rows)
        chosen = np.where(chosen == IGNORED, 0, chosen)  # labels that losses can be tried with
        if self.channels == 1:
            return (chosen > 0).astype("float32")[..., None]
        return np.take(np.eye(self.channels, dtype="float32"), chosen, axis=0)

    def _holding(self, rows: Mapping[int, int]) -> np.ndarray:
        """Labels of the images ``rows``, by the class for which they were chosen; or patches that hold it."""
        if self.patch is None:
            return self.train.rows(np.array(sorted(set(rows.values()))))[1]
        labels = {value: self.train.rows(np.array([row]))[1][0] for value, row in rows.items()}
        places = {value: int(np.argmax(label == value)) for value, label in labels.items()}
        corners = {value: patches.around(places[value], labels[value].shape, self.patch) for value in rows}
        return np.stack([patches.cut(labels[value], corners[value], self.patch) for value in rows])

    def warnings(self, monitor: str) -> list[str]:
        """What each part of the images lacks of the classes, and what follows from that, in words."""
        tested = (self.dataset.label(index) for index in self.split.test)
        trained, validated = self.train.each_label(), self.val.each_label()
        lines = []
        if lacking := self._lacking(trained):
            lines.append(f"no training image holds {_listed(lacking)}: that cannot be learned")
        if lacking := self._lacking(validated):
            said = f"no validation image holds {_listed(lacking)}: its validation Dice is undefined"
            chosen = monitor.endswith("_dice") and len(lacking) == len(self.dataset.classes) - 1
            lines.append(said + (", so that val_objective chooses the best epoch" if chosen else ""))
        if lacking := self._lacking(tested):
            lines.append(f"no test image holds {_listed(lacking)}: its scores are undefined")
        return lines

    def _lacking(self, labels: Iterable[np.ndarray]) -> list[str]:
        """The classes above the background that none of ``labels`` holds; mostly a few of them suffice."""
        known = dict(enumerate(self.dataset.classes[1:], start=1))
        for label in labels:
            for value in np.unique(label).tolist():
                known.pop(value, None)
            if not known:
                break
        return list(known.values())

    def weights(self, strength: float) -> np.ndarray | None:
        """How often each training image comes under ``trainer.oversample``; None: once an epoch."""
        if not strength:
            return None
        shares = [lesion_share(label) for label in self.train.each_label()]
        return lesion_weights(np.array(shares), strength)


def _listed(names: Sequence[str]) -> str:
    return " or ".join(names)


def open_data(config: Config, split_file: Path | None = None, dataset: Dataset | None = None) -> Data:
    """Open, split and decode the data that ``config`` names.

    Args:
        config: the whole config.
        split_file: the split of a run that is resumed, whose images must be the same still; else the one of
            ``split.file``, else a new one.
        dataset: the dataset of ``config``, if it is open already.

    Raises:
        DatasetError: for anything that is wrong with the images, naming the file.
    """
    dataset, spec = dataset or datasets.open_dataset(config.dataset), InputSpec.of(config.dataset)
    said = [f"excluded: {why}" for why in dataset.unusable.values()]  # as was said when it was opened
    remarks = dataset.remarks()
    if not dataset.synthetic:
        wanted = not split_file and _needs_pairs(config.split, dataset)
        remarks += image_report.turned(dataset.ids, survey(dataset, spec, alike=wanted).facts)
    said += image_report.warn(remarks)
    said += mask_report.check(dataset, spec)
    channels = output_channels(config.model.head, dataset)
    if split_file:
        split = division.load_split(split_file, dataset, same_content=True)
    else:
        split = make_split(config.split, dataset)
    said += _warn_of_groups(dataset, split)
    steps_per_epoch(len(split.train), config.trainer.batch_size)
    indices = {"train": split.train, "val": split.val, "test": split.test}
    parts, note = keeping.open_parts(dataset, indices, config.trainer.cache, spec, config.dataset)
    said += image_report.warn(input_profile.dark(parts["train"], spec.normalize))
    lines = "\n".join([note, *said])
    return Data(dataset, split, channels, parts["train"], parts["val"], lines, spec.patch)


def _warn_of_groups(dataset: Dataset, split: division.Split) -> list[str]:
    """Patients on several sides of a split that the dataset brings with it, which nothing can mend."""
    groups = division.parted(dataset, split) if dataset.parts is not None else {}
    if not groups:
        return []
    group, parts = next(iter(groups.items()))
    text = (
        f"{len(groups)} of {len(set(dataset.groups or ()))} groups, such as patients, are in several parts "
        f"of the split of {dataset.name} (first {group}, in {' and '.join(parts)}): correct it, or divide "
        "all images anew by dataset.parts=pool"
    )
    return image_report.warn([Finding("leak", (), text)])


def make_split(
    group: schema.Split, dataset: Dataset, saved: Path | None = None, found: Survey | None = None
) -> division.Split:
    """The split that the ``split`` group asks for; every part holds at least one image.

    Args:
        group: the group.
        dataset: the images.
        saved: a split file to use in place of what ``group`` says.
        found: what is known of the images; None looks at them, where ``group`` needs that.
    """
    file = saved or (Path(group.file) if group.file else None)
    if file:
        return division.load_split(file, dataset)
    if dataset.parts is not None:
        return division.own_split(dataset, group.folds)
    keys = ("seed", "fractions", "stratify", "folds", "fold")
    known = _known(group, dataset, found) if group.leak_free else {}
    return division.make_split(dataset, **{key: getattr(group, key) for key in keys}, **known)


def _needs_pairs(group: schema.Split, dataset: Dataset) -> bool:
    """Whether a new split looks for near-duplicates."""
    new = not group.file and dataset.parts is None and group.leak_free
    return new and group.similarity is not None


def _known(group: schema.Split, dataset: Dataset, found: Survey | None) -> dict[str, Any]:
    """What belongs together, how large lesions are and of which classes, for a split that does not leak."""
    similarity, classes = group.similarity, group.sizes
    if dataset.synthetic:  # its strata say which lesions there are
        lesions = [() if stratum == NO_LESION else (stratum,) for stratum in dataset.strata]
        return {"links": units.links_of(dataset), "holds": lesions}
    from dmf_cli.datasets.splits import near_duplicates  # SciPy, which a plain split does without

    found = found or survey(dataset, alike=similarity is not None)
    found.refuse()
    similar = [(p.first, p.second) for p in near_duplicates.similar(dataset, found, similarity)]
    sizes = units.size_classes(dataset, [label.area for label in found.labels], classes)
    holds = [label.classes for label in found.labels]
    return {"links": units.links_of(dataset, similar), "sizes": sizes, "holds": holds}


def output_channels(head: str, dataset: Dataset) -> int:
    """1 for a sigmoid head, else the number of classes."""
    if head == "sigmoid" and len(dataset.classes) > 2:
        reason = f"which has one foreground class, and {dataset.name} has {len(dataset.classes) - 1}"
        raise ConfigError(key="model.head", value=head, reason=reason, hint="use model.head=softmax")
    return 1 if head == "sigmoid" else len(dataset.classes)
