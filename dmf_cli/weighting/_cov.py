"""Weights by the coefficient of variation of each loss's ratio to its own mean."""

from typing import Any

from keras import ops

from dmf_cli.parts import strategy
from dmf_cli.ranges import Part
from dmf_cli.weighting._strategy import EPSILON, State, Strategy, Tensor

LARGEST = 1e8  # of a ratio: its square still fits into float32


@strategy
class cov(Strategy):  # noqa: N801 - the class name is the name users write
    """w_i proportional to std(l_i) / mean(l_i), l_i = L_i / (mean of L_i so far), of the steps before.

    A loss that varies much relative to its size gets more weight, whatever its scale.
    std = sqrt(variance + 1e-8); equal in the first two steps. A loss that was always 0 has l = 1.

    Args:
        decay: None takes the mean over all steps; a number in (0, 1) the moving one that keeps this part of
            itself each step (mean and variance alike).
        warmup: see :class:`Strategy`.

    Source: Groenendijk et al., "Multi-loss weighting with coefficient of variations", WACV 2021,
    arXiv 2009.01717.
    """

    needs_positive = True

    def __init__(self, *, decay: Part | None = None, **common: Any) -> None:
        super().__init__(**common)
        self.decay = decay

    def memory(self, n_terms: int) -> State:
        """Running ``mean_loss``, ``mean_ratio`` and ``variance`` of the ratio, ``(n_terms,)`` each."""
        zeros = ops.zeros((n_terms,), dtype="float32")
        return {"mean_loss": zeros, "mean_ratio": zeros, "variance": zeros}

    def adapt(self, state: State, losses: Tensor) -> tuple[State, Tensor]:
        """The formula above; this row enters the statistics after its weights are known."""
        losses = ops.maximum(losses, 0.0)
        seen = ops.cast(ops.maximum(state["stored"], 1), "float32")
        spread = ops.sqrt(state["variance"] + EPSILON) / ops.maximum(state["mean_ratio"], EPSILON)
        raw = ops.where(seen <= 2.0, self.start(losses.shape[0]), spread / ops.sum(spread))
        kept = 1.0 - 1.0 / seen
        if self.decay is not None:
            kept = ops.where(seen <= 1.0, 0.0, self.decay)
        mean_loss = state["mean_loss"]
        known = mean_loss > EPSILON
        ratio = ops.where(known, losses / ops.where(known, mean_loss, 1.0), 1.0)
        ratio = ops.minimum(ratio, LARGEST)
        mean_ratio = kept * state["mean_ratio"] + (1.0 - kept) * ratio
        deviation = (ratio - state["mean_ratio"]) * (ratio - mean_ratio)
        new = {"mean_ratio": mean_ratio, "variance": kept * state["variance"] + (1.0 - kept) * deviation}
        new["mean_loss"] = kept * mean_loss + (1.0 - kept) * losses
        return new, raw
