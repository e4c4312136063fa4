"""``model.weights``: a network begins with the weights of another run, as far as its layers are the same."""

import difflib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dmf_cli.errors import ConfigError
from dmf_cli.run_folder import weights

log = logging.getLogger("dmf")
NAMED = 4  # layers that do not fit, in the line about them; the log has all


def start_from(network: Any, source: str | Path) -> str:
    """Give ``network`` the weights of ``source`` where layers fit; returns one line about it.

    Layers are matched in their order, by kind and shape of their weights; the rest keep their own
    initial values and are named.

    Raises:
        ConfigError: there is nothing to load, or no layer fits.
        CheckpointError: the file cannot be read.
    """
    from dmf_cli.inference.network_file import load_network

    file = weights.weights_file(source)
    theirs, ours = _weighted(load_network(file)), _weighted(network)
    fitting = _matches(theirs, ours)
    if not fitting:
        raise ConfigError(
            key="model.weights",
            value=source,
            reason="of which no layer fits a layer of this network",
            hint="train with the same model",
        )
    for there, here in fitting:
        ours[here].set_weights(theirs[there].get_weights())
    left = [ours[i] for i in range(len(ours)) if i not in {here for _, here in fitting}]
    for layer in left:
        log.warning("%s keeps its initial weights: nothing in %s fits", _described(layer), file)
    return _line(source, len(fitting), len(ours), left)


def _line(source: str | Path, fitting: int, count: int, left: Sequence[Any]) -> str:
    first = ", ".join(_described(layer) for layer in left[:NAMED])
    more = f" and {len(left) - NAMED} more" if len(left) > NAMED else ""
    return f"{fitting} of {count} layers from {source}" + (f"; not fitting: {first}{more}" if left else "")


def _weighted(network: Any) -> list[Any]:
    return [layer for layer in network._flatten_layers(include_self=False, recursive=True) if _own(layer)]


def _own(layer: Any) -> bool:
    """Whether the weights are those of the layer itself and not of layers inside it."""
    inside = [one for one in layer._flatten_layers(include_self=False, recursive=True) if one.weights]
    return bool(layer.weights) and not inside


def _shapes(layer: Any) -> tuple[Any, ...]:
    return type(layer).__name__, *(tuple(variable.shape) for variable in layer.weights)


def _matches(theirs: Sequence[Any], ours: Sequence[Any]) -> list[tuple[int, int]]:
    """Pairs of indices: one by one where both have the same kinds of layers, else the longest common runs."""
    if [type(one) for one in theirs] == [type(one) for one in ours]:
        return [(i, i) for i in range(len(ours)) if _shapes(theirs[i]) == _shapes(ours[i])]
    matcher = difflib.SequenceMatcher(None, [*map(_shapes, theirs)], [*map(_shapes, ours)], autojunk=False)
    blocks = matcher.get_matching_blocks()
    return [(block.a + i, block.b + i) for block in blocks for i in range(block.size)]


def _described(layer: Any) -> str:
    kernel = max(layer.weights, key=lambda variable: int(variable.ndim))
    return f"{layer.name} ({'x'.join(map(str, kernel.shape))})"
