"""Deep supervision: the fused loss at coarser scales too, on maps that the network has anyway.

The map of scale i is the one nearest to the end of the network's graph whose sides are ceil(side / 2^i),
among those of the decoder: maps of several channels that a layer enlarges, so no skip and no gate of
attention. Its own 1x1 head makes probabilities of it, in training only: the network does not change.
Labels are those of the pixel in the middle of each cell of 2^i pixels. The losses of the
scales are summed with weights 1 / 2^i that sum to 1 (nnU-Net; Isensee et al., Nat. Methods 18 (2021) 203).
"""

import dataclasses
import math
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Literal

import keras
import numpy as np
from keras import layers, ops

from dmf_cli.errors import ConfigError
from dmf_cli.fusion.targets import Targets

Tensor = Any
PADDINGS = (layers.ZeroPadding1D, layers.ZeroPadding2D, layers.ZeroPadding3D)  # larger, and no finer
MAPS = "decoder maps of half its size, a quarter, and so on: one of a U-Net's kind"


class Scales:
    """The coarser scales of a network. It is no layer, so that nothing of the network is saved twice.

    Args:
        network: a functional model with known sides.
        wanted: how many coarser scales; ``"auto"``: all of the decoder but its coarsest, as nnU-Net does, and
            at least one.

    Attributes:
        trunk: the network with its maps as further outputs, the largest first.
        weights: of the full scale, then of each coarser one.

    Raises:
        ConfigError: the network has fewer such maps, or no known size.
    """

    def __init__(self, network: keras.Model, wanted: int | Literal["auto"]) -> None:
        maps = _maps(network, wanted)
        # The last one is the bottom, and the one before it the coarsest of the decoder.
        count = max(1, len(maps) - 2) if wanted == "auto" else wanted
        if count > len(maps):
            most = f"at most {len(maps)}" if maps else "0"
            has = f"{len(maps)} scale{'s' * (len(maps) > 1)}" if maps else "no scale"
            raise ConfigError(
                key="scales",
                value=wanted,
                reason=f"and the network has {has} below its output",
                allowed=most,
                hint=f"or use a network with {MAPS}",
            )
        self.maps = maps[:count]
        self.trunk = keras.Model(network.inputs, [*network.outputs, *self.maps])
        shares = [0.5**i for i in range(count + 1)]
        self.weights = [share / sum(shares) for share in shares]

    def heads(self, channels: int) -> list[keras.layers.Layer]:
        """For each coarser scale what makes probabilities of its map: a 1x1 convolution in float32."""
        activation = "sigmoid" if channels == 1 else "softmax"
        made = []
        for i, values in enumerate(self.maps, start=1):
            head = keras.layers.Dense(channels, activation=activation, dtype="float32", name=f"scale_{i}")
            head.build(tuple(values.shape))
            made.append(head)
        return made


def at_scale(targets: Targets, scale: int) -> Targets:
    """``targets`` at 1 / 2^scale of their size; distances in pixels of that size."""
    shape = tuple(targets.labels.shape)
    maps = {}
    for name, values in targets.maps.items():
        same = tuple(values.shape[:-1]) == shape[:-1]
        maps[name] = _sampled(values, scale) if same else values
        if name == "distance":
            maps[name] = ops.cast(maps[name], "float32") / 2**scale
    valid = None if targets.valid is None else _sampled(targets.valid, scale)
    return dataclasses.replace(targets, labels=_sampled(targets.labels, scale), valid=valid, maps=maps)


def _sampled(values: Tensor, scale: int) -> Tensor:
    """The values of the pixel in the middle of each cell; of a cell that is cut off, of its last pixel."""
    size = 2**scale
    for axis, side in enumerate(values.shape[1:-1], start=1):
        middles = np.arange(0, side, size) + size // 2
        values = ops.take(values, np.minimum(middles, side - 1), axis=axis)
    return values


def check_labels(labels: Tensor, y_pred: Tensor) -> None:
    """Raise ``ConfigError`` for labels that :func:`at_scale` cannot sample."""
    shape = tuple(labels.shape)
    if len(shape) != len(y_pred.shape):
        reason = f"and labels have the shape {shape}"
        hint = "one-hot, or with one channel: y[..., None]"
        raise ConfigError(
            key="scales", reason=reason, allowed="labels (batch, *spatial, channels)", hint=hint
        )
    if None in shape[1:-1]:
        reason, hint = f"and labels have the shape {shape}", "give batches of one known size"
        raise ConfigError(key="scales", reason=reason, allowed="labels of known height and width", hint=hint)


def _maps(network: keras.Model, wanted: int | Literal["auto"]) -> list[Tensor]:
    """The map of each coarser scale, as long as there is one and it is farther from the end than the last."""
    outputs = getattr(network, "outputs", None)
    if not outputs:  # a network that is no graph of layers
        return []
    sides = list(outputs[0].shape[1:-1])
    if None in sides:
        reason, hint = f"and the network's output has the shape {outputs[0].shape}", "give keras.Input a size"
        raise ConfigError(
            key="scales", value=wanted, reason=reason, allowed="a network of known size", hint=hint
        )
    graph = network._functional if isinstance(network, keras.Sequential) else network
    nodes = [(depth, node) for depth, level in sorted(graph._nodes_by_depth.items()) for node in level]
    enlarged = {id(tensor) for _, node in nodes for tensor in node.input_tensors if _enlarges(node, tensor)}
    found: list[Tensor] = []
    beyond = 0
    while max(sides) > 1:
        sides = [math.ceil(side / 2) for side in sides]
        near = next((one for one in _of_size(nodes, sides, enlarged) if one[0] > beyond), None)
        if near is None:
            break
        beyond = near[0]
        found.append(near[1])
    return found


def _enlarges(node: Any, tensor: Tensor) -> bool:
    """Whether the layer of ``node`` makes a larger map of ``tensor``."""
    if isinstance(node.operation, PADDINGS):
        return False
    before = tuple(tensor.shape[1:-1])
    sizes = [tuple(one.shape[1:-1]) for one in node.output_tensors if len(one.shape) == len(tensor.shape)]
    return any(None not in (*before, *after) and math.prod(after) > math.prod(before) for after in sizes)


def _of_size(
    nodes: Sequence[tuple[int, Any]], sides: Sequence[int], enlarged: Collection[int]
) -> Iterator[tuple[int, Tensor]]:
    """The maps with these sides and several channels that are ``enlarged``, with their depths."""
    for depth, node in nodes:
        for tensor in node.output_tensors:
            if list(tensor.shape[1:-1]) == list(sides) and tensor.shape[-1] > 1 and id(tensor) in enlarged:
                yield depth, tensor
