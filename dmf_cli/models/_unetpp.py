"""U-Net++: nested U-Nets whose skips are chains of convolutions."""

import keras
from keras import layers

from dmf_cli.models._blocks import Options, convolve, head, upsample
from dmf_cli.models._parameters import check_options, checked_depth
from dmf_cli.parts import model
from dmf_cli.ranges import Activation, Blocks, Channels, Depth, Fraction, Norm, Part


@model
def unetpp(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    filters: Channels = 8,
    depth: Depth = "auto",
    convs: Blocks = 2,
    dropout: Fraction = 0.0,
    norm: Norm = "batch",
    momentum: Part = 0.9,
    groups: Channels = 4,
    activation: Activation = "relu",
) -> keras.Model:
    """U-Net++ (Zhou et al., DLMIA 2018, arXiv 1807.10165), without deep supervision.

    Node (i, j) of level i joins all nodes (i, 0..j-1) beside it and the upsampled node (i+1, j-1) below
    it, and convolves. Column 0 is the encoder; the head reads the last node of level 0.

    Args:
        input_shape: (height, width, channels); any size.
        classes: 1 for a sigmoid foreground, else the number of softmax classes.
        filters: of level 0, >= 1; doubled at each level (the paper: 32).
        depth: number of poolings, >= 1 (the paper: 4); ``auto`` pools while both sides stay at 8 or more.
        convs: convolutions a node, >= 1.
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
    check_options(filters=filters, convs=convs, dropout=dropout, momentum=momentum)
    options = Options(norm, momentum, groups, activation)
    images = keras.Input(input_shape, name="image")
    x, rows = images, []
    for level in range(depth + 1):
        x = layers.MaxPooling2D(2, padding="same")(x) if level else x
        x = convolve(x, filters * 2**level, options, times=convs)
        rows.append([x])
    if dropout:
        rows[depth][0] = layers.Dropout(dropout)(x)
    for column in range(1, depth + 1):
        for level in range(depth - column + 1):
            beside, width = rows[level], filters * 2**level
            below = upsample(rows[level + 1][column - 1], beside[0], width, options)
            joined = layers.Concatenate()([*beside, below])
            beside.append(convolve(joined, width, options, times=convs))
    return keras.Model(images, head(rows[0][depth], classes), name="unetpp")
