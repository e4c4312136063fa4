"""Weights learned so that all losses fall at the same relative rate."""

from typing import Any

from keras import ops

from dmf_cli.parts import strategy
from dmf_cli.ranges import NotNegative, Positive
from dmf_cli.weighting._strategy import EPSILON, State, Strategy, Tensor, softmax

BETA_1, BETA_2, ADAM_EPSILON = 0.9, 0.999, 1e-8


@strategy
class famo(Strategy):  # noqa: N801 - the class name is the name users write
    """w_i = c z_i / L_i, z = softmax(xi), c = 1 / sum(z / L); Adam moves xi by how far log L_i fell.

    A loss that fell less (relative to its size) gets a larger z. The gradient for xi is that of
    sum_i z_i d_i, d_i = log L_i(before) - log L_i(after the step). The original computes the losses of the
    same batch again after the step; here the losses of the next batch stand in for them, which costs
    nothing and is noisier. Losses are clamped to at least 1e-8; one that reaches 0 takes nearly all the
    weight (``ceiling`` prevents it).

    Args:
        learning_rate: > 0, of Adam on xi.
        weight_decay: >= 0, added to the gradient as weight_decay * xi: pulls z towards equal.
        warmup: see :class:`Strategy`; xi waits.

    Source: Liu et al., "FAMO: fast adaptive multitask optimization", NeurIPS 2023, arXiv 2306.03792.
    """

    needs_positive = True

    def __init__(
        self, *, learning_rate: Positive = 0.025, weight_decay: NotNegative = 0.001, **common: Any
    ) -> None:
        super().__init__(**common)
        self.learning_rate, self.weight_decay = learning_rate, weight_decay

    def memory(self, n_terms: int) -> State:
        """``logits`` (xi), Adam's ``momentum``, ``square`` and ``moves``, and the last row's ``logs``."""
        zeros = ops.zeros((n_terms,), dtype="float32")
        moves = ops.zeros((), dtype="int32")
        return {"logits": zeros, "momentum": zeros, "square": zeros, "logs": zeros, "moves": moves}

    def adapt(self, state: State, losses: Tensor) -> tuple[State, Tensor]:
        """The formula above; the first row has nothing to be compared with."""
        logs = ops.log(ops.maximum(losses, EPSILON))
        ready = ops.logical_and(state["stored"] >= max(2, self.warmup), state["stored"] > 1)
        z = softmax(state["logits"])
        fell = state["logs"] - logs
        gradient = z * (fell - ops.sum(z * fell)) + self.weight_decay * state["logits"]
        moved = self._adam(state, gradient)
        new = {name: ops.where(ready, value, state[name]) for name, value in moved.items()}
        # softmax(xi) / L up to a factor: in logarithms, nothing overflows.
        weights = softmax(new["logits"] - logs)
        return {**new, "logs": logs}, weights

    def _adam(self, state: State, gradient: Tensor) -> State:
        """One step of Adam on the logits."""
        moves = state["moves"] + 1
        momentum = BETA_1 * state["momentum"] + (1.0 - BETA_1) * gradient
        square = BETA_2 * state["square"] + (1.0 - BETA_2) * ops.square(gradient)
        power = ops.cast(moves, "float32")
        corrected = momentum / (1.0 - BETA_1**power)
        scale = ops.sqrt(square / (1.0 - BETA_2**power)) + ADAM_EPSILON
        logits = state["logits"] - self.learning_rate * corrected / scale
        return {"logits": logits, "momentum": momentum, "square": square, "moves": moves}
