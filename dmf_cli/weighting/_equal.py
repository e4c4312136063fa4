"""The same weight for every loss."""

from dmf_cli.parts import strategy
from dmf_cli.weighting._fixed import fixed


@strategy
class equal(fixed):  # noqa: N801 - the class name is the name users write
    """w_i = 1/N whatever the coefficients of the loss expression say: what any strategy has to beat.

    Args:
        total: sum of the weights; None gives 1 each, the plain sum of the losses.
        prior: the coefficients; they count for the comparable ``objective`` only, not for the weights.

    Source: the plain average of losses.
    """

    uses_prior = False
