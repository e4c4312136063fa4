"""Pixels that count in no loss: the mask of those that do, known to every loss while a term is computed.

Whoever computes a term sets labels and probabilities of the others to 0 in all channels, so that they add
nothing to a sum. What is left is ``1 - g``, which is here, and the number of pixels, see
:func:`dmf_cli.ops.reduce.size`. The mask is not an argument: a loss keeps its signature ``(y_true, y_pred)``,
and so do the functions of users. Without a mask nothing changes.
"""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from keras import ops

Tensor = Any
# Of each thread by itself: replicas of one model are traced by threads.
_valid: ContextVar[Tensor | None] = ContextVar("valid", default=None)


@contextlib.contextmanager
def counting(valid: Tensor | None) -> Iterator[None]:
    """Inside, the pixels count where ``valid`` ``(batch, *spatial, 1)`` is 1; None: all of them."""
    before = _valid.set(None if valid is None else ops.cast(valid, "float32"))
    try:
        yield
    finally:
        _valid.reset(before)


def mask() -> Tensor | None:
    """The mask of the pixels that count, float32; None: all of them."""
    return _valid.get()


def others(labels: Tensor) -> Tensor:
    """1 - g, and 0 where a pixel does not count."""
    valid = mask()
    return 1.0 - labels if valid is None else valid - labels


def only_valid(values: Tensor | float) -> Tensor | float:
    """``values``, and 0 where a pixel does not count."""
    valid = mask()
    return values if valid is None else values * valid
