"""How exact the sums over pixels are, and what it costs: the sums of dmf_cli against the backend's own.

Run: python scripts/bench_sums.py [--rounds 15] [--jit] [--skip-accuracy]

First table: the error of each loss, as the difference from its value for one 8 x 8 image of which the large
one consists of copies (a ratio or a mean is the same), relative to that value. Second table: time of value
and gradient with the exact sums divided by that with the backend's own, in turns in one process
(scripts/measuring.py). Only on TensorFlow do the two differ.
"""

import argparse
import functools
import inspect
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import measuring
import numpy as np
from bench_losses import step
from keras import ops

from dmf_cli import losses
from dmf_cli.ops import reduce

SIZES = {
    "32x256x256": (32, 32, 32),
    "32x512x512": (32, 64, 64),
    "1x2048x2048": (1, 256, 256),
    "1x128x128x128": (1, 16, 16, 128),
}
# They look for distances or skeletons, which takes minutes at these sizes; they share the mean of the others.
SLOW = ("hausdorff", "cldice")
NAMES = tuple(name for name in losses.__registry__ if name not in SLOW)


def small(volume: bool) -> tuple[np.ndarray, np.ndarray]:
    """One-hot labels and probabilities of 8 x 8 pixels."""
    label = np.zeros((1, 8, 8), int)
    label[:, 2:5, 1:6] = 1
    front = np.where(label == 1, 0.9, 0.01).astype("float32")
    y, p = np.eye(2, dtype="float32")[label], np.stack([1 - front, front], -1)
    return (y[:, :, :, None], p[:, :, :, None]) if volume else (y, p)


def loss_of(name: str, y: np.ndarray) -> Callable[[Any, Any], Any]:
    """The loss, pooled over the batch; the map of distances says only inside and outside."""
    parameters = inspect.signature(losses.get(name)).parameters
    loss = losses.get(name, **({"pool": "batch"} if "pool" in parameters else {}))
    if "distance" not in parameters:
        return loss
    distance = ops.convert_to_tensor(1.0 - 3.0 * y)
    return lambda y, p: loss(y, p, distance=distance)


@contextmanager
def own_sums(of_backend: bool) -> Iterator[None]:
    """Losses that are traced inside add up as the backend does, if ``of_backend``."""
    exact = reduce.adds_in_a_tree
    reduce.adds_in_a_tree = (lambda: True) if of_backend else exact
    try:
        yield
    finally:
        reduce.adds_in_a_tree = exact


def accuracy(jit: bool) -> Iterator[str]:
    """Rows of the first table: in each cell the error before -> now."""
    yield f"| loss | {' | '.join(SIZES)} |"
    yield "| --- |" + " ---: |" * len(SIZES)
    for name in NAMES:
        cells = []
        for copies in SIZES.values():
            y, p = small(len(copies) == 4)
            exact = float(loss_of(name, y)(y, p))
            many_y, many_p = (ops.convert_to_tensor(np.tile(x, (*copies, 1))) for x in (y, p))
            errors = []
            for plain in (True, False):
                with own_sums(plain):
                    found = step(loss_of(name, ops.convert_to_numpy(many_y)), jit)(many_y, many_p)
                errors.append(abs(found - exact) / abs(exact))
            cells.append(f"{errors[0]:.0e} -> {errors[1]:.0e}")
        yield f"| `{name}` | {' | '.join(cells)} |"


def cost(rounds: int, size: int, batch: int, jit: bool) -> Iterator[str]:
    """Rows of the second table."""
    y, p = small(False)
    y, p = (np.tile(x, (batch, size // 8, size // 8, 1)) for x in (y, p))
    tensors = ops.convert_to_tensor(y), ops.convert_to_tensor(p)
    sides = {}
    for name, plain in itertools.product(NAMES, (True, False)):
        sides[name, plain] = functools.partial(summed, step(loss_of(name, y), jit), tensors, plain)
    seconds = measuring.interleaved({repr(key): side for key, side in sides.items()}, rounds)
    rows = []
    for name in NAMES:
        old, new = (seconds[repr((name, plain))] for plain in (True, False))
        found = measuring.ratio(new, old)
        times = [f"{1000 * np.median(one):.2f}" for one in (old, new)]
        rows.append([f"`{name}`", *times, f"{found.middle:.2f}", f"{found.low:.2f} to {found.high:.2f}"])
    columns = ("loss", "backend's sums, ms", "exact sums, ms", "ratio", "95 % interval")
    yield from measuring.table(columns, rows)


def summed(run: Callable[..., Any], tensors: tuple[Any, Any], plain: bool) -> None:
    """``run`` with one way of adding, which it is traced with at first."""
    with own_sums(plain):
        run(*tensors)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for option, default in (("rounds", 15), ("size", 128), ("batch", 32)):
        parser.add_argument(f"--{option}", type=int, default=default)
    parser.add_argument("--jit", action="store_true")
    parser.add_argument("--skip-accuracy", action="store_true")
    args = parser.parse_args()
    how = f"{keras.backend.backend()}, jit {'on' if args.jit else 'off'}"
    if not args.skip_accuracy:
        print(f"\n{how}: relative error with the backend's sums -> with the exact ones")
        for line in accuracy(args.jit):
            print(line, flush=True)
    print(f"\n{how}: {args.batch} images of {args.size} x {args.size}, {args.rounds} rounds")
    for line in cost(args.rounds, args.size, args.batch, args.jit):
        print(line, flush=True)


if __name__ == "__main__":
    main()
