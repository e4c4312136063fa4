"""Weights learned so that the gradients of all losses have sizes that fit their progress."""

from typing import Any

from keras import ops

from dmf_cli.parts import strategy
from dmf_cli.ranges import NotNegative, Positive
from dmf_cli.weighting._strategy import EPSILON, State, Strategy, Tensor

LEAST = 1e-3  # of w before it is normalised: never 0 or negative


@strategy
class gradnorm(Strategy):  # noqa: N801 - the class name is the name users write
    """Learns w: descends sum_i |G_i - mean(G) r_i^alpha|, G_i = w_i |grad L_i|, with the target held fixed.

    r_i = (L_i / L_i(0)) / mean_j(L_j / L_j(0)). A loss with small gradients or little progress gets more
    weight. After each step w is clamped to at least 1e-3 and scaled to the sum N. The gradients are those at
    the logits (the paper: at the last shared layer's weights), whose norms have another scale: a step
    is taken relative to the mean norm. The moved w weighs the same step.

    Args:
        alpha: >= 0; how strongly slow losses are pulled along; 0 makes all gradients equally long.
        learning_rate: > 0, of the plain gradient step on w at each row that is due (``every``).
        warmup: see :class:`Strategy`; w waits.

    Source: Chen et al., "GradNorm", ICML 2018, arXiv 1711.02257.
    """

    needs_positive = True
    needs_gradients = True
    statistics = ("norm",)

    def __init__(self, *, alpha: NotNegative = 1.5, learning_rate: Positive = 0.025, **common: Any) -> None:
        super().__init__(**common)
        self.alpha, self.learning_rate = alpha, learning_rate

    def start(self, n_terms: int) -> Tensor:
        """Ones: the published weights sum to N."""
        return ops.ones((n_terms,), dtype="float32")

    def memory(self, n_terms: int) -> State:
        """``learned`` (w) and the ``first`` losses, ``(n_terms,)`` each."""
        ones = ops.ones((n_terms,), dtype="float32")
        return {"learned": ones, "first": ones}

    def adapt(self, state: State, losses: Tensor) -> tuple[State, Tensor]:
        """The formula above."""
        losses, norm = ops.maximum(losses, 0.0), state["gradients"]["norm"]
        first = ops.where(state["stored"] <= 1, losses, state["first"])
        mean = ops.mean(norm)
        relative = norm / ops.where(mean > 0.0, mean, 1.0)
        progress = losses / ops.maximum(first, EPSILON)
        slope = norm_slope(state["learned"], relative, progress, self.alpha)
        stepped = ops.maximum(state["learned"] - self.learning_rate * slope, LEAST)
        stepped = stepped * (losses.shape[0] / ops.sum(stepped))
        learned = self.warm(state, stepped, state["learned"])
        return {"learned": learned, "first": first}, learned


def norm_slope(weights: Tensor, norm: Tensor, progress: Tensor, alpha: float) -> Tensor:
    """d/dw_i of sum_i |w_i norm_i - target_i| with the target mean(w norm) r^alpha held fixed.

    Args:
        weights: ``(n,)``.
        norm: |grad L_i|, ``(n,)``.
        progress: L_i / L_i(0), ``(n,)``; all 0 counts as equal.
        alpha: exponent of r = progress / mean(progress).
    """
    mean = ops.mean(progress)
    rate = ops.where(mean > 0.0, progress / ops.where(mean > 0.0, mean, 1.0), 1.0)
    size = weights * norm
    return norm * ops.sign(size - ops.mean(size) * ops.power(rate, alpha))
