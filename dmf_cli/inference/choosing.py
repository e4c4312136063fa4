"""What ``auto`` stands for in a prediction: chosen on the validation images of a run, never on its test images.

What was chosen is kept in ``prediction.json`` of the run, under the settings that asked for it.
"""

import dataclasses
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from dmf_cli import metrics
from dmf_cli.config.typed import Config
from dmf_cli.datasets.base import Dataset
from dmf_cli.datasets.input_spec import InputSpec
from dmf_cli.errors import ConfigError
from dmf_cli.files import write_atomic
from dmf_cli.inference.prediction import Predict, Prediction
from dmf_cli.inference.predictor import Predicted, predictions
from dmf_cli.run_folder.folder import RunFolder

log = logging.getLogger("dmf")

AUTO = "auto"
THRESHOLDS = np.arange(5, 100, 5) / 100
Images = tuple[Dataset, Sequence[int]]


def plain(config: Config, spec: InputSpec) -> Prediction:
    """The prediction that ``config`` asks for, with what is the default in place of each ``auto``."""
    group, threshold = config.predict, config.metrics.threshold
    return Prediction(
        spec,
        threshold if isinstance(threshold, float) else 0.5,
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
    predict: Predict,
    validation: Callable[[], Images],
    *,
    fresh: bool = False,
) -> Prediction:
    """The prediction that ``config`` asks for, with what was or is now chosen in place of ``auto``.

    Args:
        run: whose ``prediction.json`` is read and written.
        config: of the run, possibly with other settings of the prediction.
        spec: of the network's inputs.
        predict: the network.
        validation: opens the validation images of the run; called only if something is to be chosen.
        fresh: the network is new: forget what was chosen before.
    """
    prediction, file = plain(config, spec), run.path / "prediction.json"
    known = {} if fresh else read(run)
    if not automatic(config):
        if fresh:
            file.unlink(missing_ok=True)
        return prediction
    key = asked(config)
    if key not in known:
        known[key] = choose(config, prediction, predict, *validation())
        write_atomic(file, json.dumps(known, indent=2, allow_nan=False) + "\n")
        log.info("chosen on the validation images: %s", known[key])
    return dataclasses.replace(prediction, **known[key]["values"])


def read(run: RunFolder) -> dict[str, dict[str, Any]]:
    """What was chosen for a run, by the settings that asked for it; nothing if it cannot be read."""
    try:
        found = json.loads((run.path / "prediction.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def asked(config: Config) -> str:
    """The settings that a choice depends on, in the words of the command line."""
    group = {f"predict.{key}": value for key, value in dataclasses.asdict(config.predict).items()}
    scores = {"metrics.threshold": config.metrics.threshold, "metrics.empty": config.metrics.empty}
    values = {**group, **scores, "eval.resolution": config.eval.resolution}
    return " ".join(f"{key}={str(value).lower()}" for key, value in values.items())


def choose(
    config: Config, prediction: Prediction, predict: Predict, dataset: Dataset, indices: Sequence[int]
) -> dict[str, Any]:
    """``values`` of the fields of ``prediction`` that are ``auto``, and what they were chosen by."""
    if not len(indices):
        wanted = " and ".join(automatic(config))
        what = f"there is no validation image of {dataset.name} to choose the {wanted} by"
        raise ConfigError(what, key="predict", hint="give a value in place of auto")
    values: dict[str, Any] = {}
    for name in automatic(config):
        if name == "threshold" and len(dataset.classes) > 2:
            continue  # the likeliest class decides

        def predicted(prediction: Prediction = prediction) -> Any:
            return predictions(predict, dataset, indices, prediction, config.trainer.batch_size)

        values[name] = _CHOICES[name](predicted, config.metrics.empty)
        prediction = dataclasses.replace(prediction, **{name: values[name]})
    return {"images": len(indices), "values": values}


def _threshold(predicted: Callable[[], Any], empty: str) -> float:
    """The one with the highest mean Dice over the images; of equals the closest to one half."""
    dice = np.array([_dice_by_threshold(one, empty) for one in predicted()])
    means = np.nanmean(dice, axis=0) if not np.isnan(dice).all() else np.zeros(len(THRESHOLDS))
    best = np.flatnonzero(means >= means.max() - 1e-9)
    return float(min(THRESHOLDS[best], key=lambda value: abs(value - 0.5)))


def _dice_by_threshold(one: Predicted, empty: str) -> np.ndarray:
    truth, foreground = one.scored(one.truth > 0), one.scored(one.foreground)
    matrices = [metrics.confusion(truth, foreground >= level, 2) for level in THRESHOLDS]
    counts = metrics.foreground_counts(np.stack(matrices))
    found: np.ndarray = metrics.values(counts, empty=metrics.empty_name(empty))["dice"]
    return found


_CHOICES: Mapping[str, Callable[[Callable[[], Any], str], Any]] = {"threshold": _threshold}
