"""The best networks of one or several runs, which predict together: the mean of their probabilities."""

import contextlib
import dataclasses
import functools
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dmf_cli import bounded, runtime
from dmf_cli import config as configs
from dmf_cli.config import dataset_schema
from dmf_cli.config.typed import Config
from dmf_cli.datasets.input import input_profile
from dmf_cli.datasets.input_spec import InputSpec
from dmf_cli.datasets.splits import division
from dmf_cli.errors import ConfigError, DatasetError
from dmf_cli.inference import choosing, network_file
from dmf_cli.inference.class_order import trained_classes
from dmf_cli.inference.predict_files import check_channels
from dmf_cli.inference.prediction import Prediction
from dmf_cli.inference.seen import own_parts
from dmf_cli.inference.tiles import ProbabilitiesOf
from dmf_cli.run_folder import stored_config
from dmf_cli.run_folder.folder import RunFolder

log = logging.getLogger("dmf")

AGREE = "the networks of an ensemble need the same inputs and classes"


@dataclasses.dataclass(frozen=True)
class Member:
    """A run and its best network, once it is loaded.

    Args:
        run: the run.
        config: its own, with all keys and absolute paths.
        network: takes ``(batch, h, w, C)`` and gives probabilities ``(batch, h, w, K)``; None: not loaded.
        content: the hash of the network's file, once it is loaded.
        fresh: it was trained just now: what was chosen for the run before is forgotten.
        images: its validation images, where they are open already.
    """

    run: RunFolder
    config: Config
    network: Any = None
    content: str | None = None
    fresh: bool = False
    images: choosing.Images | None = None

    @classmethod
    def of(cls, path: Path) -> "Member":
        """The run in the folder ``path``, whose network is not loaded yet."""
        run = RunFolder.open(path)
        stored = configs.completed(stored_config.load_checked(run.path))
        return cls(run, configs.with_absolute_paths(stored))

    def loaded(self) -> "Member":
        """The same with its network."""
        if self.network is not None:
            return self
        network, content = network_file.load(self.run.best_model)
        return dataclasses.replace(self, network=network, content=content)

    def predict(self, images: np.ndarray) -> np.ndarray:
        """``(batch, h, w, C) -> probabilities``."""
        return np.asarray(self.network.predict_on_batch(images))

    def validation(self, spec: InputSpec | None = None) -> choosing.Images:
        """Its validation images.

        Args:
            spec: values in its ``range`` are black and white; None: those of the run.

        Raises:
            DatasetError: its images or its ``split.json`` are gone, or not as they were.
        """
        from dmf_cli import datasets

        group = self.config.dataset
        limits = spec.reading.limits if spec else InputSpec.of(group).reading.limits
        if isinstance(group, dataset_schema.Labelled) and InputSpec.of(group).reading.limits != limits:
            group = dataclasses.replace(group, range=limits)
        elif self.images is not None:
            return self.images
        dataset = datasets.open_dataset(group)
        return dataset, division.load_split(self.run.split_file, dataset).val

    def prediction(self, config: Config, spec: InputSpec) -> Prediction:
        """How it predicts by the settings of ``config``; what is ``auto`` is chosen on its own images."""
        own, images = InputSpec.of(self.config.dataset), functools.partial(self.validation, spec)
        how: dict[str, Any] = {"own": own, "fresh": self.fresh, "content": self.content}
        return choosing.of_run(self.run, config, spec, self.predict, images, **how)


@dataclasses.dataclass(frozen=True)
class Ensemble:
    """Runs whose networks are averaged; of one run, that network.

    Args:
        members: the first says how images are read and, unless other settings are given, how masks are made.
    """

    members: tuple[Member, ...]

    @classmethod
    def of(cls, paths: Sequence[Path]) -> "Ensemble":
        """The runs in ``paths``, whose networks are not loaded yet.

        Raises:
            UsageError: no run, a run twice, or runs of different inputs or classes.
        """
        made = cls(tuple(Member.of(path) for path in paths))
        for number, member in enumerate(made.members[1:], start=1):
            _check_alike(made.members[0], member)
            if any(member.run.path.samefile(one.run.path) for one in made.members[:number]):
                raise ConfigError(f"{member.run.path} is given twice", key="RUN", hint="omit one of them")
        return made

    def loaded(self) -> "Ensemble":
        """The same with its networks.

        Raises:
            CheckpointError: a network is missing or damaged.
            ConfigError: they give different numbers of classes.
        """
        made = Ensemble(tuple(member.loaded() for member in self.members))
        shapes = [(one.network.input_shape[-1], one.network.output_shape[-1]) for one in made.members]
        for member, shape in zip(made.members, shapes, strict=True):
            if shape != shapes[0]:
                words = "takes {} channel(s) and gives {} of probabilities"
                what = f"{member.run.path} {words.format(*shape)}, {made.path} {words.format(*shapes[0])}"
                raise ConfigError(what, key="RUN", hint=AGREE)
        return made

    @property
    def path(self) -> Path:
        """The folder of the first run."""
        return self.members[0].run.path

    @property
    def network(self) -> Any:
        """That of the first run; the others take and give arrays of the same shape."""
        return self.members[0].network

    @property
    def predict(self) -> ProbabilitiesOf:
        """The mean of what the members give."""
        if len(self.members) == 1:
            return self.members[0].predict

        def mean(images: np.ndarray) -> np.ndarray:
            total = np.sum([member.predict(images).astype(np.float32) for member in self.members], axis=0)
            return np.asarray(total / np.float32(len(self.members)), np.float32)

        return mean

    def prediction(
        self, config: Config, spec: InputSpec | None = None, folder: Path | None = None
    ) -> Prediction:
        """How it predicts by the settings of ``config``.

        The mean of networks is less sure than each of them, so what is ``auto`` is chosen for the mean: on
        images that are validation images of all. Where there are none, see :func:`combined`.

        Args:
            config: with settings of the prediction.
            spec: of the inputs; None: of images that belong to no dataset, as the first run reads them.
            folder: where that of several networks is kept; None: nowhere. That of one is kept in its run.
        """
        own = InputSpec.of(self.members[0].config.dataset)
        spec = spec or dataclasses.replace(own, channels=self.network.input_shape[-1])
        if len(self.members) == 1:
            return self.members[0].prediction(config, spec)
        if not choosing.automatic(config):
            return choosing.plain(config, spec)
        images = self._validation(spec)
        if images is None or not images[1]:
            return combined([member.prediction(config, spec) for member in self.members])
        files = [member.run.best_model for member in self.members]
        return choosing.of_networks(files, folder, config, spec, self.predict, lambda: images, own=own)

    def _validation(self, spec: InputSpec) -> choosing.Images | None:
        """The images that are validation images of all members; None if it cannot be known."""
        first, *others = self.members
        try:
            dataset, indices = first.validation(spec)
            for one in others:
                saved = division.read_split(one.run.split_file)
                parts = own_parts(saved, one.config, first.config, dataset, indices)
                indices = [i for i in indices if parts.get(i) == "val"]
        except DatasetError as error:
            log.warning("%s; so nothing is chosen for the mean of the networks", error)
            return None
        return dataset, indices

    def class_names(self) -> list[str]:
        """Of the masks, background first."""
        first = self.members[0]
        return class_names(first.run, first.config, max(2, self.network.output_shape[-1]))


