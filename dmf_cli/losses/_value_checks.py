"""Checks of values in eager mode.

``losses.NAME(y_true, y_pred)`` looks at the values when they are there to be looked at; inside a traced or
compiled function they are not. ``losses.get(NAME)`` and the terms of a fused model never look: a NaN
that a network gives must reach the guards of the training, and reading values would make a GPU wait.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from dmf_cli import parameters
from dmf_cli.errors import ConfigError
from dmf_cli.ops.backend import is_concrete

ROUNDING = 1e-2  # of float16 and bfloat16 sums


def checked(loss: Callable[..., Any]) -> Callable[..., Any]:
    """``loss`` with :func:`check` and a check of its parameters."""

    @functools.wraps(loss)
    def eager(y_true: Any, y_pred: Any, *rest: Any, **params: Any) -> Any:
        parameters.check(loss, params)
        result = loss(y_true, y_pred, *rest, **params)  # first: it checks shapes
        check(y_true, y_pred)
        return result

    eager.__module__ = "dmf_cli.losses"  # under which it can be found again (pickle)
    return eager


def unchecked(loss: Callable[..., Any]) -> Callable[..., Any]:
    """The function behind a loss of this package (or a ``functools.partial`` of one); others as they are.

    What a ``functools.partial`` fixes is checked here, once.
    """
    if isinstance(loss, functools.partial):
        function = unchecked(loss.func)
        if function is not loss.func:
            parameters.check(function, loss.keywords)
        return functools.partial(function, *loss.args, **loss.keywords)
    ours = getattr(loss, "__module__", "") == "dmf_cli.losses"
    return getattr(loss, "__wrapped__", loss) if ours else loss


def check(y_true: Any, y_pred: Any) -> None:
    """Raise ``ConfigError`` for labels that are not one-hot or predictions that are no probabilities.

    Does nothing for tensors without values (inside a traced function).

    Args:
        y_true: labels, ``(batch, *spatial, classes)``: in [0, 1], summing to 1 over several classes.
        y_pred: probabilities of the same shape, in [0, 1].
    """
    if is_concrete(y_pred):
        check_probabilities(values(y_pred))
    if is_concrete(y_true):
        check_one_hot(values(y_true))


def check_probabilities(p: np.ndarray) -> None:
    """Raise ``ConfigError`` for predictions outside of [0, 1]."""
    if not np.isfinite(p).all():
        raise ConfigError(key="y_pred", reason=f"has {_count(~np.isfinite(p))} that are NaN or infinite")
    if p.min() < -1e-5 or p.max() > 1 + 1e-3:
        allowed = "probabilities from 0 to 1, the output of a softmax or a sigmoid"
        raise ConfigError(key="y_pred", reason=_values(p), allowed=allowed)


def check_one_hot(g: np.ndarray) -> None:
    """Raise ``ConfigError`` for labels outside of [0, 1], or that do not sum to 1 over several classes."""
    classes = g.shape[-1]
    what = f"one-hot labels of {classes} classes (0 to {classes - 1})" if classes > 1 else "a mask of 0 and 1"
    if not np.isfinite(g).all() or g.min() < 0 or g.max() > 1:
        how = " (divide it by 255)" if classes == 1 and g.max() == 255 else ""
        raise ConfigError(key="y_true", reason=_values(g), allowed=f"{what}{how}")
    wrong = np.abs(g.sum(axis=-1) - 1.0) > ROUNDING
    if classes > 1 and wrong.any():
        sums = f"does not sum to 1 over the classes at {_count(wrong, 'pixel')}"
        why = "a label is outside of the classes, or missing"
        raise ConfigError(key="y_true", reason=sums, hint=f"{why}; give {what}")


def values(tensor: Any) -> np.ndarray:
    """The values of a concrete tensor, float32."""
    # Cast afterwards: inside a traced function of JAX an operation on known values gives none.
    return np.asarray(ops.convert_to_numpy(tensor)).astype("float32")


def _values(array: np.ndarray) -> str:
    return f"has values from {array.min():g} to {array.max():g}"


def _count(wrong: np.ndarray, what: str = "value") -> str:
    n = int(wrong.sum())
    return f"{n} {what}{'s' if n != 1 else ''} of {wrong.size}"
