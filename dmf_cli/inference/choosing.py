"""What ``auto`` stands for in a prediction: chosen on the validation images of a run, never on others.

What was chosen is kept in ``prediction.json`` of the run, under the settings that asked for it.
"""

import dataclasses
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dmf_cli import files, metrics
from dmf_cli.config.typed import Config
from dmf_cli.datasets.base import Dataset
from dmf_cli.datasets.input_spec import InputSpec
from dmf_cli.errors import ConfigError
from dmf_cli.inference import kept_choices
from dmf_cli.inference.calibration import Calibration, ThresholdChoice
from dmf_cli.inference.cleaning import fill_holes, is_better, keep_largest
from dmf_cli.inference.prediction import Prediction
from dmf_cli.inference.predictor import Predicted, predictions
from dmf_cli.inference.tiles import ProbabilitiesOf
from dmf_cli.run_folder.folder import RunFolder

log = logging.getLogger("dmf")

AUTO = "auto"
Images = tuple[Dataset, Sequence[int]]


def plain(config: Config, spec: InputSpec) -> Prediction:
    """The prediction that ``config`` asks for, with what is the default in place of each ``auto``."""
    group, threshold = config.predict, config.metrics.threshold
    return Prediction(
        spec,
        0.5 if threshold == AUTO else float(threshold),
        config.eval.resolution,
        mirror=group.mirror,
        decision=group.decision,
        component="largest" if group.component == "largest" else "all",
        holes="fill" if group.holes == "fill" else "keep",
    )


def automatic(config: Config) -> list[str]:
    """The fields of a :class:`Prediction` that the validation images decide, in the order of their choice."""
    asked = {
        "temperature": config.predict.temperature,
        "threshold": config.metrics.threshold if config.predict.decision == "threshold" else 0.5,
        "component": config.predict.component,
        "holes": config.predict.holes,
    }
    return [name for name, value in asked.items() if value == AUTO]


def of_run(
    run: RunFolder,
    config: Config,
    spec: InputSpec,
    predict: ProbabilitiesOf,
    validation: Callable[[], Images],
    *,
    own: InputSpec | None = None,
    fresh: bool = False,
    content: str | None = None,
) -> Prediction:
    """The prediction that ``config`` asks for, with what was or is now chosen in place of ``auto``.

    Args:
        run: whose ``prediction.json`` is read and written.
        config: of the run, possibly with other settings of the prediction.
        spec: of the network's inputs.
        predict: the network.
        validation: opens the validation images of the run; called only if something is to be chosen.
        own: of the inputs that the run was trained with; None: ``spec``.
        fresh: the network is new: forget what was chosen before.
        content: the hash of the network's file when it was loaded; None: as the file is now.
    """
    if not automatic(config):
        if fresh:
            files.remove(run.path / kept_choices.NAME)
        return plain(config, spec)
    how: dict[str, Any] = {"own": own, "fresh": fresh, "content": content}
    return of_networks([run.best_model], run.path, config, spec, predict, validation, **how)


def of_networks(
    networks: Sequence[Path],
    folder: Path | None,
    config: Config,
    spec: InputSpec,
    predict: ProbabilitiesOf,
    validation: Callable[[], Images],
    *,
    own: InputSpec | None = None,
    fresh: bool = False,
    content: str | None = None,
) -> Prediction:
    """As :func:`of_run`, of one network or of several that predict as one.

    What depends on nothing that has changed is taken from other settings: the temperature of an image is the
    same at every threshold.

    Args:
        networks: their files.
        folder: where ``prediction.json`` is; None: nothing is read or written.
        config: with something ``auto``.
        spec: see :func:`of_run`; so are ``predict``, ``validation``, ``own`` and ``fresh``.
        predict: see ``spec``.
        validation: see ``spec``.
        own: see ``spec``.
        fresh: see ``spec``.
        content: see ``spec``; of one network.
    """
    prediction, key, wanted = plain(config, spec), _key(config, spec, own or spec), automatic(config)
    entries = {} if fresh or folder is None else kept_choices.read(folder)
    network = kept_choices.short(content) if content else kept_choices.network_hash(networks)
    whose = {"network": network, "input": kept_choices.input_of(spec)}
    known = kept_choices.known(entries, key, whose, wanted)
    unknown = set(wanted) - set(known["values"]) - ({"threshold"} if "decided" in known else set())
    if unknown:
        known = choose(config, prediction, predict, *validation(), known=known)
        log.info("chosen on the validation images: %s", known)
        # A training may have put another network there, and keeps what is chosen for that one.
        if folder is not None and kept_choices.network_hash(networks) == whose["network"]:
            kept_choices.write(folder, {**entries, key: {**known, **whose}})
    return dataclasses.replace(prediction, **known["values"])


def read(run: RunFolder) -> dict[str, dict[str, Any]]:
    """What was chosen for a run, by the settings that asked for it; nothing if it cannot be read."""
    return kept_choices.read(run.path)


