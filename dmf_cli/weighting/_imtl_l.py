"""Weights learned so that all weighted losses become equal."""

from typing import Any

from keras import ops

from dmf_cli.parts import strategy
from dmf_cli.ranges import Positive
from dmf_cli.weighting._strategy import State, Strategy, Tensor

FARTHEST = 20.0  # of s: e^20 is 5e8, beyond losses of 1e-8 to 1e8


@strategy
class imtl_l(Strategy):  # noqa: N801 - the class name is the name users write
    """Learns s with the network: sum_i exp(s_i) L_i - s_i, so w_i = exp(s_i), from s = 0.

    At the minimum exp(s) L = 1: the weights bring all losses to the same scale.

    Args:
        learning_rate: > 0, of the plain gradient step on s after each row; the slope is cut to [-1, 1], so
            that a spike moves it by one step's length only.
        warmup: see :class:`Strategy`; s waits.

    Source: Liu et al., "Towards impartial multi-task learning" (IMTL-L), ICLR 2021.
    """

    needs_positive = True

    def __init__(self, *, learning_rate: Positive = 0.025, **common: Any) -> None:
        super().__init__(**common)
        self.learning_rate = learning_rate

    def start(self, n_terms: int) -> Tensor:
        """The weights at s = 0: ones."""
        return ops.ones((n_terms,), dtype="float32")

    def memory(self, n_terms: int) -> State:
        """``scale``: s, ``(n_terms,)``."""
        return {"scale": ops.zeros((n_terms,), dtype="float32")}

    def adapt(self, state: State, losses: Tensor) -> tuple[State, Tensor]:
        """The weights of s as it is, and s one step on, as when it is trained along with the network."""
        weights = ops.exp(state["scale"])
        slope = ops.clip(weights * ops.maximum(losses, 0.0) - 1.0, -1.0, 1.0)
        stepped = ops.clip(state["scale"] - self.learning_rate * slope, -FARTHEST, FARTHEST)
        return {"scale": self.warm(state, stepped, state["scale"])}, weights
