"""The auxiliary loss of a fused model: its weight over time."""

import dataclasses
import math

from keras import ops

from dmf_cli.errors import ConfigError
from dmf_cli.fusion.targets import Loss, Tensor


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
    gamma0: float = 5.0
    decay: float = 0.05
    every: int = 100

    def __post_init__(self) -> None:
        for name, value, least in (
            ("gamma0", self.gamma0, 0),
            ("decay", self.decay, 0),
            ("every", self.every, 1),
        ):
            whole = name == "every"
            if not least <= value < math.inf or (whole and value != int(value)):
                what = "whole number" if whole else "number"
                raise ConfigError(f"auxiliary.{name} is {value}: give a {what} of {least} or above")

    def gamma(self, step: Tensor) -> Tensor:
        """The weight at ``step`` (a scalar integer tensor, from 0)."""
        drops = ops.cast(step // self.every, "float32")
        return self.gamma0 * ops.exp(-self.decay * drops)
