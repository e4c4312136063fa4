"""The arguments of a fused model as plain data, for a `.keras` file, and back."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras

from dmf_cli import losses, weighting
from dmf_cli.fusion.auxiliary import Auxiliary
from dmf_cli.fusion.targets import Loss


def to_config(
    network: keras.Model,
    terms: Mapping[str, Loss],
    strategy: weighting.Strategy,
    auxiliary: tuple[Auxiliary | None, Loss | None],
) -> dict[str, Any]:
    """The config of a network, its loss terms, their weighting, and the auxiliary loss with its function."""
    fading, function = auxiliary
    written = None
    if fading is not None and function is not None:
        written = dataclasses.asdict(dataclasses.replace(fading, loss=""))
        written["loss"] = losses.serialize(function)
    return {
        "network": keras.saving.serialize_keras_object(network),
        "terms": {name: losses.serialize(loss) for name, loss in terms.items()},
        "weighting": {"name": strategy.name, **strategy.get_config()},
        "auxiliary": written,
    }


def from_config(config: Mapping[str, Any], custom_objects: Any = None) -> dict[str, Any]:
    """``config`` with the objects that :func:`to_config` wrote in their places."""
    auxiliary = config["auxiliary"]
    if auxiliary:
        auxiliary = Auxiliary(**{**auxiliary, "loss": losses.deserialize(auxiliary["loss"])})
    return {
        **config,
        "network": keras.saving.deserialize_keras_object(config["network"], custom_objects),
        "terms": {name: losses.deserialize(loss) for name, loss in config["terms"].items()},
        "weighting": weighting.get(**config["weighting"]),
        "auxiliary": auxiliary,
    }
