"""U-Net, as in the notebook of the paper, with its usual options."""

from typing import Any, Literal

import keras
from keras import layers

from dmf_cli.errors import ConfigError
from dmf_cli.models._blocks import Norm, Tensor, fit_size, head, normalization, normalized

SMALLEST = 8  # the notebook pools down to 8x8


def unet(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    filters: int = 12,
    depth: int | Literal["auto"] = "auto",
    convs: int = 2,
    dropout: float = 0.0,
    norm: Norm = "batch",
    momentum: float = 0.9,
    groups: int = 4,
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

    Returns:
        A model from float32 images ``(batch, height, width, channels)`` to float32 probabilities
        ``(batch, height, width, classes)``.

    Raises:
        ConfigError: an option out of range, or more levels than the image has pixels for.
    """
    depth = _checked_depth(input_shape, depth)
    _check(filters=filters, convs=convs, dropout=dropout, momentum=momentum)
    options = {"norm": norm, "momentum": momentum, "groups": groups}
    images = keras.Input(input_shape, name="image")
    x, skips = images, []
    for level in range(depth):
        x = _convolve(x, filters * 2**level, convs, options)
        skips.append(x)
        x = layers.MaxPooling2D(2, padding="same")(x)
    x = _convolve(x, filters * 2**depth, convs, options)
    x = layers.Dropout(dropout)(x) if dropout else x
    for level in reversed(range(depth)):
        x = _climb(x, skips[level], filters * 2**level, options)
        x = _convolve(x, filters * 2**level, convs - 1, options)
    return keras.Model(images, head(x, classes), name="unet")


def _convolve(x: Tensor, filters: int, times: int, options: dict[str, Any]) -> Tensor:
    for _ in range(times):
        layer = layers.Conv2D(filters, 3, padding="same", use_bias=options["norm"] == "none")
        x = normalized(layer, normalization(filters=filters, **options), x)
    return x


def _climb(x: Tensor, skip: Tensor, filters: int, options: dict[str, Any]) -> Tensor:
    """Twice the size, then the skip beside it."""
    layer = layers.Conv2DTranspose(filters, 3, strides=2, padding="same", use_bias=options["norm"] == "none")
    x = normalized(layer, normalization(filters=filters, **options), x)
    return layers.Concatenate()([fit_size(x, skip), skip])


def _checked_depth(input_shape: tuple[int, int, int], depth: int | str) -> int:
    shortest = min(input_shape[:2])
    if depth == "auto":
        return max(1, (shortest // SMALLEST).bit_length() - 1)
    if not isinstance(depth, int) or isinstance(depth, bool) or depth < 1:
        raise ConfigError(f"model.depth is {depth!r}: give a whole number of 1 or more, or auto")
    if 2**depth > shortest:
        raise ConfigError(
            f"model.depth is {depth} and the image is {input_shape[0]}x{input_shape[1]}: at most "
            f"{shortest.bit_length() - 1} levels fit; lower model.depth or raise dataset.image_size"
        )
    return depth


def _check(*, filters: int, convs: int, dropout: float, momentum: float) -> None:
    for name, value in (("filters", filters), ("convs", convs)):
        if value < 1:
            raise ConfigError(f"model.{name} is {value}: give 1 or more")
    if not 0.0 <= dropout < 1.0:
        raise ConfigError(f"model.dropout is {dropout}: give a number from 0 to below 1")
    if not 0.0 < momentum < 1.0:
        raise ConfigError(f"model.momentum is {momentum}: give a number between 0 and 1")
