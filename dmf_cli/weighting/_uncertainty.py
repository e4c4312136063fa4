"""Weights learned as the noise of each loss."""

from typing import Any, Literal

from keras import ops

from dmf_cli.parts import strategy
from dmf_cli.ranges import Positive
from dmf_cli.weighting._strategy import State, Strategy, Tensor

FARTHEST = 20.0  # of s: e^20 is 5e8, beyond losses of 1e-8 to 1e8
SMALLEST = 1e-4  # of c


@strategy
class uncertainty(Strategy):  # noqa: N801 - the class name is the name users write
    """Learns s with the network: sum_i .5 exp(-s_i) L_i + .5 s_i, so w_i = .5 exp(-s_i), from s = 0.

    The form ``positive`` learns c from 1 in sum_i .5 L_i / c_i^2 + log(1 + c_i^2), w_i = .5 / c_i^2, whose
    regulariser cannot become negative. The larger a loss, the smaller its weight in the end (exp(-s) = 1/L).

    Args:
        form: ``log_variance`` or ``positive``.
        learning_rate: > 0, of the plain gradient step on s or c after each row; the slope is cut to
            [-1, 1], so that a spike moves it by one step's length only.
        warmup: see :class:`Strategy`; s waits.

    Source: Kendall et al., CVPR 2018, arXiv 1705.07115 (log_variance); Liebel & Körner, "Auxiliary tasks in
    multi-task learning", arXiv 1805.06334 (positive).
    """

    needs_positive = True

    def __init__(
        self,
        *,
        form: Literal["log_variance", "positive"] = "log_variance",
        learning_rate: Positive = 0.025,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.form, self.learning_rate = form, learning_rate

    def start(self, n_terms: int) -> Tensor:
        """The weights at s = 0 and c = 1: a half each."""
        return ops.full((n_terms,), 0.5, dtype="float32")

    def memory(self, n_terms: int) -> State:
        """``noise``: s, or c; ``(n_terms,)``."""
        return {"noise": ops.full((n_terms,), float(self.form == "positive"), dtype="float32")}

    def adapt(self, state: State, losses: Tensor) -> tuple[State, Tensor]:
        """The weights of s as it is, and s one step on, as when it is trained along with the network."""
        noise, losses = state["noise"], ops.maximum(losses, 0.0)
        if self.form == "positive":
            weights = 0.5 / ops.square(noise)
            slope = 2.0 * noise / (1.0 + ops.square(noise)) - losses / ops.power(noise, 3.0)
        else:
            weights = 0.5 * ops.exp(-noise)
            slope = 0.5 - weights * losses
        stepped = noise - self.learning_rate * ops.clip(slope, -1.0, 1.0)
        low = SMALLEST if self.form == "positive" else -FARTHEST
        high = 1.0 / SMALLEST if self.form == "positive" else FARTHEST
        return {"noise": self.warm(state, ops.clip(stepped, low, high), noise)}, weights
