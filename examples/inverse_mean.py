"""A weighting strategy of your own: each loss counts the same, whatever its size.

dmf check plugins=examples/inverse_mean.py weighting=inverse_mean
dmf train plugins=examples/inverse_mean.py weighting=inverse_mean weighting.momentum=0.95
dmf replay outputs/RUN plugins=examples/inverse_mean.py weighting=inverse_mean,var
"""

from keras import ops

import dmf_cli
from dmf_cli import weighting
from dmf_cli.ranges import Fraction


@dmf_cli.strategy
class inverse_mean(weighting.Strategy):  # noqa: N801 - the name is what users write
    """w_i proportional to 1 / m_i, where m_i is the exponential moving mean of loss i.

    Args:
        momentum: part of the mean that is kept at each step.

    Source: an example.
    """

    needs_positive = True  # refuses `boundary`, which can be negative

    def __init__(self, *, momentum: Fraction = 0.9, **common):
        super().__init__(**common)
        self.momentum = momentum

    def memory(self, n_terms):
        """What the next step needs to know: arrays of fixed shape, saved with the run."""
        return {"mean": ops.zeros((n_terms,), "float32")}

    def adapt(self, state, losses):
        """New memory and raw weights; warm-up, floor and sum are the business of the base class."""
        moved = self.momentum * state["mean"] + (1.0 - self.momentum) * losses
        mean = ops.where(state["stored"] > 1, moved, losses)
        inverse = 1.0 / ops.maximum(mean, 1e-8)
        return {"mean": mean}, inverse / ops.sum(inverse)
