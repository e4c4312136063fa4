"""Blocks that the architectures share; stock Keras layers only, so that any Keras can load a model."""

from typing import Any, Literal

from keras import layers

from dmf_cli.errors import ConfigError, UnknownNameError

Norm = Literal["batch", "group", "instance", "none"]
Tensor = Any


def normalization(norm: Norm, filters: int, *, momentum: float, groups: int) -> layers.Layer | None:
    """A normalisation layer for ``filters`` channels, or None.

    Args:
        norm: ``batch`` (running statistics with ``momentum``), ``group``, ``instance`` (a group a channel).
        filters: number of channels.
        momentum: of the running statistics; Keras's own default .99 lags hundreds of steps behind.
        groups: of group normalisation; must divide ``filters``.
    """
    if norm == "batch":
        return layers.BatchNormalization(momentum=momentum)
    if norm == "instance":
        return layers.GroupNormalization(groups=-1)
    if norm == "group":
        if filters % groups:
            raise ConfigError(
                f"model.groups is {groups} and a level has {filters} filters: groups must divide it"
            )
        return layers.GroupNormalization(groups=groups)
    if norm == "none":
        return None
    raise UnknownNameError("model.norm", norm, ["batch", "group", "instance", "none"])


def normalized(convolution: layers.Layer, norm: layers.Layer | None, x: Tensor) -> Tensor:
    """Convolution, normalisation, ReLU."""
    x = convolution(x)
    return layers.ReLU()(x if norm is None else norm(x))


def head(x: Tensor, classes: int) -> Tensor:
    """1x1 convolution to float32 probabilities: sigmoid for one channel, softmax for more."""
    activation = "sigmoid" if classes == 1 else "softmax"
    logits = layers.Conv2D(classes, 1, dtype="float32", name="logits")(x)
    return layers.Activation(activation, dtype="float32", name="probabilities")(logits)


def fit_size(x: Tensor, like: Tensor) -> Tensor:
    """Crop ``x`` at bottom and right to the height and width of ``like``.

    Pooling rounds odd sizes down after padding, so that an upsampled map is at most one row and one
    column larger than its skip.
    """
    height, width = x.shape[1] - like.shape[1], x.shape[2] - like.shape[2]
    return layers.Cropping2D(((0, height), (0, width)))(x) if height or width else x
