"""What every loss needs: inputs in float32, checked shapes, pooled sums."""

from typing import Any, Literal

from keras import ops

from dmf_cli.errors import ConfigError, UnknownNameError

Pool = Literal["batch", "sample"]
Tensor = Any


def prepare(y_true: Tensor, y_pred: Tensor) -> tuple[Tensor, Tensor]:
    """Both tensors in float32, or a ``ConfigError`` when their shapes cannot belong together."""
    y_true, y_pred = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
    true, pred = tuple(y_true.shape), tuple(y_pred.shape)
    same = len(true) == len(pred) and all(a == b or None in (a, b) for a, b in zip(true, pred, strict=True))
    if not same or len(true) < 3:
        raise ConfigError(
            f"y_true has shape {true} and y_pred {pred}: both must be (batch, *spatial, classes); "
            "one-hot encode integer labels first (keras.ops.one_hot)"
        )
    return y_true, y_pred


def choose(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise ``UnknownNameError`` unless ``value`` is one of ``allowed``."""
    if value not in allowed:
        raise UnknownNameError(name, value, allowed)


def within(name: str, value: float, valid: bool, allowed: str) -> None:
    """Raise ``ConfigError`` unless ``valid``: ``within("smooth", s, s > 0, "a number above 0")``."""
    if not valid:
        raise ConfigError(f"{name} is {value}: give {allowed}")


def pooled_axes(tensor: Tensor, pool: Pool) -> tuple[int, ...]:
    """The axes that ``pool`` sums over: space, and the batch as well for ``"batch"``."""
    choose("pool", pool, ("batch", "sample"))
    return tuple(range(0 if pool == "batch" else 1, len(tensor.shape) - 1))


def without_background(tensor: Tensor, background: bool) -> Tensor:
    """Drop channel 0 unless ``background``; a lone foreground channel is always kept."""
    return tensor if background or tensor.shape[-1] == 1 else tensor[..., 1:]


def two_channels(tensor: Tensor) -> Tensor:
    """A lone foreground channel ``p`` as ``[1 - p, p]``; anything else as it is."""
    return tensor if tensor.shape[-1] != 1 else ops.concatenate([1.0 - tensor, tensor], axis=-1)
