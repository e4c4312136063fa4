"""Random weights: the control that separates adapting from merely varying."""

from typing import Any

from dmf_cli.parts import strategy
from dmf_cli.ranges import Seed
from dmf_cli.weighting import _generator
from dmf_cli.weighting._strategy import State, Strategy, Tensor, softmax


@strategy
class random(Strategy):  # noqa: N801 - the class name is the name users write
    """w = softmax(x), x ~ N(0, 1) for each term, drawn anew every ``every`` steps (RLW).

    The draw is a function of the seed and the number of finite rows, so that it is repeated on every
    backend and continues where it stopped.

    Args:
        seed: >= 0; None is 0 (``dmf train`` fills in the seed of the run).
        warmup: see :class:`Strategy`; equal weights, as the strategies have that it is compared with.

    Source: Lin et al., "Reasonable effectiveness of random weighting", TMLR 2022, arXiv 2111.10603.
    """

    symmetric = False  # each term has a draw of its own

    def __init__(self, *, seed: Seed | None = None, **common: Any) -> None:
        super().__init__(**common)
        self.seed = seed

    def adapt(self, state: State, losses: Tensor) -> tuple[State, Tensor]:
        """The formula above."""
        return {}, softmax(_generator.normal(self.seed or 0, state["stored"], losses.shape[0]))
