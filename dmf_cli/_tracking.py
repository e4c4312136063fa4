"""Values that a fused model keeps on the device while it trains, read by the host once an epoch."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from dmf_cli._backend import to_numpy

Tensor = Any


class TermMeans(keras.metrics.Metric):
    """Sample-weighted epoch means of everything about the terms, in one vector.

    ``result`` is a dict: ``loss.TERM`` (raw), ``weight.TERM``, ``share.TERM`` (their product),
    ``objective`` (the fixed-weight sum), ``raw_sum`` (of the weights before ``total`` rescales them), and
    ``gamma`` and ``aux`` where there is an auxiliary loss.
    """

    def __init__(self, terms: Sequence[str], auxiliary: bool, name: str = "terms") -> None:
        super().__init__(name=name, dtype="float32")
        kinds = [f"{kind}.{term}" for kind in ("loss", "weight", "share") for term in terms]
        self.columns = [*kinds, "objective", "raw_sum", *(("gamma", "aux") if auxiliary else ())]
        self.sums = self.add_variable((len(self.columns),), "zeros", name="sums")
        self.count = self.add_variable((), "zeros", name="count")

    def update_state(
        self,
        raw: Tensor,
        weights: Tensor,
        objective: Tensor,
        raw_sum: Tensor,
        gamma: Tensor,
        aux: Tensor,
        batch: Tensor,
    ) -> None:
        """Add one step of ``batch`` samples; ``raw`` and ``weights`` are ``(n_terms,)``, the rest scalars."""
        scalars = ops.stack([ops.cast(v, "float32") for v in (objective, raw_sum, gamma, aux)])
        row = ops.concatenate([raw, weights, raw * weights, scalars])[: len(self.columns)]
        count = ops.cast(batch, "float32")
        self.sums.assign(self.sums.value + row * count)
        self.count.assign(self.count.value + count)

    def result(self) -> dict[str, Tensor]:
        """The means so far, 0 before the first step."""
        means = self.sums.value / ops.maximum(self.count.value, 1.0)
        return {name: means[i] for i, name in enumerate(self.columns)}


class StepRecorder(keras.metrics.Metric):
    """The last ``capacity`` steps, one row each, in a ring on the device.

    It is a metric because Keras carries metric variables through a compiled step on every backend but
    keeps them out of saved weights. Resetting does nothing: the validation pass resets all metrics
    before an epoch's callbacks could read them.
    """

    def __init__(self, terms: Sequence[str], capacity: int, name: str = "steps") -> None:
        super().__init__(name=name, dtype="float32")
        names = [f"loss.{term}" for term in terms] + [f"weight.{term}" for term in terms]
        self.columns = ["step", "loss", "gamma", "aux", *names]
        self.capacity = capacity
        self.rows = self.add_variable((capacity, len(self.columns)), "zeros", name="rows")
        self.written = self.add_variable((), "zeros", dtype="int32", name="written")

    def update_state(
        self, step: Tensor, total: Tensor, gamma: Tensor, aux: Tensor, raw: Tensor, weights: Tensor
    ) -> None:
        """Write one row; a NaN loss is written as it is."""
        scalars = ops.stack([ops.cast(v, "float32") for v in (step, total, gamma, aux)])
        row = ops.concatenate([scalars, raw, weights])
        here = ops.arange(self.capacity, dtype="int32")[:, None] == self.written.value % self.capacity
        self.rows.assign(ops.where(here, row[None, :], self.rows.value))
        self.written.assign(self.written.value + 1)

    def reset_state(self) -> None:
        """Keep the rows; see the class."""

    def result(self) -> dict[str, Tensor]:
        """Nothing for the epoch's logs; read :meth:`take`."""
        return {}

    def take(self) -> list[dict[str, float]]:
        """The rows written since the last call (the last ``capacity`` of them), oldest first."""
        written, rows = int(to_numpy(self.written)), to_numpy(self.rows)
        order = [i % self.capacity for i in range(max(0, written - self.capacity), written)]
        self.written.assign(0)
        return [dict(zip(self.columns, map(float, rows[i]), strict=True)) for i in order]
