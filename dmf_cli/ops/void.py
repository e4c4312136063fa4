"""Pixels that count in no loss: the mask of those that do, known to every loss while a term is computed.

A fused model that is given ``{"labels": ..., "valid": ...}`` sets labels and probabilities of the others to 0
in all channels, so that they add nothing to a sum. What is left is ``1 - g``, which is here, and the number
of pixels, see :func:`dmf_cli.ops.reduce.size`. A loss keeps its signature ``(y_true, y_pred)``; without a
mask nothing changes.
"""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from keras import ops

Tensor = Any
_local = threading.local()  # replicas of one model are traced by threads


@contextlib.contextmanager
def counting(valid: Tensor | None) -> Iterator[None]:
    """Inside, the pixels count where ``valid`` ``(batch, *spatial, 1)`` is 1; None: all of them."""
    before = mask()
    _local.valid = None if valid is None else ops.cast(valid, "float32")
    try:
        yield
    finally:
        _local.valid = before


def mask() -> Tensor | None:
    """The mask of the pixels that count, float32; None: all of them."""
    return getattr(_local, "valid", None)


def cut(y_true: Tensor, y_pred: Tensor, valid: Tensor | None) -> tuple[Tensor, Tensor]:
    """Labels and probabilities, 0 in all channels where a pixel does not count."""
    if valid is None:
        return y_true, y_pred
    keep = ops.cast(valid, "float32") > 0.0
    # Not a product: a NaN of such a pixel stays out too.
    y_true, y_pred = (ops.where(keep, ops.cast(part, "float32"), 0.0) for part in (y_true, y_pred))
    return y_true, y_pred


def others(labels: Tensor) -> Tensor:
    """1 - g, and 0 where a pixel does not count."""
    valid = mask()
    return 1.0 - labels if valid is None else valid - labels


def only_valid(values: Tensor | float) -> Tensor | float:
    """``values``, and 0 where a pixel does not count."""
    valid = mask()
    return values if valid is None else values * valid
