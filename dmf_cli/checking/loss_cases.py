"""Labels and probabilities to try a loss with, from one pixel on."""

from collections.abc import Callable
from typing import Any

import numpy as np

Shape = tuple[int, ...]
# (batch, *axes, classes): what a loss is judged by.
SHAPES: dict[str, Shape] = {
    "1-D softmax": (2, 7, 2),
    "2-D sigmoid": (2, 4, 5, 1),
    "2-D softmax": (2, 4, 5, 3),
    "3-D softmax": (2, 3, 4, 2, 3),
}
# The same from the smallest on: in it a failure is shown, if it is there too.
ASCENDING: tuple[Shape, ...] = (
    (1, 1, 1, 1), (1, 1, 1), (1, 1, 1, 2), (2, 1, 1, 1), (2, 1, 1, 2), (1, 1, 3, 3), *SHAPES.values(),
)  # fmt: skip


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """Label maps as ``(batch, *axes, classes)``; of one class, 1 for every label above 0."""
    if classes == 1:
        return (labels > 0).astype("float32")[..., None]
    found: np.ndarray = np.eye(classes, dtype="float32")[labels % classes]
    return found


def random_case(shape: Shape, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Random one-hot labels, and probabilities inside (0, 1) with three decimals."""
    rng = np.random.default_rng(seed)
    classes = shape[-1]
    labels = rng.integers(0, max(2, classes), shape[:-1])
    noise = rng.uniform(0.05, 0.95, shape)
    if classes > 1:
        noise = (noise / noise.sum(-1, keepdims=True)).round(3)
        noise[..., -1] = 1 - noise[..., :-1].sum(-1)
    return one_hot(labels, classes), noise.round(3).astype("float32")


def every_class(shape: Shape, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """:func:`random_case` with labels in turn: each class is there if there are pixels for it."""
    labels = np.arange(np.prod(shape[:-1])).reshape(shape[:-1]) % max(2, shape[-1])
    return one_hot(labels, shape[-1]), random_case(shape, seed)[1]


def masks(shape: Shape) -> dict[str, np.ndarray]:
    """One-hot maps without the last class, with nothing else, and with both."""
    one = np.ones(shape[:-1], dtype=int)
    mixed = np.arange(one.size).reshape(one.shape) % 2
    return {
        name: one_hot(labels, shape[-1])
        for name, labels in (("empty", 0 * one), ("full", one), ("mixed", mixed))
    }


def smeared(y_true: np.ndarray, amount: float) -> np.ndarray:
    """``y_true`` with a share of its probability moved to the other classes."""
    others = max(1, y_true.shape[-1] - 1)
    smeared: np.ndarray = ((1 - amount) * y_true + amount * (1 - y_true) / others).astype("float32")
    return smeared


def shapes(wanted: Callable[[Shape], bool], *, smallest: bool = False) -> tuple[Shape, ...]:
    """Those of :data:`SHAPES`, or of all, that are wanted."""
    return tuple(filter(wanted, ASCENDING if smallest else SHAPES.values()))


def absent(case: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """A case with one more class, which nobody shows or predicts."""
    none: Any = np.zeros_like(case[0][..., :1])
    return np.concatenate([case[0], none], -1), np.concatenate([case[1], none], -1)
