"""A weighting strategy of our own."""

from keras import ops

import dmf_cli
from dmf_cli.ranges import Fraction
from dmf_cli.weighting import Strategy


@dmf_cli.strategy
class mine(Strategy):
    """Each loss weighs as much as it is small, by its mean over the last steps.

    The first line is what ``dmf list`` shows. What stands after the ``*`` can be set on the command line, as
    ``weighting.decay=0.5``, and so can what all strategies have: ``warmup``, ``floor``, ``every`` and so on.
    The base class sees to it that a NaN never comes in, and that the weights sum to 1.

    Args:
        decay: part of the mean that is kept in each step.

    Source: where the formula is from.
    """

    def __init__(self, *, decay: Fraction = 0.9, **common):
        super().__init__(**common)
        self.decay = decay  # of the same name: a run that is resumed reads it there

    def memory(self, n_terms):
        """What is remembered from step to step: arrays, whose shapes never change."""
        return {"mean": ops.zeros((n_terms,))}

    def adapt(self, state, losses):
        """The new memory, and weights that are not negative. Pure: use keras.ops, and change nothing."""
        first = state["stored"] == 1
        mean = ops.where(first, losses, self.decay * state["mean"] + (1 - self.decay) * losses)
        raw = 1 / (ops.abs(mean) + 1e-3 * ops.max(ops.abs(mean)) + 1e-12)
        return {"mean": mean}, raw / ops.sum(raw)
