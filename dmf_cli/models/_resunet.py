"""U-Net of residual blocks."""

import keras
from keras import layers

from dmf_cli.models._blocks import Options, activated, fit_size, head, residual
from dmf_cli.models._parameters import check_options, checked_depth
from dmf_cli.parts import model
from dmf_cli.ranges import Activation, Blocks, Channels, Depth, Fraction, Norm, Part


@model
def resunet(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    filters: Channels = 12,
    depth: Depth = "auto",
    blocks: Blocks = 1,
    dropout: Fraction = 0.0,
    norm: Norm = "batch",
    momentum: Part = 0.9,
    groups: Channels = 4,
    activation: Activation = "relu",
) -> keras.Model:
    """Deep residual U-Net (Zhang, Liu & Wang, GRSL 2018, arXiv 1711.10684).

    Residual blocks with normalisation and ReLU before each convolution; the first block of a level halves
    the size by its stride instead of pooling. Up: twice the size by repetition, concatenation of the skip,
    residual blocks. A last normalisation and ReLU stand before the head, as in other networks of
    pre-activation blocks; the paper has three halvings and 64 filters.

    Args:
        input_shape: (height, width, channels); any size.
        classes: 1 for a sigmoid foreground, else the number of softmax classes.
        filters: of the first level, >= 1; doubled at each level.
        depth: number of halvings, >= 1; ``auto`` halves while both sides stay at 8 or more.
        blocks: residual blocks a level, >= 1.
        dropout: rate in [0, 1) at the bottom.
        norm: ``batch``, ``group``, ``instance`` or ``none``.
        momentum: of batch normalisation, in (0, 1).
        groups: of group normalisation.
        activation: ``relu``, or ``leaky_relu`` with a slope of .01.

    Returns:
        A model from float32 images ``(batch, height, width, channels)`` to float32 probabilities
        ``(batch, height, width, classes)``.

    Raises:
        ConfigError: an option out of range, or more levels than the image has pixels for.
    """
    depth = checked_depth(input_shape, depth)
    check_options(filters=filters, blocks=blocks, dropout=dropout, momentum=momentum)
    options = Options(norm, momentum, groups, activation)
    images = keras.Input(input_shape, name="image")
    x, skips = images, []
    for level in range(depth + 1):
        x = residual(x, filters * 2**level, options, strides=2 if level else 1, first=not level)
        for _ in range(blocks - 1):
            x = residual(x, filters * 2**level, options)
        skips.append(x)
    x = layers.Dropout(dropout)(x) if dropout else x
    for level in reversed(range(depth)):
        x = fit_size(layers.UpSampling2D(2)(x), skips[level])
        x = layers.Concatenate()([x, skips[level]])
        for _ in range(blocks):
            x = residual(x, filters * 2**level, options)
    return keras.Model(images, head(activated(x, options), classes), name="resunet")
