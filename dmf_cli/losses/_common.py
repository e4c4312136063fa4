"""What every loss needs: inputs in float32, checked shapes and parameters, powers with a bounded slope."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from dmf_cli.errors import ConfigError, UnknownNameError
from dmf_cli.ops.void import others
from dmf_cli.ranges import Pool

Tensor = Any
LARGEST_HALF = 65504.0  # of float16


def prepare(y_true: Tensor, y_pred: Tensor) -> tuple[Tensor, Tensor]:
    """Both tensors in float32, or a ``ConfigError`` when their shapes cannot belong together."""
    y_true, y_pred = ops.cast(y_true, "float32"), as_float32(y_pred)
    true, pred = tuple(y_true.shape), tuple(y_pred.shape)
    same = len(true) == len(pred) and all(a == b or None in (a, b) for a, b in zip(true, pred, strict=True))
    if not same or len(true) < 3:
        raise ConfigError(
            f"y_true has shape {true} and y_pred {pred}: both must be (batch, *spatial, classes); "
            "one-hot encode integer labels first (keras.ops.one_hot)"
        )
    return y_true, y_pred


def as_float32(x: Tensor) -> Tensor:
    """``x`` in float32; a gradient that comes back to float16 ends at the largest number that it has.

    The slope of a logarithm at 0 is 1e7: infinite in float16, and NaN once the softmax multiplies it by 0.
    """
    x = ops.convert_to_tensor(x)
    if keras.backend.standardize_dtype(x.dtype) != "float16":
        return ops.cast(x, "float32")

    @ops.custom_gradient
    def widened(x: Tensor) -> Any:
        def back(*arguments: Tensor, upstream: Tensor = None) -> Tensor:
            slope = arguments[0] if upstream is None else upstream
            # What is not finite stays so, for whoever guards the training.
            bounded = ops.where(ops.isfinite(slope), ops.clip(slope, -LARGEST_HALF, LARGEST_HALF), slope)
            return ops.cast(bounded, "float16")

        return ops.cast(x, "float32"), back

    return widened(x)


def choose(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise ``UnknownNameError`` unless ``value`` is one of ``allowed``."""
    if value not in allowed:
        raise UnknownNameError(name, value, allowed)


def within(name: str, value: float, valid: bool, allowed: str) -> None:
    """Raise ``ConfigError`` unless ``valid``: ``within("smooth", s, s > 0, "a number above 0")``."""
    if not valid:
        raise ConfigError(f"{name} is {value}: give {allowed}")


def positive(**values: float) -> None:
    """Raise ``ConfigError`` for the first of ``values`` that is not a finite number above 0."""
    for name, value in values.items():
        within(name, value, 0 < value < math.inf, "a number above 0")


def share(**values: float) -> None:
    """Raise ``ConfigError`` for the first of ``values`` outside [0, 1]."""
    for name, value in values.items():
        within(name, value, 0 <= value <= 1, "a number from 0 to 1")


def weight_vector(weights: Sequence[float] | None, classes: int) -> Tensor | None:
    """``weights`` as a float32 vector of ``classes`` values, None for None.

    Raises:
        ConfigError: another count, a weight that is negative or not finite, or none above 0.
    """
    if weights is None:
        return None
    given = [float(w) for w in weights]
    if len(given) != classes:
        raise ConfigError(
            f"class_weights is {given}: give {classes} numbers, one a class, the background first"
        )
    if not all(0 <= w < math.inf for w in given) or not any(given):
        raise ConfigError(f"class_weights is {given}: give numbers of 0 or above, at least one above 0")
    return ops.convert_to_tensor(given, dtype="float32")


def pooled_axes(tensor: Tensor, pool: Pool) -> tuple[int, ...]:
    """The axes that ``pool`` sums over: space, and the batch as well for ``"batch"``."""
    choose("pool", pool, ("batch", "sample"))
    return tuple(range(0 if pool == "batch" else 1, len(tensor.shape) - 1))


def without_background(tensor: Tensor, background: bool) -> Tensor:
    """Drop channel 0 unless ``background``; a lone foreground channel is always kept."""
    return tensor if background or tensor.shape[-1] == 1 else tensor[..., 1:]


def two_channels(tensor: Tensor) -> Tensor:
    """A lone foreground channel ``p`` as ``[1 - p, p]``; anything else as it is."""
    return tensor if tensor.shape[-1] != 1 else ops.concatenate([others(tensor), tensor], axis=-1)


def bounded_power(x: Tensor, exponent: float, linear: float = 1e-4) -> Tensor:
    """x^exponent from ``linear`` on, and the straight line to 0 below it.

    An exponent below 1 alone has an infinite slope at 0: rounding of 1e-7 would become a loss of 0.1,
    and the gradient of a perfect match infinite.
    """
    power = ops.power(ops.maximum(x, linear), exponent)
    return ops.where(x >= linear, power, linear ** (exponent - 1.0) * x)
