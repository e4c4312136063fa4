"""The networks of nnU-Net: a plain U-Net and one with a residual encoder."""

import keras
from keras import layers

from dmf_cli.models._blocks import SLOPE, Options, Tensor, activated, fit_size, head
from dmf_cli.models._parameters import check_options, checked_depth
from dmf_cli.parts import model
from dmf_cli.ranges import Activation, Channels, Depth, Fraction, Norm, Part

SHORTEST = 4  # sides of the coarsest map
BLOCKS = (1, 3, 4, 6)  # residual blocks of the first stages; the others have as many as the last
CONVS = 2  # of a plain stage
HE = {"scale": 2 / (1 + SLOPE**2), "mode": "fan_in", "distribution": "untruncated_normal"}


@model
def nnunet(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    residual: bool = False,
    filters: Channels = 32,
    widest: Channels = 512,
    depth: Depth = "auto",
    dropout: Fraction = 0.0,
    norm: Norm = "instance",
    momentum: Part = 0.9,
    groups: Channels = 4,
    activation: Activation = "leaky_relu",
) -> keras.Model:
    """U-Net by the rules of nnU-Net (Isensee et al., Nature Methods 2021; residual: MICCAI 2024).

    Stages halve the size by the stride of their first convolution, and double the filters up to ``widest``.
    Plain: two convolutions a stage on both ways. Residual: 1, 3, 4, 6, 6, ... blocks of two convolutions on
    the way down, whose shortcut is an average and a 1x1 convolution where size or filters change, and one
    convolution a stage on the way up. Up: 2x2 transposed convolution, concatenation of the skip. Each
    convolution is followed by normalisation (epsilon 1e-5) and activation, and starts with He's values; a
    residual block starts as its shortcut, for the scale of its last normalisation is 0.
    For 128x128 grey images and two classes: 20.6 million weights plain, 71.8 residual.

    Args:
        input_shape: (height, width, channels); any size.
        classes: 1 for a sigmoid foreground, else the number of softmax classes.
        residual: with a residual encoder (ResEnc).
        filters: of the first stage, >= 1.
        widest: filters of no stage exceed it.
        depth: number of halvings, >= 1; ``auto`` halves while both sides stay at 4 or more.
        dropout: rate in [0, 1) at the bottom.
        norm: ``instance``, ``batch``, ``group`` or ``none``.
        momentum: of batch normalisation, in (0, 1).
        groups: of group normalisation.
        activation: ``leaky_relu`` with a slope of .01, or ``relu``.

    Returns:
        A model from float32 images ``(batch, height, width, channels)`` to float32 probabilities
        ``(batch, height, width, classes)``.

    Raises:
        ConfigError: an option out of range, or more halvings than the image has pixels for.
    """
    depth = checked_depth(input_shape, depth, SHORTEST)
    check_options(filters=filters, widest=widest, dropout=dropout, momentum=momentum)
    options = Options(norm, momentum, groups, activation, epsilon=1e-5)
    widths = [min(filters * 2**stage, widest) for stage in range(depth + 1)]
    images = keras.Input(input_shape, name="image")
    x = _convolved(images, widths[0], options) if residual else images
    skips = []
    for stage, width in enumerate(widths):
        x = _stage(x, width, options, stage, residual)
        skips.append(x)
    x = layers.Dropout(dropout)(x) if dropout else x
    for width, skip in zip(reversed(widths[:-1]), reversed(skips[:-1]), strict=True):
        x = fit_size(layers.Conv2DTranspose(width, 2, strides=2, kernel_initializer=_he())(x), skip)
        x = layers.Concatenate()([x, skip])
        for _ in range(1 if residual else CONVS):
            x = _convolved(x, width, options)
    return keras.Model(images, head(x, classes), name="nnunet")


def _stage(x: Tensor, filters: int, options: Options, stage: int, residual: bool) -> Tensor:
    """A stage of the way down; each but the first halves the size."""
    for number in range(BLOCKS[min(stage, len(BLOCKS) - 1)] if residual else CONVS):
        strides = 2 if stage and not number else 1
        x = _block(x, filters, options, strides) if residual else _convolved(x, filters, options, strides)
    return x


def _block(x: Tensor, filters: int, options: Options, strides: int) -> Tensor:
    """Two convolutions beside a shortcut, the activation after their sum (block D of ResNet).

    The scale of the last normalisation starts at 0, and with it what the convolutions add to the shortcut.
    """
    y = _convolution(filters, options)(_convolved(x, filters, options, strides))
    y = options.normalize(y, scale="zeros")
    x = layers.AveragePooling2D(2, padding="same")(x) if strides > 1 else x
    if x.shape[-1] != filters:
        x = options.normalize(_convolution(filters, options, size=1)(x))
    return options.activate(layers.Add()([x, y]))


def _convolved(x: Tensor, filters: int, options: Options, strides: int = 1) -> Tensor:
    return activated(_convolution(filters, options, strides=strides)(x), options)


def _convolution(filters: int, options: Options, *, size: int = 3, strides: int = 1) -> layers.Layer:
    return layers.Conv2D(
        filters, size, strides, padding="same", use_bias=options.bias, kernel_initializer=_he()
    )


def _he() -> keras.initializers.Initializer:
    return keras.initializers.VarianceScaling(**HE)
