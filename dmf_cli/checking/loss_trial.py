"""A loss with its value and gradient at any input; what goes wrong there is an example of it."""

import dataclasses
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from keras import ops

from dmf_cli.checking import loss_cases
from dmf_cli.checking.findings import Broken, called
from dmf_cli.checking.loss_cases import Shape, random_case
from dmf_cli.ops.backend import compiled, values_and_gradients

Function = Callable[[Any, Any], Any]
CLASSES, AXES = (1, 2, 3), (1, 2, 3)


@dataclasses.dataclass(frozen=True)
class TriedLoss:
    """A loss with its parameters fixed, and which shapes it takes at all.

    Args:
        function: ``(y_true, y_pred) -> scalar``.
        axes: numbers of spatial axes.
        classes: numbers of classes.
    """

    function: Function
    axes: tuple[int, ...] = AXES
    classes: tuple[int, ...] = CLASSES

    @classmethod
    def of(cls, function: Function) -> "TriedLoss":
        """Tries which axes and classes it takes; it is judged by these."""
        classes = tuple(n for n in CLASSES if _is_taken(function, (2, 4, 5, n)))
        axes = [n for n in AXES if any(_is_taken(function, (*(2, 4, 3, 2)[: n + 1], c)) for c in classes)]
        return cls(function, tuple(axes), classes)

    def takes(self, shape: Shape) -> bool:
        """Whether it is to be judged by inputs of this shape."""
        return len(shape) - 2 in self.axes and shape[-1] in self.classes

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """Of ordinary inputs."""
        found = loss_cases.shapes(self.takes)
        return found or ((2, 4, 5, self.classes[0]),)

    @property
    def ascending(self) -> tuple[Shape, ...]:
        """The same, from one pixel on."""
        return loss_cases.shapes(self.takes, smallest=True) or self.shapes


def value(function: Function, y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """The loss as a number; :class:`Broken` if it gives none, or one that is not finite."""
    example = named((y_true, y_pred))
    result = called(function, ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred), **example)
    return _number(result, example)


def gradient(function: Function, y_true: np.ndarray, y_pred: np.ndarray) -> tuple[float, np.ndarray | None]:
    """The value, and the gradient at the probabilities; :class:`Broken` if either is not finite."""
    example = named((y_true, y_pred))
    truth, prediction = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)

    def both() -> tuple[Any, Any]:
        (result,), gradients = values_and_gradients([partial(function, truth)], prediction)
        number = _number(result, example)
        return number, gradients()[0]

    number, slope = called(both, **example)
    found = None if slope is None else ops.convert_to_numpy(slope)
    if found is not None and not np.isfinite(found).all():
        raise Broken(f"its gradient is {_odd(found)} where the value is {number:.4g}", **example)
    return number, found


def _number(result: Any, example: dict[str, np.ndarray]) -> float:
    shape = tuple(getattr(result, "shape", ()))
    if shape:
        raise Broken(f"gives shape {shape}: return one number, as keras.ops.mean(...)", **example)
    try:
        number = float(ops.convert_to_numpy(result)) if hasattr(result, "dtype") else float(result)
    except (TypeError, ValueError):
        raise Broken(f"gives {result!r}: return one number", **example) from None
    if not np.isfinite(number):
        raise Broken(f"gives {number}", **example)
    return number


def named(case: tuple[np.ndarray, np.ndarray]) -> dict[str, np.ndarray]:
    """Labels and probabilities by the names that examples give them."""
    return dict(zip(("y_true", "y_pred"), case, strict=True))


def _is_taken(function: Function, shape: Shape) -> bool:
    try:
        value(function, *random_case(shape))
    except Broken:
        return False
    return True


def _odd(array: np.ndarray) -> str:
    return "NaN" if np.isnan(array).any() else "infinite"


def step(function: Function) -> Callable[..., Any]:
    """Value and gradient, compiled."""

    def both(y_true: Any, y_pred: Any) -> Any:
        values, gradients = values_and_gradients([partial(function, y_true)], y_pred)
        slope = gradients()[0]
        return values[0], values[0] if slope is None else slope

    return compiled(both)


def seconds(step: Callable[..., Any], y_true: Any, y_pred: Any) -> float:
    """How long one :func:`step` takes."""
    begin = time.perf_counter()
    ops.convert_to_numpy(step(y_true, y_pred)[1])
    return time.perf_counter() - begin
