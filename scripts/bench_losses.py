"""Time every loss, forward and backward at the probabilities, relative to cross-entropy.

Run: python scripts/bench_losses.py [--rounds 15] [--size 128] [--batch 32] [--classes 2]

The losses take turns in one process (scripts/measuring.py). On PyTorch, which is not compiled here, there is
one table only. Losses of distance maps get the map of the truth, as in training; hausdorff computes that of
the prediction itself.
"""

import argparse
import functools
from collections.abc import Callable
from typing import Any

import keras
import measuring
import numpy as np
from keras import ops

from dmf_cli import losses
from dmf_cli.fusion.targets import needs

POOLED = ("dice", "iou", "tversky", "focal_tversky", "cbdice", "gdice", "logcosh_dice")
GOAL = 1.5  # of the pooled ones, jit off


def data(batch: int, size: int, classes: int) -> tuple[Any, Any]:
    """A disc in each image as one-hot labels, and probabilities around it."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:size, :size] / size - 0.5
    labels = (rows**2 + columns**2 < 0.04).astype(int) * rng.integers(1, classes, (batch, 1, 1))
    logits = rng.normal(0, 1, (batch, size, size, classes)) + 2 * np.eye(classes)[labels]
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    return ops.convert_to_tensor(np.eye(classes)[labels], "float32"), ops.convert_to_tensor(p, "float32")


def step(loss: Callable[[Any, Any], Any], jit: bool) -> Callable[[Any, Any], Any]:
    """A function that gives the value of ``loss``, once its gradient at the probabilities is there too."""
    if keras.backend.backend() == "jax":
        import jax

        run = jax.value_and_grad(lambda p, y: loss(y, p))
        run = jax.jit(run) if jit else run
        return lambda y, p: float(jax.block_until_ready(run(p, y))[0])
    if keras.backend.backend() == "torch":
        return lambda y, p: _torch(loss, y, p)
    import tensorflow as tf

    @tf.function(jit_compile=jit, autograph=False)
    def graph(y, p):
        with tf.GradientTape() as tape:
            tape.watch(p)
            value = loss(y, p)
        return value, tape.gradient(value, p)

    return lambda y, p: float(graph(y, p)[0])


def _torch(loss: Callable, y: Any, p: Any) -> float:
    p = p.detach().requires_grad_(True)
    value = loss(y, p)
    value.backward()
    return float(value)


def loss_of(name: str, distance: Any) -> Callable[[Any, Any], Any]:
    """The loss ``name``; the trainer's input pipeline has distances ready for those that need them."""
    loss = losses.get(name)
    return functools.partial(loss, distance=distance) if "distance" in needs(loss) else loss


def measure(jit: bool, rounds: int, y: Any, p: Any) -> dict[str, np.ndarray]:
    """Seconds of each loss in each round."""
    distance = ops.convert_to_tensor(losses.signed_distance_numpy(ops.convert_to_numpy(y)))
    names = ("ce", *(n for n in losses.__registry__ if n != "ce"))
    steps = {name: step(loss_of(name, distance), jit) for name in names}
    return measuring.interleaved({name: functools.partial(run, y, p) for name, run in steps.items()}, rounds)


def table(seconds: dict[str, np.ndarray], jit: bool) -> list[str]:
    """The cheapest first; the goal is for what is compiled without XLA."""
    cheapest = sorted(seconds, key=lambda name: np.median(seconds[name] / seconds["ce"]))
    goals = {} if jit else dict.fromkeys(POOLED, GOAL)
    return measuring.comparison("loss", {name: seconds[name] for name in cheapest}, "ce", goals=goals)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for option, default in (("rounds", 15), ("size", 128), ("batch", 32), ("classes", 2)):
        parser.add_argument(f"--{option}", type=int, default=default)
    args = parser.parse_args()
    y, p = data(args.batch, args.size, args.classes)
    for jit in (False,) if keras.backend.backend() == "torch" else (False, True):
        how = f"jit {'on' if jit else 'off'}, {tuple(p.shape)}, {args.rounds} rounds"
        print(f"\n{keras.backend.backend()}, {how}")
        print("\n".join(table(measure(jit, args.rounds, y, p), jit)), flush=True)


if __name__ == "__main__":
    main()
