"""The auxiliary loss of a fused model: its weight over time."""

import dataclasses

from keras import ops

from dmf_cli import parameters
from dmf_cli.fusion.targets import Loss, Tensor
from dmf_cli.ranges import Count, NotNegative


@dataclasses.dataclass(frozen=True)
class Auxiliary:
    """A loss that helps the early steps and fades: gamma0 exp(-decay floor(step / every)).

    Args:
        loss: a name from :mod:`dmf_cli.losses` or any ``(y_true, y_pred) -> scalar``.
        gamma0: weight at step 0, >= 0.
        decay: rate, >= 0; 0 never fades.
        every: steps between two drops, >= 1.
    """

    loss: str | Loss
    gamma0: NotNegative = 5.0
    decay: NotNegative = 0.05
    every: Count = 100

    def __post_init__(self) -> None:
        parameters.check(type(self), vars(self), "auxiliary.")

    def gamma(self, step: Tensor) -> Tensor:
        """The weight at ``step`` (a scalar integer tensor, from 0)."""
        drops = ops.cast(step // self.every, "float32")
        return self.gamma0 * ops.exp(-self.decay * drops)
