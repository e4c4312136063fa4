"""DMF with the variance of the loss histories."""

from keras import ops

from dmf_cli.parts import strategy
from dmf_cli.weighting._memory import Memory, normalised, scale, variance
from dmf_cli.weighting._strategy import State, Tensor


@strategy
class var(Memory):  # noqa: N801 - the class name is the name users write
    """w_i = Var(z_i) / sum_j Var(z_j), z_i = minmax(symlog(last ``window`` values of loss i)).

    A loss whose (scaled) history is spread out gets more weight. Blind to the scale and to the
    direction of a loss: a converging and a diverging one weigh the same. All losses constant: equal.

    Source: Golnari & Diba, Biomed. Signal Process. Control 111 (2026) 108388, and its notebook.
    """

    def adapt(self, state: State, losses: Tensor) -> tuple[State, Tensor]:
        """The formula above."""
        history, filled = self.remember(state, losses)
        low = ops.min(ops.where(filled, history, float("inf")), axis=1, keepdims=True)
        high = ops.max(ops.where(filled, history, float("-inf")), axis=1, keepdims=True)
        return {"history": history}, normalised(variance(scale(history, low, high), filled))
