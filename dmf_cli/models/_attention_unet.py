"""U-Net whose skips pass through attention gates."""

import keras
from keras import layers

from dmf_cli.models._blocks import Options, Tensor, convolve, encode, enlarge, head, upsample
from dmf_cli.models._parameters import check_options, checked_depth
from dmf_cli.parts import model
from dmf_cli.ranges import Activation, Blocks, Channels, Depth, Fraction, Norm, Part


@model
def attention_unet(
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
    """Attention U-Net (Oktay et al., MIDL 2018, arXiv 1804.03999).

    The ``unet`` of this package with an additive attention gate on each skip: the features from below
    decide, at their own coarse grid, how much of each place of the skip passes, a factor in (0, 1).
    The paper is 3-D and adds deep supervision; both are omitted.

    Args:
        input_shape: (height, width, channels); any size.
        classes: 1 for a sigmoid foreground, else the number of softmax classes.
        filters: of the first level, >= 1.
        depth: number of poolings, >= 1; ``auto`` pools while both sides stay at 8 or more.
        convs: convolutions a level, >= 1.
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
        skip = _gated(skips[level], x)
        x = layers.Concatenate()([upsample(x, skip, filters * 2**level, options), skip])
        x = convolve(x, filters * 2**level, options, times=convs - 1)
    return keras.Model(images, head(x, classes), name="attention_unet")


def _gated(skip: Tensor, signal: Tensor) -> Tensor:
    """``skip`` times sigmoid(w ReLU(W_x skip + W_g signal)), of the size of ``signal``, half its own."""
    inner = max(1, skip.shape[-1] // 2)
    theta = layers.Conv2D(inner, 2, strides=2, padding="same", use_bias=False)(skip)
    phi = layers.Conv2D(inner, 1)(signal)
    both = layers.ReLU()(layers.Add()([theta, phi]))
    gate = layers.Conv2D(1, 1, activation="sigmoid")(both)
    return layers.Multiply()([skip, enlarge(gate, skip, 2)])
