"""The values of the terms that a compiled step of TensorFlow returns: one vector, read as numbers later.

TensorFlow makes an object of each tensor that a compiled function returns, which takes as long as a small
loss. So the step returns the epoch means of all terms in one of them, and what Keras gets are its entries.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from keras import ops

Tensor = Any
VECTOR = "all terms in one vector"  # as no metric is called


class StepNumber:
    """A number of a vector on the device; reading one brings all of them, and none is read before."""

    __slots__ = ("_index", "_row")

    def __init__(self, row: "StepVector", index: int) -> None:
        self._row, self._index = row, index

    def __float__(self) -> float:
        return float(self.numpy())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.numpy(), dtype)

    def numpy(self) -> np.float32:
        """The number, as that of a tensor."""
        value: np.float32 = self._row.read()[self._index]
        return value


class StepVector:
    """A vector on the device, and its copy once it was read."""

    __slots__ = ("_copy", "_vector")

    def __init__(self, vector: Tensor) -> None:
        self._vector = vector
        self._copy: np.ndarray | None = None

    def read(self) -> np.ndarray:
        """The numbers."""
        if self._copy is None:
            self._copy = np.asarray(ops.convert_to_numpy(self._vector))
        return self._copy


class Packing:
    """Whether a step is being compiled whose logs are a vector.

    Args:
        columns: names of the numbers of the vector.
        vector: gives it.
    """

    def __init__(self, columns: Sequence[str], vector: Callable[[], Tensor]) -> None:
        self.columns, self.vector, self.on = list(columns), vector, False

    def packed(self, logs: dict[str, Any]) -> dict[str, Any]:
        """``logs`` with one entry for all columns; unchanged outside of such a step."""
        if not self.on or not logs.keys() >= set(self.columns):
            return logs
        return {**{k: v for k, v in logs.items() if k not in self.columns}, VECTOR: self.vector()}

    def around(self, function: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
        """``function``, whose logs are packed inside and not outside."""

        def step(iterator: Any) -> dict[str, Any]:
            self.on = True
            try:
                logs = dict(function(iterator))
            finally:
                self.on = False
            if VECTOR not in logs:  # those of a subclass with a step of its own
                return logs
            row = StepVector(logs.pop(VECTOR))
            return {**logs, **{name: StepNumber(row, index) for index, name in enumerate(self.columns)}}

        return step
