"""Weights by the slope of each loss."""

import math
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Interval
from keras import ops

from dmf_cli.errors import ConfigError
from dmf_cli.parts import strategy
from dmf_cli.ranges import Real, Window
from dmf_cli.weighting._strategy import EPSILON, State, Strategy, Tensor, softmax

HIGHEST_ORDER = 15  # beyond it the coefficients (up to 858) are rounding noise only


@strategy
class softadapt(Strategy):  # noqa: N801 - the class name is the name users write
    """w = softmax(beta s) of the slopes s of the losses: with beta > 0 a loss that falls less gets more.

    ``original`` is that. ``normalized`` divides s by sum|s| first, so that only ratios of slopes count (all
    0: equal). ``loss_weighted`` multiplies by the mean of the stored values, w_i proportional to
    mean(L_i) exp(beta (s_i - max s)), which its authors recommend. The slope is in units of the loss a step:
    at beta = .1 it moves the weights little unless ``normalized``.

    Args:
        variant: ``original``, ``normalized`` or ``loss_weighted``.
        beta: any number; negative favours the loss that falls fastest.
        slope: ``newest`` is that of the straight line through the last ``window`` values (least squares),
            which says what happens now and averages noise; ``oldest``, as published, is the forward
            difference at the oldest of the last accuracy_order + 1 values.
        accuracy_order: of ``oldest``, in [1, 15] and below ``window``; None takes all stored values.
        window: steps that are stored, >= 2; with ``oldest`` at most 16.
        reference: ``normalized`` divides by the signed sum of s as published: it turns the order round when
            most losses fall, and near a sum of 0 one term takes all.
        warmup: see :class:`Strategy`.

    Source: Heydari et al., "SoftAdapt: techniques for adaptive loss weighting of neural networks with
    multi-part loss functions", 2019, arXiv 1912.12355.
    """

    def __init__(
        self,
        *,
        variant: Literal["original", "normalized", "loss_weighted"] = "loss_weighted",
        beta: Real = 0.1,
        slope: Literal["newest", "oldest"] = "newest",
        accuracy_order: Annotated[int, Interval(ge=1, le=15)] | None = None,
        window: Window = 50,
        reference: bool = False,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.variant, self.beta, self.slope, self.window = variant, beta, slope, window
        self.accuracy_order, self.reference = accuracy_order, reference
        self.needs_positive = variant == "loss_weighted"
        if slope == "oldest" and not (accuracy_order or 1) <= self._highest() <= HIGHEST_ORDER:
            raise ConfigError(
                key="weighting.accuracy_order",
                value=accuracy_order,
                reason=f"and weighting.window {window}",
                hint=f"slope=oldest needs an order below the window and of {HIGHEST_ORDER} or less; "
                "for longer windows use slope=newest",
            )

    def memory(self, n_terms: int) -> State:
        """``history``: a ring of ``(n_terms, window)``."""
        return {"history": ops.zeros((n_terms, self.window), dtype="float32")}

    def adapt(self, state: State, losses: Tensor) -> tuple[State, Tensor]:
        """The formula above."""
        newest = state["stored"] - 1
        places = ops.arange(self.window, dtype="int32")
        here = (places == newest % self.window)[None, :]
        history = ops.where(here, losses[:, None], state["history"])
        age = (newest - places) % self.window
        filled = ops.minimum(state["stored"], self.window)
        slope = self._newest if self.slope == "newest" else self._oldest
        weights = self._weigh(slope(history, age, filled), history, age < filled)
        return {"history": history}, weights

    def _weigh(self, slopes: Tensor, history: Tensor, stored: Tensor) -> Tensor:
        """The weights of the variant."""
        if self.variant == "normalized":
            size = ops.sum(slopes if self.reference else ops.abs(slopes))
            some = ops.abs(size) > 1e-30
            slopes = ops.where(some, slopes / ops.where(some, size, 1.0), 0.0)
        weights = softmax(self.beta * slopes)
        if self.variant != "loss_weighted":
            return weights
        mask = ops.cast(stored, "float32")[None, :]
        means = ops.sum(mask * history, axis=1) / ops.sum(mask)
        # In logarithms: the smallest of these weights are far below those of the slopes alone.
        return softmax(ops.log(ops.maximum(means, EPSILON)) + self.beta * slopes)

    def _newest(self, history: Tensor, age: Tensor, filled: Tensor) -> Tensor:
        """Slope of the least-squares line through the stored values."""
        mask = ops.cast(age < filled, "float32")
        middle = ops.cast(filled - 1, "float32") / 2.0
        time = (middle - ops.cast(age, "float32")) * mask
        # The times sum to 0, so any constant may be taken off: what is rounded are differences.
        last = ops.sum(ops.where((age == 0)[None, :], history, 0.0), axis=1, keepdims=True)
        rise = ops.sum(time[None, :] * (history - last), axis=1)
        return rise / ops.maximum(ops.sum(ops.square(time)), 0.5)

    def _highest(self) -> int:
        return self.window - 1 if self.accuracy_order is None else self.accuracy_order

    def _oldest(self, history: Tensor, age: Tensor, filled: Tensor) -> Tensor:
        """Forward difference at the oldest of the last order + 1 values; of fewer while there are fewer."""
        order = ops.minimum(filled - 1, self._highest())
        table = ops.convert_to_tensor(coefficients(self._highest()))
        row = ops.take(table, order, axis=0)
        place = order - age
        factors = ops.where(place >= 0, ops.take(row, ops.maximum(place, 0), axis=0), 0.0)
        return ops.sum(factors[None, :] * history, axis=1)


def coefficients(highest: int) -> np.ndarray:
    """Row n: the forward difference of accuracy n for the first derivative, at n + 1 points one step apart.

    float32 ``(highest + 1, highest + 1)``, padded with 0: c_k = (-1)^(k+1) C(n, k) / k, c_0 = -sum of them.
    """
    table = np.zeros((highest + 1, highest + 1))
    for n in range(1, highest + 1):
        table[n, 1 : n + 1] = [(-1) ** (k + 1) * math.comb(n, k) / k for k in range(1, n + 1)]
        table[n, 0] = -table[n].sum()
    return table.astype("float32")
