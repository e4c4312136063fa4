"""U-Net, as in the notebook of the paper, with its usual options."""

import keras
from keras import layers

from dmf_cli.models._blocks import Options, convolve, encode, head, upsample
from dmf_cli.models._parameters import check_options, checked_depth
from dmf_cli.parts import model
from dmf_cli.ranges import Activation, Blocks, Channels, Depth, Fraction, Norm, Part


@model
def unet(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    filters: Channels = 12,
    depth: Depth = "auto",
    convs: Blocks = 2,
    dropout: Fraction = 0.0,
    norm: Norm = "batch",
    momentum: Part = 0.9,
    groups: Channels = 4,
    activation: Activation = "relu",
) -> keras.Model:
    """U-Net (Ronneberger et al., MICCAI 2015) in the form of the paper's notebook.

    Down: ``convs`` times (3x3 convolution, normalisation, ReLU), then 2x2 max pooling, filters doubling
    each level. Up: 3x3 transposed convolution with stride 2, normalisation, ReLU, concatenation of the
    skip (and ``convs - 1`` more convolutions). Head: 1x1 convolution, softmax or sigmoid.

    Args:
        input_shape: (height, width, channels); any size, not only multiples of 2^depth.
        classes: 1 for a sigmoid foreground, else the number of softmax classes.
        filters: of the first level, >= 1 (the notebook: 32).
        depth: number of poolings, >= 1; ``auto`` pools while both sides stay at 8 or more.
        convs: convolutions a level, >= 1; 2 is the original U-Net, 1 the notebook.
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
    x, skips = encode(images, filters, options, depth=depth, times=convs, dropout=dropout)
    for level in reversed(range(depth)):
        x = upsample(x, skips[level], filters * 2**level, options)
        x = layers.Concatenate()([x, skips[level]])
        x = convolve(x, filters * 2**level, options, times=convs - 1)
    return keras.Model(images, head(x, classes), name="unet")
