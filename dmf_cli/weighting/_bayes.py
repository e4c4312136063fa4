"""DMF with a belief that is updated by the steadiness of each loss."""

from typing import Any

import numpy as np
from keras import ops

from dmf_cli.parts import strategy
from dmf_cli.ranges import Share
from dmf_cli.weighting._memory import precision
from dmf_cli.weighting._ordered import Ordered
from dmf_cli.weighting._strategy import State, Tensor

FLOOR = 1e-6
SMALLEST = float(np.finfo("float32").tiny)


@strategy
class bayes(Ordered):  # noqa: N801 - the class name is the name users write
    """p_i <- p_i^prior_power / (MAD(z_i) + 1e-7), normalised, from p = 1/N; w = p.

    With ``prior_power=1`` (the notebook) the prior compounds every step and one term ends up with all
    the weight for good; the default 0.5 tempers it, so that the belief forgets and recovers. Below 1
    every belief is kept at 1e-6 or more.

    Args:
        prior_power: in [0, 1]; 0 is ``mad``, 1 the notebook.
        window: see :class:`Memory`.
        warmup: see :class:`Memory`.
        total: see :class:`Strategy`.
        prior: see :class:`Strategy`; multiplies the belief, does not enter it.

    Source: Golnari & Diba, Biomed. Signal Process. Control 111 (2026) 108388, and its notebook.
    """

    def __init__(self, *, prior_power: Share = 0.5, **common: Any) -> None:
        super().__init__(**common)
        self.prior_power = prior_power

    def memory(self, n_terms: int) -> State:
        """That of :class:`Ordered` and ``belief`` ``(n_terms,)``."""
        belief = ops.full((n_terms,), 1.0 / n_terms, dtype="float32")
        return {**super().memory(n_terms), "belief": belief}

    def adapt(self, state: State, losses: Tensor) -> tuple[State, Tensor]:
        """The formula above; the belief stays uniform during warm-up."""
        new, deviation = self.deviation(state, losses)
        belief = ops.power(state["belief"], self.prior_power) * precision(deviation)
        belief = belief / ops.sum(belief)
        if self.prior_power < 1.0:
            belief = ops.maximum(belief, FLOOR)
            belief = belief / ops.sum(belief)
        # TensorFlow takes subnormal numbers for 0, PyTorch does not, and there a lost belief came back.
        belief = ops.where(belief < SMALLEST, 0.0, belief)
        belief = ops.where(state["stored"] < self.warmup, state["belief"], belief)
        return {**new, "belief": belief}, belief
