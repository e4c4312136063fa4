"""Scores of the best networks of runs, on their own test split or on images that they never saw."""

import dataclasses
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from dmf_cli import config as configs
from dmf_cli import interrupts, runtime
from dmf_cli.config import schema
from dmf_cli.config.typed import Config
from dmf_cli.datasets.base import Dataset
from dmf_cli.datasets.input import input_profile
from dmf_cli.datasets.input.run_data import output_channels
from dmf_cli.datasets.input_spec import InputSpec
from dmf_cli.datasets.sources import mask_report
from dmf_cli.datasets.splits import division
from dmf_cli.errors import ConfigError
from dmf_cli.figures import examples
from dmf_cli.files import disk_errors
from dmf_cli.hashes import digest
from dmf_cli.inference import choosing, own_scores, tables
from dmf_cli.inference.assignment import Groups, assign
from dmf_cli.inference.class_order import as_trained, trained_classes
from dmf_cli.inference.ensemble import Ensemble, Member
from dmf_cli.inference.evaluation import Evaluation, evaluate
from dmf_cli.inference.prediction import Prediction
from dmf_cli.inference.predictor import Predicted, predictions
from dmf_cli.inference.seen import known_parts
from dmf_cli.inference.selection import Scored
from dmf_cli.metrics import Full, own
from dmf_cli.run_folder import cases, moved, places
from dmf_cli.run_folder.folder import RunFolder

log = logging.getLogger("dmf")


def evaluate_run(path: Path, config: Config, split: str) -> Evaluation:
    """Score a run on ``split`` of the dataset in ``config``; see :func:`evaluate_runs`."""
    return evaluate_runs([path], config, split)


def evaluate_runs(
    paths: Sequence[Path], config: Config, split: str, output: Path | None = None
) -> Evaluation:
    """Score a run, or several as one, on ``split`` of the dataset in ``config``.

    The name of the files is the ``split`` in the settings of the summary, see
    :class:`dmf_cli.inference.selection.Scored`; ``seen`` there counts the images that are no test of the
    networks. Several runs are one ensemble, and each image is scored by those that never saw it, see
    :mod:`dmf_cli.inference.assignment`.

    Args:
        paths: the run folders.
        config: of the first run, possibly with another ``dataset`` group or other ``eval`` settings.
        split: ``train``, ``val``, ``test`` or ``all``.
        output: where ``metrics/`` and ``predictions/`` are written; None: into the run, and of several runs
            to :func:`place`.

    Raises:
        UsageError: not a run, unknown split, a dataset with other channels or classes, or another run as
            ``output``.
    """
    from dmf_cli import datasets

    if output is not None:
        own_scores.check_output(paths, output)
    ensemble, config = Ensemble.of(paths), configs.with_absolute_paths(config)
    first = ensemble.members[0]
    if config.dataset == first.config.dataset:  # before anything slow is imported
        moved.check_place(first.run, config, "eval")
    datasets.check_place(config.dataset)
    files = datasets.open_files(config.dataset)
    runtime.start(config.trainer)
    dataset = files or datasets.open_dataset(config.dataset)
    members = [_at_new_places(member, config, dataset) for member in ensemble.members]
    if config.dataset != members[0].config.dataset:  # the run has seen its own
        spec = InputSpec.of(config.dataset)
        mask_report.check(dataset, spec)
        dataset = as_trained(dataset, trained_classes(first.run, members[0].config))
        if note := input_profile.read(first.run.inputs):
            input_profile.warn_unlike(note, dataset, spec)
    members, lost = _with_split(members)
    asked = [_divided(config, member, dataset, first) for member in members]
    scored = [
        Scored(one.run, one.config, how, dataset, split) for one, how in zip(members, asked, strict=True)
    ]
    for member, one in zip(members, scored, strict=True):
        if not one.knows and any(other.knows for other in scored):
            path = member.run.path
            log.warning("%s was trained on other images: its own test images are not scored", path)
    groups, settings = assign(scored, lost)
    with interrupts.Deferred() as stop:
        return score(
            Ensemble(tuple(members)),
            config,
            dataset,
            groups,
            name=scored[0].name,
            output=output or place(paths),
            settings=settings,
            beside=True,
            progress=stop.check,
        )


