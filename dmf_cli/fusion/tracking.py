"""Values that a fused model keeps on the device while it trains, read by the host once an epoch."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from dmf_cli.errors import ConfigError
from dmf_cli.ops.backend import to_numpy

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
        helper = (gamma, aux) if self.columns[-1] == "aux" else ()
        scalars = ops.stack([ops.cast(v, "float32") for v in (objective, raw_sum, *helper)])
        row = ops.concatenate([raw, weights, raw * weights, scalars])
        count = ops.cast(batch, "float32")
        self.sums.assign(self.sums.value + row * count)
        self.count.assign(self.count.value + count)

    def result(self) -> dict[str, Tensor]:
        """The means so far, 0 before the first step."""
        return dict(zip(self.columns, ops.unstack(self.means(), len(self.columns)), strict=True))

    def means(self) -> Tensor:
        """What :meth:`result` gives, as a vector ``(len(columns),)``."""
        return self.sums.value / ops.maximum(self.count.value, 1.0)


class Ring(keras.metrics.Metric):
    """The last ``capacity`` rows that were written, in a ring on the device.

    It is a metric because Keras carries metric variables through a compiled step on every backend but
    keeps them out of saved weights. Resetting does nothing: the validation pass resets all metrics
    before an epoch's callbacks could read them.
    """

    def __init__(self, columns: Sequence[str], capacity: int, name: str) -> None:
        super().__init__(name=name, dtype="float32")
        self.columns, self.capacity = list(columns), capacity
        # The replicas of tf.distribute write the same rows: the first one's, not their sum.
        first = {"aggregation": "only_first_replica"}
        self.rows = self.add_variable((capacity, len(self.columns)), "zeros", name="rows", **first)
        self.written = self.add_variable((), "zeros", dtype="int32", name="written", **first)

    def write(self, row: Tensor, when: Tensor = True) -> None:
        """Write ``row`` ``(len(columns),)`` unless the scalar ``when`` is False."""
        here = ops.arange(self.capacity, dtype="int32")[:, None] == self.written.value % self.capacity
        self.rows.assign(ops.where(ops.logical_and(here, when), row[None, :], self.rows.value))
        self.written.assign(self.written.value + ops.cast(when, "int32"))

    def reset_state(self) -> None:
        """Keep the rows; see the class."""

    def result(self) -> dict[str, Tensor]:
        """Nothing for the epoch's logs; read :meth:`take`."""
        return {}

    def take(self) -> list[dict[str, float]]:
        """The rows written since the last call (the last ``capacity`` of them), oldest first."""
        found = self.read()
        self.written.assign(0)
        return found

    def read(self) -> list[dict[str, float]]:
        """What :meth:`take` would give."""
        written, rows = int(to_numpy(self.written)), to_numpy(self.rows)
        order = [i % self.capacity for i in range(max(0, written - self.capacity), written)]
        return [dict(zip(self.columns, map(float, rows[i]), strict=True)) for i in order]


class StepRecorder(Ring):
    """Every step: ``step loss gamma aux loss.TERM weight.TERM``, all of the full scale.

    A NaN loss is written as NaN, also where only a coarser scale or a penalty of the network is NaN.
    """

    def __init__(self, terms: Sequence[str], capacity: int, name: str = "steps") -> None:
        names = [f"loss.{term}" for term in terms] + [f"weight.{term}" for term in terms]
        super().__init__(["step", "loss", "gamma", "aux", *names], capacity, name)

    def update_state(
        self, step: Tensor, total: Tensor, gamma: Tensor, aux: Tensor, raw: Tensor, weights: Tensor
    ) -> None:
        """Write one row."""
        scalars = ops.stack([ops.cast(v, "float32") for v in (step, total, gamma, aux)])
        self.write(ops.concatenate([scalars, raw, weights]))


class GradientRecorder(Ring):
    """Now and then: ``step norm.TERM mean_abs.TERM max_abs.TERM cosine.A|B`` of the terms' gradients."""

    kinds = ("norm", "mean_abs", "max_abs")

    def __init__(self, terms: Sequence[str], capacity: int, name: str = "gradients") -> None:
        pairs = list(itertools.combinations(range(len(terms)), 2))
        self.upper = [a * len(terms) + b for a, b in pairs]
        cosines = [f"cosine.{terms[a]}|{terms[b]}" for a, b in pairs]
        sizes = [f"{kind}.{term}" for kind in self.kinds for term in terms]
        super().__init__(["step", *sizes, *cosines], capacity, name)

    def update_state(self, step: Tensor, statistics: Mapping[str, Tensor], when: Tensor) -> None:
        """Write one row if ``when``; ``statistics`` as of ``logit_gradients.gradient_statistics``."""
        parts = [ops.reshape(ops.cast(step, "float32"), (1,)), *(statistics[kind] for kind in self.kinds)]
        if self.upper:
            parts.append(ops.take(ops.reshape(statistics["cosine"], (-1,)), self.upper))
        self.write(ops.concatenate(parts), when)


def recorders(
    terms: Sequence[str], record_steps: int, insight_every: int
) -> tuple[StepRecorder | None, GradientRecorder | None]:
    """What keeps ``record_steps`` steps of an epoch and, every ``insight_every`` of them, the gradients."""
    if insight_every < 0 or (insight_every and not record_steps):
        raise ConfigError(
            key="insight_every",
            value=insight_every,
            reason=f"and record_steps {record_steps}",
            allowed="whole numbers of steps",
            hint="insight is recorded among the recorded steps",
        )
    steps = StepRecorder(terms, record_steps) if record_steps else None
    rows = -(-record_steps // insight_every) if insight_every else 0
    return steps, GradientRecorder(terms, rows) if rows else None
