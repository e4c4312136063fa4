"""DMF with the median absolute deviation of the loss histories."""

from dmf_cli.parts import strategy
from dmf_cli.weighting._memory import normalised, precision
from dmf_cli.weighting._ordered import Ordered
from dmf_cli.weighting._strategy import State, Tensor


@strategy
class mad(Ordered):  # noqa: N801 - the class name is the name users write
    """w_i proportional to 1 / (MAD(z_i) + 1e-7), z_i = minmax(symlog(last ``window`` values of loss i)).

    A loss whose (scaled) history is steady gets more weight: the opposite of ``var``. A term whose MAD
    is 0 takes the median of the other terms' MAD; all 0: equal.

    Source: Golnari & Diba, Biomed. Signal Process. Control 111 (2026) 108388, and its notebook.
    """

    def adapt(self, state: State, losses: Tensor) -> tuple[State, Tensor]:
        """The formula above."""
        new, deviation = self.deviation(state, losses)
        return new, normalised(precision(deviation))
