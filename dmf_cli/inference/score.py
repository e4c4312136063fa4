"""Scores of a run's best network, on its own test split or on images that it never saw."""

import contextlib
import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

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
from dmf_cli.inference import choosing, tables
from dmf_cli.inference.class_order import as_trained, trained_classes
from dmf_cli.inference.evaluation import Evaluation, evaluate
from dmf_cli.inference.network_file import load_network as load_network
from dmf_cli.inference.predict_files import check_channels
from dmf_cli.inference.prediction import Predict, Prediction
from dmf_cli.inference.selection import Scored
from dmf_cli.metrics import Full, own
from dmf_cli.run_folder import cases, moved, stored_config
from dmf_cli.run_folder.folder import RunFolder


def evaluate_run(path: Path, config: Config, split: str) -> Evaluation:
    """Score a run on ``split`` of the dataset in ``config``; tables go to its ``metrics/``.

    The name of the files is the ``split`` in the settings of the summary, see
    :class:`dmf_cli.inference.selection.Scored`; ``seen`` there counts the images that are no test of the
    network.

    Args:
        path: the run folder.
        config: the run's config, possibly with another ``dataset`` group or other ``eval`` settings.
        split: ``train``, ``val``, ``test`` or ``all``.

    Raises:
        UsageError: not a run, unknown split, or a dataset with other channels or classes.
    """
    from dmf_cli import datasets

    run = RunFolder.open(path)
    trained, config = (
        configs.with_absolute_paths(one)
        for one in (configs.completed(stored_config.load_run(run.path)), config)
    )
    if config.dataset == trained.dataset:  # before anything slow is imported
        moved.check_place(run, config, "eval")
    datasets.check_place(config.dataset)
    runtime.start(config.trainer)
    dataset = datasets.open_dataset(config.dataset)
    own = moved.at_new_places(run, trained, config, dataset)
    if config.dataset != own.dataset:  # the run has seen its own
        spec = InputSpec.of(config.dataset)
        mask_report.check(dataset, spec)
        dataset = as_trained(dataset, trained_classes(run, own))
        if note := input_profile.read(run.inputs):
            input_profile.warn_unlike(note, dataset, spec)
    scored = Scored(run, own, config, dataset, split)
    with interrupts.Deferred() as stop:
        return score(
            run,
            config,
            dataset,
            scored.indices,
            name=scored.name,
            validation=lambda: validation_images(run, own),
            settings=scored.settings,
            progress=stop.check,
        )


def score(
    run: RunFolder,
    config: Config,
    dataset: Dataset,
    indices: Sequence[int],
    *,
    name: str,
    validation: Callable[[], choosing.Images],
    fresh: bool = False,
    settings: dict[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Evaluate the best network of ``run`` and write ``metrics/NAME_*``, ``predictions/NAME*``.

    Args:
        run: the run.
        config: of the network, the images and the score.
        dataset: that of ``config``, opened.
        indices: which images.
        name: of the files.
        validation: opens the validation images of the run, for what the prediction leaves to them (``auto``).
        fresh: the network is new: what was chosen before is forgotten.
        settings: what the summary says of the score beside its own settings.
        progress: called with (images done, images) after each image; an exception of it ends the scoring,
            and nothing is written.

    Raises:
        UsageError: a dataset with other channels or classes.
        CheckpointError: there is no network, or a damaged one.
    """
    network = load_network(run.best_model)
    spec, metrics = InputSpec.of(config.dataset), config.metrics
    _check_fit(network, config, dataset, spec)
    predict = predictor(network)
    result = evaluate(
        predict,
        dataset,
        indices,
        prediction=choosing.of_run(run, config, spec, predict, validation, fresh=fresh),
        batch_size=config.trainer.batch_size,
        empty=metrics.empty,
        full=full_options(metrics),
        own=own.of(metrics.own),
        split=name,
        progress=progress,
    )
    result.summary["settings"] |= settings or {}
    tables.write_metrics(run.metrics, name, result)
    examples.plot_examples(run.predictions / f"{name}.png", result.examples, dataset.classes)
    cases.write(run.predictions / f"{name}_cases", result.cases)
    return result


def validation_images(run: RunFolder, config: Config) -> choosing.Images:
    """The validation images of a run.

    Args:
        run: the run.
        config: its own config.

    Raises:
        DatasetError: its images or its ``split.json`` are gone, or not as they were.
    """
    from dmf_cli import datasets

    dataset = datasets.open_dataset(config.dataset)
    return dataset, division.load_split(run.split_file, dataset).val


def full_options(metrics: schema.Metrics) -> Full | None:
    """What ``metrics=full`` asks for; None for ``metrics=default``."""
    if not isinstance(metrics, schema.FullMetrics):
        return None
    return Full(**{field.name: getattr(metrics, field.name) for field in dataclasses.fields(Full)})


def prediction(path: Path, config: Config, threshold: float | None) -> tuple[Predict, dict[str, Any]]:
    """The best network of a run as a function, and how :func:`dmf_cli.inference.predict_files.predict_files`
    uses it.

    Args:
        path: the run folder.
        config: its config.
        threshold: of the foreground's probability, or None for that of the run.
    """
    run = RunFolder.open(path)
    config = with_threshold(config, threshold)  # what is wrong with it is said before Keras is imported
    runtime.start(config.trainer)
    network = load_network(run.best_model)
    check_channels(network.input_shape[-1])
    return predictor(network), {
        "prediction": prediction_of(run, config, network),
        "classes": class_names(run, config, max(2, network.output_shape[-1])),
        "batch_size": config.trainer.batch_size,
        "spacing": config.dataset.spacing if isinstance(config.dataset, schema.Paired) else None,
        "trained": input_profile.read(run.inputs),
    }


def with_threshold(config: Config, threshold: float | None = None) -> Config:
    """``config`` with another threshold unless it is None; masks have the size of the images.

    Raises:
        ConfigError: it is not between 0 and 1.
    """
    changed = config if threshold is None else config.changed("metrics", threshold=threshold)
    changed = changed.changed("eval", resolution="original")
    choosing.plain(changed, InputSpec.of(changed.dataset))
    return changed


def prediction_of(run: RunFolder, config: Config, network: Any) -> Prediction:
    """How the ``network`` of a run predicts images that belong to no dataset, by ``config``."""
    spec = dataclasses.replace(InputSpec.of(config.dataset), channels=network.input_shape[-1])
    own = configs.with_absolute_paths(configs.completed(stored_config.load_run(run.path)))
    return choosing.of_run(run, config, spec, predictor(network), lambda: validation_images(run, own))


def class_names(run: RunFolder, config: Config, count: int) -> list[str]:
    """Names of ``count`` classes: of the config, or of the run's scores where a dataset names its own."""
    known = list(config.dataset.classes) if isinstance(config.dataset, schema.Labelled) else []
    if len(known) != count:
        with contextlib.suppress(OSError, ValueError, KeyError):
            known = list(json.loads((run.metrics / "test_summary.json").read_text())["classes"])
    if len(known) == count:
        return known
    return ["background", "lesion"] if count == 2 else [f"class_{c}" for c in range(count)]


def predictor(network: Any) -> Callable[[np.ndarray], np.ndarray]:
    """``(batch, h, w, channels) -> probabilities``."""

    def predict(images: np.ndarray) -> np.ndarray:
        return np.asarray(network.predict_on_batch(images))

    return predict


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