def place(paths: Sequence[Path]) -> Path:
    """Where scores go unless the user says: of several runs to a folder of their own in ``ensembles`` beside
    the first, where `outputs/fold_*` does not find it.
    """
    if len(paths) == 1:
        return paths[0]
    runs = [path.resolve() for path in paths]
    whose = digest("\0".join(map(str, runs)), 6)
    return runs[0].parent / "ensembles" / f"{runs[0].name}_and_{len(runs) - 1}_more-{whose}"


def _at_new_places(member: Member, config: Config, dataset: Dataset) -> Member:
    own = moved.at_new_places(member.run, member.config, config, dataset)
    return dataclasses.replace(member, config=own)


def _with_split(members: Sequence[Member]) -> tuple[list[Member], list[Path]]:
    """Those whose ``split.json`` says what they have seen, and the runs of the others; all if none has."""
    known = [member for member in members if member.run.split_file.exists()]
    if not known:
        return list(members), []
    lost = [member.run.path for member in members if member not in known]
    for path in lost:
        log.warning("%s is left out: its split.json is gone, and it may have seen any image", path)
    return known, lost


def _divided(config: Config, member: Member, dataset: Dataset, first: Member) -> Config:
    """``config`` with the split of ``member``, if it knows its images: each fold has one of its own.

    Args:
        config: of the images; its split is that of the first run, or one that the user asks for.
        member: of the ensemble.
        dataset: that of ``config``, opened.
        first: the first run.
    """
    if member.run.path == first.run.path or not member.run.split_file.exists():
        return config
    saved, indices = division.read_split(member.run.split_file), range(len(dataset))
    if config.dataset != member.config.dataset and not known_parts(
        saved, member.config, config, dataset, indices
    ):
        return config
    return config.with_group("split", member.config.plain["split"])


