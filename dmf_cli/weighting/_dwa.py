"""Weights by how fast each loss fell from epoch to epoch."""

from typing import Any

from keras import ops

from dmf_cli.errors import ConfigError
from dmf_cli.parts import strategy
from dmf_cli.ranges import Positive, Steps
from dmf_cli.weighting._strategy import EPSILON, State, Strategy, Tensor, softmax


@strategy
class dwa(Strategy):  # noqa: N801 - the class name is the name users write
    """w = N softmax(r / T), r_i = Lbar_i(e-1) / Lbar_i(e-2), of the mean losses of the last two epochs.

    A loss that fell less gets more weight. Equal in the first two epochs. A loss whose mean was 0 has no
    rate: it takes r = 1, that of one that stands still.

    Args:
        temperature: T > 0; larger is closer to equal.
        steps_per_epoch: rows of an epoch, >= 1 (``dmf train`` fills it in).
        warmup: see :class:`Strategy`; comes on top of the two epochs only where it is longer.

    Source: Liu et al., "End-to-end multi-task learning with attention" (Dynamic Weight Average), CVPR 2019,
    arXiv 1803.10704.
    """

    needs_positive = True

    def __init__(
        self, *, temperature: Positive = 2.0, steps_per_epoch: Steps | None = None, **common: Any
    ) -> None:
        super().__init__(**common)
        if steps_per_epoch is None:
            raise ConfigError(
                key="weighting.steps_per_epoch",
                reason="is not given",
                hint="dwa compares the means of whole epochs; give the number of steps in one "
                "(`dmf train` fills it in)",
            )
        self.temperature, self.steps_per_epoch = temperature, steps_per_epoch
        self.delay = 2 * steps_per_epoch

    def start(self, n_terms: int) -> Tensor:
        """Ones: the published weights sum to N."""
        return ops.ones((n_terms,), dtype="float32")

    def memory(self, n_terms: int) -> State:
        """The running epoch (``epoch sums count``) and the means of the two ``complete`` ones before."""
        zero, ones = ops.zeros((), dtype="int32"), ops.ones((n_terms,), dtype="float32")
        sums = ops.zeros((n_terms,), dtype="float32")
        return {"epoch": zero, "complete": zero, "count": zero, "sums": sums, "last": ones, "before": ones}

    def adapt(self, state: State, losses: Tensor) -> tuple[State, Tensor]:
        """The formula above; an epoch is over when a row of the next one comes."""
        epoch = (state["step"] - 1) // self.steps_per_epoch
        over = ops.logical_and(epoch > state["epoch"], state["count"] > 0)
        means = state["sums"] / ops.cast(ops.maximum(state["count"], 1), "float32")
        last = ops.where(over, means, state["last"])
        before = ops.where(over, state["last"], state["before"])
        complete = state["complete"] + ops.cast(over, "int32")
        rate = ops.where(before > EPSILON, last / ops.maximum(before, EPSILON), 1.0)
        weights = losses.shape[0] * softmax(rate / self.temperature)
        new = {"epoch": epoch, "complete": complete, "last": last, "before": before}
        new["count"] = ops.where(over, 0, state["count"]) + 1
        new["sums"] = ops.where(over, 0.0, state["sums"]) + ops.maximum(losses, 0.0)
        return new, ops.where(complete < 2, ops.ones_like(losses), weights)
