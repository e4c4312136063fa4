"""Weights that bring the gradients of all losses to the size of one loss's."""

from typing import Annotated, Any, Literal

from annotated_types import Interval
from keras import ops

from dmf_cli.errors import ConfigError
from dmf_cli.parts import strategy
from dmf_cli.ranges import Whole
from dmf_cli.weighting._strategy import State, Strategy, Tensor

LARGEST = 1e6  # ratio of two gradients that is believed


@strategy
class lr_annealing(Strategy):  # noqa: N801 - the class name is the name users write
    """w_i = (1 - alpha) w_i + alpha g_ref / mean|grad L_i|, with the reference term at 1.

    g_ref is mean|grad L_ref| (``mean``: NVIDIA Modulus), or, with ``max``, the largest |grad L_ref| over
    mean|w_i grad L_i| (the paper, with alpha .9). Gradients at the logits. A term whose gradient is 0 keeps
    its weight, and so do all while that of the reference is 0; ratios are clamped to at most 1e6.

    Args:
        alpha: in (0, 1]: part of the new ratio at each row that is due (``every``).
        form: ``mean`` or ``max``.
        reference_term: index of the reference term in the loss expression, from 0.
        warmup: see :class:`Strategy`; w waits.

    Source: Wang et al., "Understanding and mitigating gradient pathologies in physics-informed neural
    networks", SIAM J. Sci. Comput. 43 (2021), arXiv 2001.04536.
    """

    symmetric = False  # the reference term has a weight of 1
    needs_gradients = True
    statistics = ("mean_abs", "max_abs")

    def __init__(
        self,
        *,
        alpha: Annotated[float, Interval(gt=0, le=1)] = 0.01,
        form: Literal["mean", "max"] = "mean",
        reference_term: Whole = 0,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.alpha, self.form, self.reference_term = alpha, form, reference_term

    def start(self, n_terms: int) -> Tensor:
        """Ones."""
        return ops.ones((n_terms,), dtype="float32")

    def memory(self, n_terms: int) -> State:
        """``learned`` (w), ``(n_terms,)``."""
        if self.reference_term >= n_terms:
            raise ConfigError(
                key="weighting.reference_term",
                value=self.reference_term,
                reason=f"and there are {n_terms} loss terms",
                allowed=f"an index from 0 to {n_terms - 1}",
            )
        return {"learned": ops.ones((n_terms,), dtype="float32")}

    def adapt(self, state: State, losses: Tensor) -> tuple[State, Tensor]:
        """The formula above."""
        learned, mean = state["learned"], state["gradients"]["mean_abs"]
        size = mean if self.form == "mean" else learned * mean
        target = (mean if self.form == "mean" else state["gradients"]["max_abs"])[self.reference_term]
        known = ops.logical_and(size > 0.0, target > 0.0)
        ratio = ops.minimum(target / ops.where(known, size, 1.0), LARGEST)
        moved = (1.0 - self.alpha) * learned + self.alpha * ratio
        others = ops.arange(losses.shape[0], dtype="int32") != self.reference_term
        moved = ops.where(ops.logical_and(known, others), moved, learned)
        learned = self.warm(state, moved, learned)
        return {"learned": learned}, learned
