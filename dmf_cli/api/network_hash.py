"""What decides what a Keras model or layer does: layers, weights and code, without the names of layers.

Keras numbers these names through, so that a network that is built again has others.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

_ENDS = (
    "keras_history",
    "input_layers",
    "output_layers",
)  # where a description refers to a layer by its name


def is_keras(value: Any) -> bool:
    """Whether a class of Keras is among those of ``value``."""
    return any(cls.__module__.partition(".")[0] == "keras" for cls in type(value).__mro__)


def is_network(value: Any) -> bool:
    """Whether it is a layer, such as a model."""
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(value, keras.Layer)


def facts(network: Any) -> tuple[str, list[Any]]:
    """The description of a model or layer without names, and its weights.

    Raises:
        TypeError: it cannot be described; or whatever its layers raise.
    """
    import keras

    described = keras.saving.serialize_keras_object(network)
    described.pop("compile_config", None)  # dmf has an optimizer and a loss of its own
    return json.dumps(_nameless(described, {}), sort_keys=True), list(network.get_weights())


def code(network: Any) -> Iterator[Any]:
    """The classes of its layers, and the functions that these were given."""
    for layer in network._flatten_layers():
        yield type(layer)
        for name, one in vars(layer).items():
            if hasattr(one, "__code__") and not hasattr(type(layer), name):  # Keras wraps methods
                yield one


def _nameless(value: Any, places: Mapping[str, str]) -> Any:
    if isinstance(value, list | tuple):
        return [_nameless(one, places) for one in value]
    if not isinstance(value, dict):
        return value
    if value.get("class_name") == "__lambda__":  # marshalled, with the file and the line: see ``code``
        return "function"
    layers = value.get("layers")
    if isinstance(layers, list):
        names = [one["config"].get("name") for one in layers]
        places = {name: f"layer {number}" for number, name in enumerate(names)}
        value = {**value, "layers": [_layer(one) for one in layers]}
    kept = {key: one for key, one in value.items() if key != "name" or "trainable" not in value}
    return {key: _ends(one, places) if key in _ENDS else _nameless(one, places) for key, one in kept.items()}


def _layer(described: dict[str, Any]) -> dict[str, Any]:
    config = {key: one for key, one in described["config"].items() if key != "name"}
    return {key: config if key == "config" else one for key, one in described.items() if key != "name"}


def _ends(value: Any, places: Mapping[str, str]) -> Any:
    """References to layers by their place in the description."""
    if isinstance(value, dict):
        return {key: _ends(one, places) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_ends(one, places) for one in value]
    return places.get(value, value) if isinstance(value, str) else value
