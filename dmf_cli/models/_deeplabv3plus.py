"""DeepLabv3+: dilated convolutions at several rates, joined with fine features."""

from typing import Literal

import keras
from keras import layers

from dmf_cli.errors import ConfigError
from dmf_cli.models._blocks import Options, Tensor, activated, convolve, enlarge, head, residual
from dmf_cli.models._parameters import check_options
from dmf_cli.parts import model
from dmf_cli.ranges import Blocks, Channels, Dilation, Fraction, Norm, Part

FINE = 4  # output stride of the features that the decoder joins


@model
def deeplabv3plus(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    filters: Channels = 16,
    blocks: Blocks = 2,
    output_stride: Literal[8, 16] = 8,
    rates: tuple[Dilation, Dilation, Dilation] = (2, 4, 6),
    dropout: Fraction = 0.0,
    norm: Norm = "batch",
    momentum: Part = 0.9,
    groups: Channels = 4,
) -> keras.Model:
    """DeepLabv3+ (Chen et al., ECCV 2018, arXiv 1802.02611) on a small residual encoder.

    Encoder: a convolution with stride 2, then three stages of residual blocks down to ``output_stride``.
    Atrous spatial pyramid pooling: a 1x1 and three dilated 3x3 convolutions and the mean of the image,
    joined. Decoder: joined with the features at stride 4, two convolutions, logits enlarged four times.
    The paper has ResNet-101 or Xception as encoder, and rates 6, 12, 18 for images of 513 pixels; the
    default rates here suit the 16x16 map of a 128x128 image. The branch of the image's mean has no
    normalisation: one value an image has no useful statistics.

    Args:
        input_shape: (height, width, channels); any size.
        classes: 1 for a sigmoid foreground, else the number of softmax classes.
        filters: of the first convolution, >= 1; the stages have 2, 4 and 8 times as many.
        blocks: residual blocks a stage, >= 1.
        output_stride: of the encoder; 8 dilates the last stage instead of halving once more.
        rates: three dilation rates, each >= 1.
        dropout: rate in [0, 1) after the pyramid.
        norm: ``batch``, ``group``, ``instance`` or ``none``.
        momentum: of batch normalisation, in (0, 1).
        groups: of group normalisation.

    Returns:
        A model from float32 images ``(batch, height, width, channels)`` to float32 probabilities
        ``(batch, height, width, classes)``.

    Raises:
        ConfigError: an option out of range.
    """
    _check(output_stride, rates)
    check_options(filters=filters, blocks=blocks, dropout=dropout, momentum=momentum)
    options = Options(norm, momentum, groups)
    images = keras.Input(input_shape, name="image")
    fine, coarse = _encoder(images, filters, blocks, output_stride, options)
    width = 4 * filters
    x = _pyramid(coarse, width, rates, options)
    x = layers.Dropout(dropout)(x) if dropout else x
    x = enlarge(x, fine, output_stride // FINE)
    x = layers.Concatenate()([x, convolve(fine, filters, options, size=1)])
    x = convolve(x, width, options, times=2)
    return keras.Model(images, head(x, classes, scale=FINE, like=images), name="deeplabv3plus")


def _encoder(
    images: Tensor, filters: int, blocks: int, output_stride: int, options: Options
) -> tuple[Tensor, Tensor]:
    """Features at stride 4, and at ``output_stride``."""
    x = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=options.bias)(images)
    maps = []
    for stage in (1, 2, 3):
        dilated = stage == 3 and output_stride == 8
        strides, dilation = (1, 2) if dilated else (2, 1)
        x = residual(x, filters * 2**stage, options, strides=strides, dilation=dilation)
        for _ in range(blocks - 1):
            x = residual(x, filters * 2**stage, options, dilation=dilation)
        maps.append(x)
    return activated(maps[0], options), activated(maps[2], options)


def _pyramid(x: Tensor, filters: int, rates: tuple[int, int, int], options: Options) -> Tensor:
    """Atrous spatial pyramid pooling."""
    branches = [convolve(x, filters, options, size=1)]
    branches += [convolve(x, filters, options, dilation=rate) for rate in rates]
    mean = layers.GlobalAveragePooling2D(keepdims=True)(x)
    mean = layers.Conv2D(filters, 1, activation="relu")(mean)
    branches.append(layers.UpSampling2D(tuple(x.shape[1:3]))(mean))
    return convolve(layers.Concatenate()(branches), filters, options, size=1)


def _check(output_stride: int, rates: tuple[int, int, int]) -> None:
    if output_stride not in (8, 16):
        raise ConfigError(key="model.output_stride", value=output_stride, allowed="8 or 16")
    if len(rates) != 3 or any(isinstance(r, bool) or not isinstance(r, int) or r < 1 for r in rates):
        allowed = "three whole numbers of 1 or above, as [2,4,6]"
        raise ConfigError(key="model.rates", value=list(rates), allowed=allowed)
