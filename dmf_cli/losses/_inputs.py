"""Labels and probabilities as every loss takes them: float32, of one shape, with the channels that count."""

from typing import Any

import keras
from keras import ops

from dmf_cli.errors import ConfigError
from dmf_cli.ops.void import others

Tensor = Any
LARGEST_HALF = 65504.0  # of float16


def prepare(y_true: Tensor, y_pred: Tensor) -> tuple[Tensor, Tensor]:
    """Both tensors in float32, or a ``ConfigError`` when their shapes cannot belong together."""
    y_true, y_pred = ops.cast(y_true, "float32"), as_float32(y_pred)
    true, pred = tuple(y_true.shape), tuple(y_pred.shape)
    same = len(true) == len(pred) and all(a == b or None in (a, b) for a, b in zip(true, pred, strict=True))
    if not same or len(true) < 3:
        raise ConfigError(
            key="y_true",
            reason=f"has shape {true} and y_pred {pred}",
            hint="both must be (batch, *spatial, classes); "
            "one-hot encode integer labels first (keras.ops.one_hot)",
        )
    return y_true, y_pred


def as_float32(x: Tensor) -> Tensor:
    """``x`` in float32; a gradient that comes back to float16 ends at the largest number that it has.

    The slope of a logarithm at 0 is 1e7: infinite in float16, and NaN once the softmax multiplies it by 0.
    """
    x = ops.convert_to_tensor(x)
    if keras.backend.standardize_dtype(x.dtype) != "float16":
        return ops.cast(x, "float32")

    def widened(x: Tensor) -> Any:
        def back(*arguments: Tensor, upstream: Tensor = None) -> Tensor:
            slope = arguments[0] if upstream is None else upstream
            # What is not finite stays so, for whoever guards the training.
            bounded = ops.where(ops.isfinite(slope), ops.clip(slope, -LARGEST_HALF, LARGEST_HALF), slope)
            return ops.cast(bounded, "float16")

        return ops.cast(x, "float32"), back

    return ops.custom_gradient(widened)(x)


def without_background(tensor: Tensor, background: bool) -> Tensor:
    """Drop channel 0 unless ``background``; a lone foreground channel is always kept."""
    return tensor if background or tensor.shape[-1] == 1 else tensor[..., 1:]


def two_channels(tensor: Tensor) -> Tensor:
    """A lone foreground channel ``p`` as ``[1 - p, p]``; anything else as it is."""
    return tensor if tensor.shape[-1] != 1 else ops.concatenate([others(tensor), tensor], axis=-1)
