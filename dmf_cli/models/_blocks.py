"""Blocks that the architectures share; stock Keras layers only, so that any Keras can load a model."""

import dataclasses
from typing import Any, Literal

from keras import layers

from dmf_cli.errors import ConfigError, UnknownNameError
from dmf_cli.ranges import Activation, Norm

Tensor = Any
SLOPE = 0.01  # of a leaky ReLU below zero, as in nnU-Net


@dataclasses.dataclass(frozen=True)
class Options:
    """What all blocks of a network share.

    Args:
        norm: ``batch`` (running statistics with ``momentum``), ``group``, ``instance`` (a group a channel)
            or ``none``.
        momentum: of the running statistics; Keras's own default .99 lags hundreds of steps behind.
        groups: of group normalisation; must divide the filters of each level.
        activation: ``relu`` or ``leaky_relu``.
        epsilon: added to variances; the default is Keras's own.
    """

    norm: Norm
    momentum: float
    groups: int
    activation: Activation = "relu"
    epsilon: float = 1e-3

    @property
    def bias(self) -> bool:
        """Whether convolutions have a bias, which a normalisation would take away."""
        return self.norm == "none"

    def normalize(self, x: Tensor, scale: Literal["ones", "zeros"] = "ones") -> Tensor:
        """``x`` after a normalisation layer, if there is to be one, which first multiplies with ``scale``."""
        filters = x.shape[-1]
        shared: dict[str, Any] = {"epsilon": self.epsilon, "gamma_initializer": scale}
        if self.norm == "batch":
            return layers.BatchNormalization(momentum=self.momentum, **shared)(x)
        if self.norm == "instance":
            return layers.GroupNormalization(groups=-1, **shared)(x)
        if self.norm == "group":
            if filters % self.groups:
                reason, allowed = f"and a level has {filters} filters", "a divisor of them"
                raise ConfigError(key="model.groups", value=self.groups, reason=reason, allowed=allowed)
            return layers.GroupNormalization(groups=self.groups, **shared)(x)
        if self.norm == "none":
            return x
        raise UnknownNameError("model.norm", self.norm, ["batch", "group", "instance", "none"])

    def activate(self, x: Tensor) -> Tensor:
        """``x`` after the activation."""
        if self.activation == "relu":
            return layers.ReLU()(x)
        if self.activation == "leaky_relu":
            return layers.LeakyReLU(SLOPE)(x)
        raise UnknownNameError("model.activation", self.activation, ["relu", "leaky_relu"])


def convolve(
    x: Tensor, filters: int, options: Options, *, size: int = 3, times: int = 1, dilation: int = 1
) -> Tensor:
    """``times`` convolutions of the same size, each with normalisation and activation."""
    for _ in range(times):
        layer = layers.Conv2D(filters, size, padding="same", dilation_rate=dilation, use_bias=options.bias)
        x = activated(layer(x), options)
    return x


def encode(
    x: Tensor, filters: int, options: Options, *, depth: int, times: int, dropout: float
) -> tuple[Tensor, list[Tensor]]:
    """The way down of a U-Net: ``times`` convolutions a level, then 2x2 max pooling, filters doubling.

    Returns:
        What is at the bottom, after dropout, and the ``depth`` maps before each pooling, the largest first.
    """
    skips = []
    for level in range(depth):
        x = convolve(x, filters * 2**level, options, times=times)
        skips.append(x)
        x = layers.MaxPooling2D(2, padding="same")(x)
    x = convolve(x, filters * 2**depth, options, times=times)
    return layers.Dropout(dropout)(x) if dropout else x, skips


def upsample(x: Tensor, like: Tensor, filters: int, options: Options) -> Tensor:
    """3x3 transposed convolution to twice the size, cut to that of ``like``."""
    layer = layers.Conv2DTranspose(filters, 3, strides=2, padding="same", use_bias=options.bias)
    return fit_size(activated(layer(x), options), like)


def residual(
    x: Tensor, filters: int, options: Options, *, strides: int = 1, dilation: int = 1, first: bool = False
) -> Tensor:
    """Two 3x3 convolutions, each after normalisation and activation, beside a shortcut.

    Args:
        x: ``(batch, height, width, channels)``.
        filters: of the result.
        options: of normalisation and activation.
        strides: of the first convolution.
        dilation: of both.
        first: the block sees images, which need no normalisation before its first convolution.
    """
    bias, shortcut = options.bias, x
    if strides > 1 or x.shape[-1] != filters:
        shortcut = layers.Conv2D(filters, 1, strides=strides, padding="same", use_bias=bias)(x)
        shortcut = options.normalize(shortcut)
    y = x if first else activated(x, options)
    y = layers.Conv2D(
        filters,
        3,
        strides=strides,
        dilation_rate=dilation if strides == 1 else 1,
        padding="same",
        use_bias=bias,
    )(y)
    y = activated(y, options)
    y = layers.Conv2D(filters, 3, dilation_rate=dilation, padding="same", use_bias=bias)(y)
    return layers.Add()([y, shortcut])


def activated(x: Tensor, options: Options) -> Tensor:
    """Normalisation and activation."""
    return options.activate(options.normalize(x))


def head(x: Tensor, classes: int, *, scale: int = 1, like: Tensor = None) -> Tensor:
    """1x1 convolution to float32 probabilities: sigmoid for one channel, softmax for more.

    Args:
        x: features.
        classes: channels of the result.
        scale: how many times larger the image is than ``x``; the logits are then enlarged bilinearly.
        like: the image, for ``scale`` above 1.
    """
    name = "logits" if scale == 1 else "coarse_logits"
    logits = layers.Conv2D(classes, 1, dtype="float32", name=name)(x)
    if scale > 1:
        logits = enlarge(logits, like, scale)
        logits = layers.Activation("linear", dtype="float32", name="logits")(logits)
    return probabilities(logits)


def probabilities(logits: Tensor) -> Tensor:
    """Sigmoid of one channel, softmax of more, in float32."""
    activation = "sigmoid" if logits.shape[-1] == 1 else "softmax"
    return layers.Activation(activation, dtype="float32", name="probabilities")(logits)


def enlarge(x: Tensor, like: Tensor, scale: int) -> Tensor:
    """Bilinearly ``scale`` times larger, in float32, cut to the size of ``like``."""
    if scale == 1:
        return fit_size(x, like)
    # XLA gives the gradient of a bilinear resize in float32 whatever came in, and then refuses float16.
    return fit_size(layers.UpSampling2D(scale, interpolation="bilinear", dtype="float32")(x), like)


def fit_size(x: Tensor, like: Tensor) -> Tensor:
    """Crop ``x`` at bottom and right to the height and width of ``like``.

    Halving rounds odd sizes up, so that an upsampled map is at most ``scale - 1`` rows and columns larger
    than the map that it joins.
    """
    height, width = x.shape[1] - like.shape[1], x.shape[2] - like.shape[2]
    return layers.Cropping2D(((0, height), (0, width)), dtype=x.dtype)(x) if height or width else x