def score(
    ensemble: Ensemble,
    config: Config,
    dataset: Dataset,
    groups: Groups,
    *,
    name: str,
    output: Path,
    settings: dict[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
    beside: bool = False,
) -> Evaluation:
    """Evaluate networks and write ``metrics/NAME_*``, ``predictions/NAME*``.

    Args:
        ensemble: its networks are loaded here, if they are not yet.
        config: of the images and the score.
        dataset: that of ``config``, opened.
        groups: which images, and which members predict them.
        name: of the files.
        output: the run, or a folder for the scores of several.
        settings: what the summary says of the score beside its own settings.
        progress: called with (images done, images) after each image; an exception of it ends the scoring,
            and nothing is written.
        beside: somebody else may train the run meanwhile, whose own scores then stay as they are.

    Raises:
        UsageError: a dataset with other channels or classes.
        CheckpointError: a network is missing or damaged.
    """
    ensemble = ensemble.loaded()
    if beside:
        name = own_scores.kept_apart(ensemble.members[0], name, output)
    spec, metrics = InputSpec.of(config.dataset), config.metrics
    _check_fit(ensemble.network, config, dataset, spec)
    parts = {numbers: Ensemble(tuple(ensemble.members[n] for n in numbers)) for numbers in groups}
    # What is chosen for the mean of all is kept beside its scores; of fewer it would be another each time.
    everyone = tuple(range(len(ensemble.members)))
    ways = {n: one.prediction(config, spec, output if n == everyone else None) for n, one in parts.items()}
    prediction = next((way for way in ways.values() if way.temperature != 1.0), next(iter(ways.values())))

    def source(chosen: Sequence[int]) -> Iterator[Predicted]:
        wanted = set(chosen)
        for numbers, indices in groups.items():
            mine = [i for i in indices if i in wanted]
            way, size = ways[numbers], config.trainer.batch_size
            yield from predictions(parts[numbers].predict, dataset, mine, way, size)

    result = evaluate(
        source,
        dataset,
        [i for indices in groups.values() for i in indices],
        prediction=prediction,
        empty=metrics.empty,
        full=full_options(metrics),
        own=own.of(metrics.own),
        split=name,
        progress=progress,
    )
    own_fields = [name for name in choosing.automatic(config) if _differs(name, list(ways.values()))]
    _say_own(result.summary["settings"], own_fields)
    rule = prediction.rule(len(dataset.classes), own_fields)
    result.summary["settings"] |= (settings or {}) | _said(ensemble, groups, rule)
    if beside:  # the training may have begun, or ended, meanwhile
        name = result.summary["settings"]["split"] = own_scores.kept_apart(ensemble.members[0], name, output)
    folder = RunFolder(output)
    elsewhere = output != ensemble.members[0].run.path  # a run that is moved meanwhile is not made again
    for made in (folder.metrics, folder.predictions):
        places.check_files(made, inner=True)
        with disk_errors(made):
            made.mkdir(parents=elsewhere, exist_ok=True)
    tables.write_metrics(folder.metrics, name, result)
    examples.plot_examples(folder.predictions / f"{name}.png", result.examples, dataset.classes)
    cases.write(folder.predictions / f"{name}_cases", result.cases)
    return result


def _differs(name: str, ways: Sequence[Prediction]) -> bool:
    return len({getattr(way, name) for way in ways}) > 1


def _say_own(settings: dict[str, Any], fields: Sequence[str]) -> None:
    """In place of values of ``fields``, of which each is that of some images only."""
    for name in fields:
        if name in settings.get("predict", {}):
            settings["predict"][name] = "each network's own"
        elif name == "threshold":
            settings["threshold"] = None


def _said(ensemble: Ensemble, groups: Groups, rule: str) -> dict[str, Any]:
    """The members of an ensemble, for the settings of a summary; nothing of a single run."""
    count = len(ensemble.members)
    if count == 1:
        return {}
    sizes = sorted({len(numbers) for numbers in groups})
    which = f"{count} networks, each image by the mean of those that never saw it"
    if sizes in ([1], [count]):
        alone = f"{count} networks, each image by the one that never saw it"
        which = alone if sizes == [1] else f"mean of {count} networks"
    return {"runs": [str(member.run.path) for member in ensemble.members], "rule": f"{which}, {rule}"}


def full_options(metrics: schema.Metrics) -> Full | None:
    """What ``metrics=full`` asks for; None for ``metrics=default``."""
    if not isinstance(metrics, schema.FullMetrics):
        return None
    return Full(**{field.name: getattr(metrics, field.name) for field in dataclasses.fields(Full)})


def _check_fit(network: Any, config: Config, dataset: Dataset, spec: InputSpec) -> None:
    """The network must take the images of ``dataset`` and know its classes."""
    height, width, channels = network.input_shape[1:]
    if channels != dataset.channels:
        reason = f"and the network was trained on images with {channels} channel(s)"
        hint = f"use dataset.channels={channels}"
        raise ConfigError(key="dataset.channels", value=dataset.channels, reason=reason, hint=hint)
    if None not in (height, width) and (height, width) != spec.network_size:
        key = "image_size" if spec.patch is None else "patch"
        size = getattr(config.dataset, key)
        reason = f"and the network was trained at {height}x{width}"
        hint = f"use dataset.{key}=[{height},{width}]"
        raise ConfigError(key=f"dataset.{key}", value=size, reason=reason, hint=hint)
    classes = output_channels(config.model.head, dataset)
    if network.output_shape[-1] != classes:
        what = f"the network predicts {network.output_shape[-1]} classes and {dataset.name} has {classes}"
        hint = "evaluate on a dataset with the same classes"
        raise ConfigError(what, key="dataset.classes", value=list(dataset.classes), hint=hint)
