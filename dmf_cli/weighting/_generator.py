"""Random numbers as a function of (seed, counter, lane): the same on every backend, nothing to save.

``keras.random`` differs by backend and keeps its own state. This is a small relative of Philox (Salmon et
al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): rounds of multiply, split into high and low
half, mix in a key. Halves of 15 bits and int32 without overflow, because PyTorch has no arithmetic on
unsigned integers and JAX no 64 bits by default. For each key it permutes the 2^30 counters.
"""

import math

import numpy as np
from keras import ops

from dmf_cli.weighting._strategy import Tensor

HALF = 1 << 15
MULTIPLIERS = (54773, 47123)  # odd, below 2^16: the product with 15 bits stays within int32
WEYL = (20249, 12829)  # what the keys grow by each round: odd, near 2^15 / 1.618 and 2^15 / 2.554
ROUNDS = 10


def uniform(seed: int, counter: Tensor, lanes: int) -> Tensor:
    """``(lanes,)`` numbers in (0, 1), multiples of 2^-24, exactly equal on all backends.

    Args:
        seed: >= 0; its lowest 30 bits count.
        counter: a scalar int32 tensor >= 0; each value gives another draw.
        lanes: independent numbers a draw.
    """
    left = ops.zeros((lanes,), dtype="int32") + ops.cast(counter, "int32") // HALF % HALF
    right = ops.zeros((lanes,), dtype="int32") + ops.cast(counter, "int32") % HALF
    first, second = _keys(seed, lanes)
    for turn in range(ROUNDS):
        product = MULTIPLIERS[turn % 2] * right
        key = (first + turn * WEYL[0]) % HALF if turn % 2 else (second + turn * WEYL[1]) % HALF
        # ^ works on the integers of every backend; addition in its place leaves successive draws correlated.
        mixed = left ^ (product // HALF % HALF) ^ ops.convert_to_tensor(key.astype("int32"))
        left, right = product % HALF, mixed
    # 23 bits and a half: a float32 holds them exactly, and neither 0 nor 1 occurs.
    bits = left * 256 + right // 128
    return (ops.cast(bits, "float32") + 0.5) * (1.0 / (1 << 23))


def normal(seed: int, counter: Tensor, lanes: int) -> Tensor:
    """``(lanes,)`` draws from N(0, 1), by Box and Muller; equal to about 1e-6 on all backends."""
    pairs = uniform(seed, counter, 2 * lanes)
    radius = ops.sqrt(-2.0 * ops.log(pairs[:lanes]))
    return radius * ops.cos(2.0 * math.pi * pairs[lanes:])


def _keys(seed: int, lanes: int) -> tuple[np.ndarray, np.ndarray]:
    """Two keys of 15 bits a lane; NumPy, because seed and lane are known when the graph is built."""
    lane = np.arange(lanes, dtype="int64")
    first = (seed % HALF + lane * 7919) % HALF
    second = (seed // HALF + lane * 12289) % HALF
    return first, second
