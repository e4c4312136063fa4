"""A change of some images of a batch, at the cost of those alone."""

from collections.abc import Callable
from typing import Any


def some(batch: Any, chosen: Any, change: Callable[..., Any], *values: Any) -> Any:
    """``batch``, of which the rows that are ``chosen`` are those of ``change(rows, *values of these rows)``.

    Args:
        batch: ``(n, ...)``.
        chosen: boolean ``(n,)``.
        change: gives as many rows as it gets, of the same shape; it may get none.
        values: ``(n, ...)`` each.
    """
    import tensorflow as tf

    rows = tf.where(chosen)[:, 0]
    new = change(*(tf.gather(part, rows) for part in (batch, *values)))
    return tf.tensor_scatter_nd_update(batch, rows[:, None], new)
