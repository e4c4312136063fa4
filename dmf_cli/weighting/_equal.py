"""The same weight for every loss."""

from collections.abc import Sequence

from keras import ops

from dmf_cli.weighting._base import State, Strategy, Tensor


class equal(Strategy):  # noqa: N801 - the class name is the name users write
    """w_i = 1/N whatever the coefficients of the loss expression say: what any strategy has to beat.

    Args:
        total: sum of the weights; None gives 1 each, the plain sum of the losses.
        prior: the coefficients; they count for the comparable ``objective`` only, not for the weights.

    Source: the plain average of losses.
    """

    adaptive = False
    uses_prior = False

    def __init__(self, *, total: float | None = 1.0, prior: Sequence[float] | None = None) -> None:
        super().__init__(total=total, prior=prior)

    def start(self, n_terms: int) -> Tensor:
        """Ones, so that ``total=None`` gives the plain sum."""
        return ops.ones((n_terms,), dtype="float32")

    def adapt(self, state: State, losses: Tensor) -> tuple[State, Tensor]:
        """Ones."""
        return {}, ops.ones_like(losses)
