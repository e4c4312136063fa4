"""A light SegFormer: a pyramid of transformer blocks, and a decoder of 1x1 convolutions."""

import keras
from keras import layers

from dmf_cli.errors import ConfigError
from dmf_cli.models._blocks import Options, Tensor, convolve, enlarge, head
from dmf_cli.models._parameters import check_options
from dmf_cli.parts import model
from dmf_cli.ranges import Blocks, Channels, Fraction, Norm, Part

STRIDES = (4, 2, 2, 2)  # of the patches of each stage
HEADS = (1, 2, 4, 8)  # attention heads of each stage; each head has `filters` channels
REDUCTIONS = (8, 4, 2, 1)  # keys and values are this much coarser than queries, along each side


@model
def segformer(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    filters: Channels = 16,
    blocks: Blocks = 2,
    expansion: Blocks = 4,
    decoder: Channels = 64,
    dropout: Fraction = 0.0,
    norm: Norm = "batch",
    momentum: Part = 0.9,
    groups: Channels = 4,
) -> keras.Model:
    """SegFormer (Xie et al., NeurIPS 2021, arXiv 2105.15203), a narrow form of its smallest encoder.

    Four stages at strides 4, 8, 16, 32: overlapping patches by strided convolution, then ``blocks`` of
    self-attention over coarser keys and a feed-forward part with a 3x3 depthwise convolution, which
    stands in for position codes. Decoder: each stage to ``decoder`` channels, enlarged, joined, logits
    at stride 4 enlarged bilinearly. MiT-B0 of the paper has 32, 64, 160, 256 channels and a decoder of
    256; stochastic depth is omitted.

    Args:
        input_shape: (height, width, channels); any size.
        classes: 1 for a sigmoid foreground, else the number of softmax classes.
        filters: of the first stage, >= 1; doubled at each stage.
        blocks: transformer blocks a stage, >= 1.
        expansion: of the feed-forward part, >= 1.
        decoder: channels of the decoder, >= 1.
        dropout: rate in [0, 1), before the head.
        norm: of the decoder: ``batch``, ``group``, ``instance`` or ``none``. The encoder has layer
            normalisation.
        momentum: of batch normalisation, in (0, 1).
        groups: of group normalisation.

    Returns:
        A model from float32 images ``(batch, height, width, channels)`` to float32 probabilities
        ``(batch, height, width, classes)``.

    Raises:
        ConfigError: an option out of range.
    """
    counts = {"filters": filters, "blocks": blocks, "expansion": expansion, "decoder": decoder}
    check_options(dropout=dropout, momentum=momentum, **counts)
    if norm == "group" and decoder % groups:
        reason = f"and model.decoder is {decoder}"
        raise ConfigError(key="model.groups", value=groups, reason=reason, allowed="a divisor of it")
    options = Options(norm, momentum, groups)
    images = keras.Input(input_shape, name="image")
    x, stages = images, []
    for stage, (stride, heads, reduction) in enumerate(zip(STRIDES, HEADS, REDUCTIONS, strict=True)):
        x = _patches(x, filters * 2**stage, stride)
        for _ in range(blocks):
            x = _attend(x, heads, reduction)
            x = _feed_forward(x, expansion)
        stages.append(layers.LayerNormalization(epsilon=1e-6)(x))
        x = stages[-1]
    same = [enlarge(layers.Dense(decoder)(s), stages[0], 2**n) for n, s in enumerate(stages)]
    x = convolve(layers.Concatenate()(same), decoder, options, size=1)
    x = layers.Dropout(dropout)(x) if dropout else x
    return keras.Model(images, head(x, classes, scale=STRIDES[0], like=images), name="segformer")


def _patches(x: Tensor, filters: int, stride: int) -> Tensor:
    """Overlapping patches as vectors: a 7x7 convolution with stride 4, or 3x3 with stride 2."""
    x = layers.Conv2D(filters, 2 * stride - 1, strides=stride, padding="same")(x)
    return layers.LayerNormalization(epsilon=1e-6)(x)


def _attend(x: Tensor, heads: int, reduction: int) -> Tensor:
    """``x`` plus the attention of every place to all places of a ``reduction`` times coarser map."""
    normal = layers.LayerNormalization(epsilon=1e-6)(x)
    keys = normal
    if reduction > 1:
        keys = layers.Conv2D(x.shape[-1], reduction, strides=reduction, padding="same")(normal)
        keys = layers.LayerNormalization(epsilon=1e-6)(keys)
    attention = layers.MultiHeadAttention(heads, x.shape[-1] // heads)
    attended = attention(_tokens(normal), _tokens(keys))
    return layers.Add()([x, layers.Reshape(tuple(x.shape[1:]))(attended)])


def _feed_forward(x: Tensor, expansion: int) -> Tensor:
    """``x`` plus Dense, 3x3 depthwise convolution, GELU, Dense of it."""
    y = layers.LayerNormalization(epsilon=1e-6)(x)
    y = layers.Dense(expansion * x.shape[-1])(y)
    y = layers.DepthwiseConv2D(3, padding="same")(y)
    y = layers.Dense(x.shape[-1])(layers.Activation("gelu")(y))
    return layers.Add()([x, y])


def _tokens(x: Tensor) -> Tensor:
    """``(batch, height, width, channels)`` as ``(batch, height * width, channels)``."""
    return layers.Reshape((x.shape[1] * x.shape[2], x.shape[3]))(x)