def _key(config: Config, spec: InputSpec, own: InputSpec) -> str:
    """:func:`asked`, and what differs in the inputs from those of the training."""
    theirs = kept_choices.input_of(own)
    other = {name: value for name, value in kept_choices.input_of(spec).items() if value != theirs[name]}
    words = [f"dataset.{name}={str(value).replace(' ', '').lower()}" for name, value in other.items()]
    return " ".join([asked(config), *words])


def asked(config: Config) -> str:
    """The settings that a choice depends on, in the words of the command line."""
    group = {f"predict.{key}": value for key, value in dataclasses.asdict(config.predict).items()}
    scores = {"metrics.threshold": config.metrics.threshold, "metrics.empty": config.metrics.empty}
    values = {**group, **scores, "eval.resolution": config.eval.resolution}
    return " ".join(f"{key}={str(value).lower()}" for key, value in values.items())


def choose(
    config: Config,
    prediction: Prediction,
    predict: ProbabilitiesOf,
    dataset: Dataset,
    indices: Sequence[int],
    known: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """``values`` of the fields of ``prediction`` that are ``auto``, and what they were chosen by.

    Those in ``values`` of ``known`` stay as they are.
    """
    wanted = automatic(config)
    if not len(indices):
        what = f"there is no validation image of {dataset.name} to choose {' and '.join(wanted)} by"
        raise ConfigError(what, key="predict", hint="give a value in place of auto")

    def predicted(**changes: Any) -> Iterator[Predicted]:
        changed = dataclasses.replace(prediction, **changes)
        return predictions(predict, dataset, indices, changed, config.trainer.batch_size)

    before = known or {"values": {}}
    chosen: dict[str, Any] = {"images": len(indices), "values": dict(before["values"])}
    if "ece" in before:
        chosen["ece"] = before["ece"]
    values, empty = chosen["values"], config.metrics.empty
    wanted = [name for name in wanted if name not in values]
    if "temperature" in wanted:
        pixels = _pixels(predicted(resolution="network"))
        values["temperature"] = pixels.temperature()
        ece = {"before": pixels.ece(), "after": pixels.ece(values["temperature"])}
        # Without a pixel that counts there is none, and JSON has no NaN.
        chosen["ece"] = {when: value if math.isfinite(value) else None for when, value in ece.items()}
    if "threshold" in wanted and len(dataset.classes) == 2:
        values["threshold"] = _threshold(predicted(**values), empty)
    elif "threshold" in wanted:  # there is none to choose
        chosen["decided"] = "likeliest class"
    if {"component", "holes"} & set(wanted):
        # Not cleaned yet: holes are filled in what is kept, also where only one of the two is to be chosen.
        steps = {name: values.get(name, getattr(config.predict, name)) for name in ("component", "holes")}
        raw = predicted(**{**values, "component": "all", "holes": "keep"})
        values |= _cleaning(raw, steps, len(dataset.classes), empty)
    return chosen


def _pixels(images: Iterable[Predicted]) -> Calibration:
    """What is predicted of pixels, as the network sees them, and what they are; not the padding."""
    pixels = Calibration()
    for one in images:
        inside = one.inside
        counted = None if one.counted is None else one.counted[inside]
        pixels.add(one.probabilities[inside], one.truth[inside], counted)
    return pixels


def _threshold(images: Iterable[Predicted], empty: str) -> float:
    choice = ThresholdChoice(empty)
    for one in images:
        choice.add(one.scored(one.foreground), one.scored(one.truth))
    return choice.best()


def _cleaning(
    images: Iterable[Predicted], steps: Mapping[str, str], classes: int, empty: str
) -> dict[str, str]:
    """Whether to keep the largest component, and whether to fill the holes of what is kept then.

    Args:
        images: with masks that are not cleaned.
        steps: ``component`` and ``holes``: ``auto`` where it is to be chosen, else how it is.
        classes: background included.
        empty: the rule for empty masks.
    """
    dice: dict[tuple[bool, bool], list[float]] = {}
    for one in images:
        mask = one.prediction if one.made is None else one.made
        for largest in _options(steps["component"], "largest"):
            kept = keep_largest(mask) if largest else mask
            for filled in _options(steps["holes"], "fill"):
                made = fill_holes(kept) if filled else kept
                dice.setdefault((largest, filled), []).append(_dice(one, made, classes, empty))
    largest, filled = steps["component"] == "largest", steps["holes"] == "fill"
    if steps["component"] == AUTO:
        largest = is_better(dice[False, filled], dice[True, filled])
    if steps["holes"] == AUTO:
        filled = is_better(dice[largest, False], dice[largest, True])
    found = {"component": "largest" if largest else "all", "holes": "fill" if filled else "keep"}
    return {name: value for name, value in found.items() if steps[name] == AUTO}


def _options(value: str, yes: str) -> tuple[bool, ...]:
    return (False, True) if value == AUTO else (value == yes,)


def _dice(one: Predicted, mask: np.ndarray, classes: int, empty: str) -> float:
    """Of a mask of an image: the mean over the classes above 0, by the rule for empty masks."""
    matrix = metrics.confusion(one.scored(one.truth), one.scored(mask), classes)
    dice = metrics.values(metrics.class_counts(matrix[None]), empty=metrics.empty_name(empty))["dice"]
    return float(metrics.mean_over_classes(dice[0, 1:]))
