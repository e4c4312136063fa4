"""Sums over many pixels that stay exact in float32.

On a CPU TensorFlow adds the values along a leading axis to one float32 number, one after the other. It rounds
a little each time, in the same direction for equal values: ``dice`` of 32 x 512 x 512 pixels was off by 45 %,
and a count stopped at 2^24. JAX, PyTorch and GPUs add in a tree.

So here the last axis is summed in float32, in runs of at most ``RUN`` values, and the few sums that are left
in float64. Two sums in float32 would not do: XLA merges them into one loop, but not across a change of type.
"""

from collections.abc import Sequence
from typing import Any

from keras import ops

from dmf_cli.ops import void
from dmf_cli.ops.backend import adds_in_a_tree

Tensor = Any
RUN = 256  # values that one float32 number takes up: it is off by less than 1e-5 then


def total(x: Tensor, axes: Sequence[int] | None = None) -> Tensor:
    """The sum over ``axes``, off by 1e-5 at most for 2^28 values of one sign.

    Args:
        x: float32.
        axes: from 0, ascending; None for all.
    """
    if axes is None:
        x = _merged(x)
        axes = range(len(x.shape))
    axes = tuple(axes)
    if adds_in_a_tree():
        return ops.sum(x, axis=axes)
    # A side that is not known while tracing has some thousand pixels at most, unless it is the only one.
    if x.shape[axes[-1]] is not None or len(x.shape) > 3:
        x = _runs(x, axes[-1])
    return ops.cast(ops.sum(ops.cast(x, "float64"), axis=axes), "float32")


def average(x: Tensor) -> Tensor:
    """The mean of all values, off by 1e-5 at most for 2^28 values of one sign."""
    return total(x) / size(x)


def pixel_mean(x: Tensor) -> Tensor:
    """The mean over pixels of the sum over the channels of ``x``, ``(batch, *spatial, channels)``."""
    return total(x) / (size(x) / x.shape[-1])


def size(x: Tensor) -> Tensor:
    """The number of values of ``x`` as a float: with 2^31 of them an integer would overflow.

    Of ``(batch, *spatial, channels)`` only pixels that count, where :mod:`dmf_cli.ops.void` knows them.
    """
    valid = void.mask()
    if valid is not None and len(x.shape) == len(valid.shape):
        return ops.maximum(total(valid), 1.0) * x.shape[-1]
    product = 1.0
    for side in ops.shape(x):
        product = product * (float(side) if isinstance(side, int) else ops.cast(side, "float32"))
    return product


def running(x: Tensor) -> Tensor:
    """The cumulative sum along the last axis, off by 1e-5 at most like :func:`total`."""
    if adds_in_a_tree():
        return ops.cumsum(x, axis=-1)
    return ops.cast(ops.cumsum(ops.cast(x, "float64"), axis=-1), "float32")


def _merged(x: Tensor) -> Tensor:
    """``x`` with its last two axes as one: a sum over two channels is slow by itself."""
    sides = ops.shape(x)
    if len(sides) < 3 or not (isinstance(sides[-1], int) and isinstance(sides[-2], int)):
        return x
    return ops.reshape(x, (*sides[:-2], sides[-2] * sides[-1]))


def _runs(x: Tensor, axis: int) -> Tensor:
    """The sums of runs of ``axis``, which keeps its place."""
    n = x.shape[axis]
    if n is None or n <= RUN:
        return ops.sum(x, axis=axis, keepdims=True)
    run = next((k for k in range(RUN, 15, -1) if n % k == 0), None)
    if run is None:  # a prime, say: the zeros cost a copy
        run = RUN
        x = ops.pad(x, [(0, -n % run if i == axis else 0) for i in range(len(x.shape))])
    sides = ops.shape(x)
    x = ops.reshape(x, (*sides[:axis], sides[axis] // run, run, *sides[axis + 1 :]))
    return ops.sum(x, axis=axis + 1)
