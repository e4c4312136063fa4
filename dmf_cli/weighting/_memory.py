"""The memory of Dynamic Memory Fusion: a ring of the last losses, and statistics over its filled rows.

Values are never shifted: variance, minimum, maximum and median do not depend on the order, so a ring that
is overwritten in place is enough. One row a term: an operation of one value a term with a long window costs
a quarter of what it costs with one column a term (TensorFlow, CPU).
"""

from typing import Any

from keras import ops

from dmf_cli.errors import ConfigError
from dmf_cli.ranges import Count, Window
from dmf_cli.weighting._strategy import State, Strategy, Tensor

RANGE_EPSILON = 1e-7
LARGEST = 3e38


class Memory(Strategy):
    """A strategy that looks at the last ``window`` rows of losses, each term scaled to [0, 1].

    Args:
        window: rows kept, at least ``warmup`` and at least 2 (the notebook's ``history_size_max``).
        warmup: finite rows before the weights adapt (the notebook's ``history_size``).
        total: see :class:`Strategy`.
        prior: see :class:`Strategy`.
    """

    def __init__(self, *, window: Window = 150, warmup: Count = 50, **common: Any) -> None:
        super().__init__(warmup=warmup, **common)
        if window < warmup:
            raise ConfigError(
                key="weighting.window",
                value=window,
                reason=f"and weighting.warmup {warmup}",
                hint="the window must hold the warm-up, or the weights would never adapt; raise window or "
                "lower warmup",
            )
        self.window = window

    def memory(self, n_terms: int) -> State:
        """``history``: ``(n_terms, window)``."""
        return {"history": ops.zeros((n_terms, self.window), dtype="float32")}

    def remember(self, state: State, losses: Tensor) -> tuple[Tensor, Tensor]:
        """The ring with ``losses`` in it, and which of its places are filled ``(1, window)``."""
        places = ops.arange(self.window, dtype="int32")[None, :]
        here = places == (state["stored"] - 1) % self.window
        return ops.where(here, losses[:, None], state["history"]), places < state["stored"]


def symlog_difference(a: Tensor, b: Tensor) -> Tensor:
    """symlog(a) - symlog(b), symlog(x) = sign(x) log(1 + |x|), without cancellation in float32.

    For values of one sign it is +-log1p((large - small) / (1 + small)) of their sizes: late in training
    the losses of a window differ in their last digits only, and subtracting two rounded logarithms would
    leave noise. The smaller size is the divisor: the quotient of the larger one rounds to -1, whose
    log1p is infinite. For opposite signs it is +-log((1 + |a|) (1 + |b|)), clamped to the range of float32.
    """
    size_a, size_b = ops.abs(a), ops.abs(b)
    small = ops.minimum(size_a, size_b)
    same = (ops.maximum(size_a, size_b) - small) / (1.0 + small)
    opposite = ops.minimum(size_a + size_b + size_a * size_b, LARGEST)
    return ops.sign(a - b) * ops.log1p(ops.where(a * b > 0.0, same, opposite))


def scale(losses: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """minmax(symlog(losses)), (x - min) / (max - min + 1e-7), with the extremes ``(n_terms, 1)`` of each row.

    A row of one value gives 0.
    """
    return symlog_difference(losses, low) / (symlog_difference(high, low) + RANGE_EPSILON)


def variance(x: Tensor, filled: Tensor) -> Tensor:
    """Population variance of each row over the filled places ``(1, window)``."""
    mask = ops.cast(filled, "float32")
    count = ops.sum(mask)
    mean = ops.sum(x * mask, axis=1, keepdims=True) / count
    return ops.sum(ops.square(x - mean) * mask, axis=1) / count


def normalised(x: Tensor) -> Tensor:
    """``x`` (>= 0) with sum 1; equal when all of it is 0."""
    total = ops.sum(x)
    some = total > 1e-30
    return ops.where(some, x / ops.where(some, total, 1.0), 1.0 / x.shape[0])


def precision(deviation: Tensor) -> Tensor:
    """1 / (MAD + 1e-7), with a guard: a term whose MAD is 0 takes the median of the positive ones.

    A loss that stands still (or has half its values equal) would otherwise get all the weight. With
    every MAD at 0 all terms are equal.
    """
    positive = deviation > 0.0
    count = ops.sum(ops.cast(positive, "int32"))
    ordered = ops.sort(ops.where(positive, deviation, float("inf")))
    last = ops.maximum(count - 1, 0)
    lower, upper = (ops.slice(ordered, (place // 2,), (1,)) for place in (last, last + 1))
    typical = 0.5 * (lower + upper)
    typical = ops.where(count > 0, typical, 1.0)
    return 1.0 / (ops.where(positive, deviation, typical) + RANGE_EPSILON)
