"""Encoders with weights for ImageNet: EfficientNet-Lite0, and networks of keras.applications."""

import contextlib
import contextvars
import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import keras
from keras import layers

from dmf_cli.errors import ConfigError, UnknownNameError
from dmf_cli.models._blocks import Tensor
from dmf_cli.models._efficientnet_lite import OFFSET, SCALE, efficientnet_lite0
from dmf_cli.ranges import ENCODERS

LITE0 = "efficientnet_lite0"
STRIDES = (2, 4, 8, 16, 32)
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's images in [0, 1]
# How images in [0, 1] become what the weights expect:
# "inside": times 255, the network does the rest, with weights or without; "asked": it does so where asked to.
Scaling = Literal["inside", "asked", "symmetric", "standard", "caffe"]
APPLICATIONS: dict[str, Scaling] = {
    **{f"EfficientNetB{size}": "inside" for size in range(8)},
    **{f"EfficientNetV2{size}": "asked" for size in ("B0", "B1", "B2", "B3", "S")},
    "MobileNetV2": "symmetric",
    "MobileNetV3Small": "asked",
    "MobileNetV3Large": "asked",
    "ResNet50": "caffe",
    "ResNet50V2": "symmetric",
    "DenseNet121": "standard",
    "ConvNeXtTiny": "asked",
}


@dataclasses.dataclass(frozen=True)
class Encoder:
    """A network and what its images are multiplied by and shifted with, a number or one a channel.

    Its ``maps`` say at which strides (2, 4, ..., 32) it has one; ConvNeXt begins with 4.
    """

    network: keras.Model
    strides: Sequence[int]
    scale: float | list[float] = 1.0
    offset: float | list[float] = 0.0

    def maps(self, images: Tensor) -> dict[int, Tensor]:
        """The maps of images in [0, 1], or of any images for random weights, by their stride."""
        if (self.scale, self.offset) != (1.0, 0.0):
            images = layers.Rescaling(self.scale, self.offset, name="scaling")(images)
        return dict(zip(self.strides, self.network(images), strict=True))


_VALUES = contextvars.ContextVar("values", default=True)


@contextlib.contextmanager
def without_values() -> Iterator[None]:
    """Pretrained encoders made in here have the structure and the scaling, and random weights.

    For a network that gets its values from a checkpoint: neither package nor download is needed.
    """
    token = _VALUES.set(False)
    try:
        yield
    finally:
        _VALUES.reset(token)


def encoder(name: str, input_shape: tuple[int, int, int], pretrained: bool, momentum: float) -> Encoder:
    """The encoder ``name``, whatever its capitals, as a network with the name ``encoder``.

    Args:
        name: ``efficientnet_lite0`` or a name of keras.applications.
        input_shape: (height, width, 3); sides that are multiples of 32.
        pretrained: with weights for ImageNet.
        momentum: of batch normalisation; that of keras.applications lags behind on small data.

    Raises:
        ConfigError: an unknown name, or weights that cannot be had.
    """
    found = {one.lower(): one for one in ENCODERS}.get(name.lower())
    if found is None:
        raise UnknownNameError("model.encoder", name, ENCODERS)
    made = _lite0(input_shape, pretrained) if found == LITE0 else _application(found, input_shape, pretrained)
    for layer in made.network.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = momentum
    return made


def _lite0(input_shape: tuple[int, int, int], pretrained: bool) -> Encoder:
    network = efficientnet_lite0(input_shape, pretrained and _VALUES.get())
    return Encoder(network, STRIDES, SCALE, OFFSET) if pretrained else Encoder(network, STRIDES)


def _application(name: str, input_shape: tuple[int, int, int], pretrained: bool) -> Encoder:
    scaling, filled = APPLICATIONS[name], pretrained and _VALUES.get()
    options = {"include_preprocessing": pretrained} if scaling == "asked" else {}
    try:
        base = getattr(keras.applications, name)(
            include_top=False, weights="imagenet" if filled else None, input_shape=input_shape, **options
        )
    except Exception as error:  # a download fails in many ways, and a file of the cache may be damaged
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
        what = f"the weights of {name} cannot be loaded ({reason})"
        hint = "download them where there is a network (Keras keeps them in ~/.keras/models)"
        hint += f", or use model.encoder={LITE0} or model.pretrained=false"
        raise ConfigError(what, key="model.encoder", value=name, hint=hint) from None
    if scaling == "inside" and pretrained and not filled:
        base = _with_second_scaling(base)
    strides, maps = _maps(base)
    network = keras.Model(base.input, maps, name="encoder")
    if scaling == "inside":
        return Encoder(network, strides, 255.0)
    if not pretrained:
        return Encoder(network, strides)
    if scaling == "caffe" and filled:
        _take_rgb(network)
    return Encoder(network, strides, *_scaling(scaling))


def _maps(base: keras.Model) -> tuple[list[int], list[Tensor]]:
    """The last map at each stride. What is padded for the next convolution is none, whatever its size."""
    height, width = base.input_shape[1:3]
    last = {}
    for layer in base.layers:
        shape = layer.output.shape
        if len(shape) == 4 and not isinstance(layer, layers.ZeroPadding2D):
            last[tuple(shape[1:3])] = layer.output
    found = {s: last[size] for s in STRIDES[:-1] if (size := (height // s, width // s)) in last}
    return [*found, STRIDES[-1]], [*found.values(), base.output]


def _scaling(kind: Scaling) -> tuple[float | list[float], float | list[float]]:
    if kind == "asked":
        return 255.0, 0.0
    if kind == "symmetric":
        return 2.0, -1.0
    if kind == "caffe":
        return 255.0, [-123.68, -116.779, -103.939]
    pairs = list(zip(MEAN, DEVIATION, strict=True))
    return [1 / deviation for _, deviation in pairs], [-mean / deviation for mean, deviation in pairs]


def _with_second_scaling(base: keras.Model) -> keras.Model:
    """``base`` with the layer that Keras gives EfficientNet only together with its weights."""

    def call(layer: layers.Layer, *arguments: Any, **options: Any) -> Tensor:
        found = layer(*arguments, **options)
        again = isinstance(layer, layers.Normalization)
        return layers.Rescaling([1 / math.sqrt(one) for one in DEVIATION])(found) if again else found

    return keras.models.clone_model(base, call_function=call)


def _take_rgb(network: keras.Model) -> None:
    """Turn round the channels of the first kernel, which was trained on blue, green, red."""
    first = next(layer for layer in network.layers if isinstance(layer, layers.Conv2D))
    kernel, *rest = first.get_weights()
    first.set_weights([kernel[:, :, ::-1], *rest])
