"""Weights by relative progress, with a random look back at the start of the training."""

from typing import Any

from keras import ops

from dmf_cli.parts import strategy
from dmf_cli.ranges import Positive, Seed, Share
from dmf_cli.weighting import _generator
from dmf_cli.weighting._strategy import EPSILON, State, Strategy, Tensor, softmax


@strategy
class relobralo(Strategy):  # noqa: N801 - the class name is the name users write
    """w = alpha (rho w + (1 - rho) b(t, 0)) + (1 - alpha) b(t, t-1), b(t, t') = N softmax(L(t) / (T L(t'))).

    A loss that made less progress since t' gets more weight; rho ~ Bernoulli(``rho``) each step decides
    whether the past is the weights so far or the first step. Starts at 1 each.

    Args:
        alpha: in [0, 1]: part of the past that is kept.
        rho: in [0, 1]: probability of continuing from the weights so far; 1 (its authors) never looks back.
        temperature: T > 0; larger is closer to equal.
        jump: the second step takes b(1, 0) whole (its authors' schedule) instead of a part of 1 - alpha
            (NVIDIA Modulus, with alpha .95, rho .99).
        seed: >= 0, of the draws of rho; None is 0 (``dmf train`` fills in the seed of the run).
        warmup: see :class:`Strategy`; w is gathered meanwhile.

    Source: Bischof & Kraus, "Multi-objective loss balancing for physics-informed deep learning", 2021,
    arXiv 2110.09813.
    """

    needs_positive = True

    def __init__(
        self,
        *,
        alpha: Share = 0.999,
        rho: Share = 1.0,
        temperature: Positive = 1.0,
        jump: bool = True,
        seed: Seed | None = None,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.alpha, self.rho, self.temperature = alpha, rho, temperature
        self.jump, self.seed = jump, seed

    def start(self, n_terms: int) -> Tensor:
        """Ones: the published weights sum to N."""
        return ops.ones((n_terms,), dtype="float32")

    def memory(self, n_terms: int) -> State:
        """``balance`` (w), and the losses of the ``first`` and the ``previous`` row, ``(n_terms,)`` each."""
        ones = ops.ones((n_terms,), dtype="float32")
        return {"balance": ones, "first": ones, "previous": ones}

    def adapt(self, state: State, losses: Tensor) -> tuple[State, Tensor]:
        """The formula above."""
        losses, seen = ops.maximum(losses, 0.0), state["stored"]
        first = ops.where(seen <= 1, losses, state["first"])
        recent = self._progress(losses, ops.where(seen <= 1, losses, state["previous"]))
        past = state["balance"]
        if self.rho < 1.0:
            stays = _generator.uniform(self.seed or 0, seen, 1)[0] < self.rho
            past = ops.where(stays, past, self._progress(losses, first))
        balance = self.alpha * past + (1.0 - self.alpha) * recent
        if self.jump:
            balance = ops.where(seen == 2, recent, balance)
        balance = ops.where(seen <= 1, ops.ones_like(losses), balance)
        return {"balance": balance, "first": first, "previous": losses}, balance

    def _progress(self, now: Tensor, then: Tensor) -> Tensor:
        """b(t, t')."""
        return now.shape[0] * softmax(now / (self.temperature * ops.maximum(then, EPSILON)))
