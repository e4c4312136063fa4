"""Weights that never change."""

from collections.abc import Sequence

from keras import ops

from dmf_cli.parts import strategy
from dmf_cli.ranges import NotNegative, Positive
from dmf_cli.weighting._strategy import State, Strategy, Tensor


@strategy
class fixed(Strategy):  # noqa: N801 - the class name is the name users write
    """The coefficients of the loss expression, normalised: the baseline of every comparison.

    Args:
        total: sum of the weights; None keeps the coefficients as written.
        prior: the coefficients, one a term; None for equal ones.

    Source: the usual weighted sum of losses.
    """

    adaptive = False

    def __init__(self, *, total: Positive | None = 1.0, prior: Sequence[NotNegative] | None = None) -> None:
        super().__init__(total=total, prior=prior)

    def start(self, n_terms: int) -> Tensor:
        """Ones, so that ``total=None`` gives the coefficients as written."""
        return ops.ones((n_terms,), dtype="float32")

    def adapt(self, state: State, losses: Tensor) -> tuple[State, Tensor]:
        """Ones: the prior does the rest."""
        return {}, ops.ones_like(losses)