def combined(predictions: Sequence[Prediction]) -> Prediction:
    """One prediction of those of several networks, which differ in what ``auto`` has chosen at most.

    The mean of the thresholds, and cleaning that most have chosen. There is no temperature: each is that of
    one network, and the mean of several is less sure already.
    """
    first, *others = predictions
    if not others:
        return first
    most: dict[str, Any] = {}
    for name in ("component", "holes"):
        found = [getattr(one, name) for one in predictions]
        plain = getattr(Prediction(first.spec), name)
        other = next((value for value in found if value != plain), plain)
        most[name] = other if 2 * found.count(other) > len(found) else plain
    threshold = float(np.mean([one.threshold for one in predictions]))
    return dataclasses.replace(first, threshold=threshold, temperature=1.0, **most)


def for_images(config: Config, threshold: float | None = None) -> Config:
    """``config`` for masks of the size of the images, with another threshold unless it is None.

    Raises:
        ConfigError: it is not between 0 and 1, or masks are made without one.
    """
    if threshold is not None and config.predict.decision != "threshold":
        reason = f"and predict.decision is {config.predict.decision}, which has no threshold"
        hint = "omit it, or set predict.decision=threshold too"
        raise ConfigError(key="metrics.threshold", value=threshold, reason=reason, hint=hint)
    changed = config if threshold is None else config.changed("metrics", threshold=threshold)
    changed = changed.changed("eval", resolution="original")
    choosing.plain(changed, InputSpec.of(changed.dataset))
    return changed


def for_files(paths: Sequence[Path], config: Config) -> tuple[ProbabilitiesOf, dict[str, Any]]:
    """The networks as one function, and how :func:`dmf_cli.inference.predict_files.predict_files` uses it.

    Args:
        paths: of the runs.
        config: of the first, of :func:`for_images`.
    """
    ensemble = Ensemble.of(paths)
    runtime.start(config.trainer)
    ensemble = ensemble.loaded()
    check_channels(ensemble.network.input_shape[-1])
    return ensemble.predict, {
        "prediction": ensemble.prediction(config),
        "classes": ensemble.class_names(),
        "batch_size": config.trainer.batch_size,
        "spacing": config.dataset.spacing if isinstance(config.dataset, dataset_schema.Paired) else None,
        "trained": input_profile.read(ensemble.members[0].run.inputs),
    }


def class_names(run: RunFolder, config: Config, count: int) -> list[str]:
    """Names of ``count`` classes: of the config, or of the run's scores where a dataset names its own."""
    known = list(config.dataset.classes) if isinstance(config.dataset, dataset_schema.Labelled) else []
    if len(known) != count:
        with contextlib.suppress(OSError, ValueError, KeyError):
            scores = bounded.read_json(run.metrics / "test_summary.json", most=bounded.MOST_SCORES)
            known = list(scores["classes"])
    if len(known) == count:
        return known
    return ["background", "lesion"] if count == 2 else [f"class_{c}" for c in range(count)]


def _check_alike(one: Member, other: Member) -> None:
    """Both take the same inputs and know the same classes."""
    specs = [InputSpec.of(member.config.dataset) for member in (one, other)]
    for field in dataclasses.fields(InputSpec):
        mine, theirs = (getattr(spec, field.name) for spec in specs)
        if mine != theirs and field.name != "reading":
            name = "image_size" if field.name == "size" else field.name
            _differ(one, other, f"dataset.{name}", mine, theirs)
    if specs[0].reading.limits != specs[1].reading.limits:
        _differ(one, other, "dataset.range", *(spec.reading.limits for spec in specs))
    classes = [trained_classes(member.run, member.config) for member in (one, other)]
    if None not in classes and list(classes[0] or ()) != list(classes[1] or ()):
        _differ(one, other, "dataset.classes", *classes)


def _differ(one: Member, other: Member, key: str, mine: Any, theirs: Any) -> None:
    what = f"{key} of {other.run.path} is {theirs} and that of {one.run.path} is {mine}"
    raise ConfigError(what, key=key, value=theirs, hint=AGREE)
