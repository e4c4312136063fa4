"""The memory of mad and bayes: order statistics of a ring without a sort a step.

Beside the ring, which knows which value leaves, stand the same values in ascending order. One leaves and one
enters a step, so that the order is kept by a shift of what lies between them: a few element-wise operations,
where two sorts took most of a step once windows are long (5,000 values of 3 terms: 740 us each).
"""

import numpy as np
from keras import ops

from dmf_cli.weighting._memory import Memory, scale
from dmf_cli.weighting._strategy import State, Tensor

EMPTY = float(np.finfo("float32").max)  # above every loss, so that free places stand at the end


class Ordered(Memory):
    """A :class:`Memory` that also keeps the values of each term in ascending order.

    Args:
        window: see :class:`Memory`.
        warmup: see :class:`Memory`.
    """

    def memory(self, n_terms: int) -> State:
        """``history`` and ``ordered``: ``(n_terms, window)`` each."""
        ordered = ops.full((n_terms, self.window), EMPTY, dtype="float32")
        return {**super().memory(n_terms), "ordered": ordered}

    def deviation(self, state: State, losses: Tensor) -> tuple[State, Tensor]:
        """The two arrays with ``losses`` taken in, and the MAD of each scaled row ``(n_terms,)``."""
        place = (state["stored"] - 1) % self.window
        leaves = column(state["history"], place)
        leaves = ops.where(state["stored"] > self.window, leaves, EMPTY)
        ordered = replaced(state["ordered"], leaves, losses[:, None])
        count = ops.clip(state["stored"], 1, self.window)  # 0 before the first finite row, which is dropped
        z = scale(ordered, ordered[:, :1], column(ordered, count - 1))
        return {"history": self.remember(state, losses)[0], "ordered": ordered}, deviation(z, count)


def replaced(ordered: Tensor, old: Tensor, new: Tensor) -> Tensor:
    """Ascending rows ``(n, places)`` in which one value ``old`` made room for ``new``, ``(n, 1)`` each.

    Towards a larger value all from ``old`` on move down by one place until ``new`` fits between two
    neighbours: there each takes the middle one of itself, its next and ``new``; otherwise mirrored.
    """
    edge = ops.full_like(ordered[:, :1], EMPTY)
    following = ops.concatenate([ordered[:, 1:], edge], axis=1)
    previous = ops.concatenate([-edge, ordered[:, :-1]], axis=1)
    up = ops.where(ordered >= old, ops.maximum(ordered, ops.minimum(new, following)), ordered)
    down = ops.where(ordered <= old, ops.minimum(ordered, ops.maximum(new, previous)), ordered)
    return ops.where(new >= old, up, down)


def median(ordered: Tensor, count: Tensor) -> Tensor:
    """Median ``(n, 1)`` of the first ``count`` places of ascending rows; of the middle two their mean."""
    return 0.5 * (column(ordered, (count - 1) // 2) + column(ordered, count // 2))


def deviation(ordered: Tensor, count: Tensor) -> Tensor:
    """MAD ``(n,)``, the median absolute deviation from the median, of the first ``count`` places of ascending
    rows.
    """
    x = ordered - median(ordered, count)
    return 0.5 * (_nearest(x, (count - 1) // 2, count) + _nearest(x, count // 2, count))


def _nearest(x: Tensor, k: Tensor, count: Tensor) -> Tensor:
    """The k-th smallest (from 0) of |x|, x ascending: those k + 1 stand side by side, and the larger of their
    two ends is the largest of them; it is the smallest such one of all stretches of that length.
    """
    places = ops.arange(x.shape[1], dtype="int32")
    end = ops.roll(x, -k, axis=1)
    return ops.min(ops.where((places + k < count)[None, :], ops.maximum(-x, end), EMPTY), axis=1)


def column(x: Tensor, place: Tensor) -> Tensor:
    """``x[:, place]`` as ``(n, 1)``, for 0 <= place: a slice is one operation, a ``take`` is five of them."""
    return ops.slice(x, (0, place), (x.shape[0], 1))
