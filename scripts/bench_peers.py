"""The default training step beside the same network, losses and batch written in PyTorch.

Run: python -m venv PATH && PATH/bin/python -m pip install torch numpy
     python scripts/bench_peers.py --torch PATH/bin/python          (default size; 5 minutes on 2 idle cores)
     python scripts/bench_peers.py --torch PATH/bin/python --precision mixed_bfloat16 --page

Each side has a process of its own, in its own environment, and they take turns; a process that waits does
nothing. Before the first turn the number of trainable weights and the loss of the same probabilities have to
agree. PyTorch runs in its two memory layouts, and compiled in the one that is faster on a CPU; every step
reads the loss, as the loop of a training does. The goal: ours is at most as slow as PyTorch's best.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import measuring
import numpy as np

OURS, SUMMED = "dmf, var", "Keras, summed"
SIZES = {  # side, batch, filters, convolutions a level, steps of a turn
    "toy": (32, 8, 4, 2, 20),
    "default": (128, 16, 12, 2, 2),
    "notebook": (128, 32, 32, 1, 1),
}
KINDS = (
    "channels first",
    "channels last",
    "channels last, compiled",
)  # of peer_torch.py, which needs PyTorch


def arrays(size: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images, one-hot labels, and probabilities that both sides take the loss of."""
    side, batch, *_ = SIZES[size]
    rng = np.random.default_rng(0)
    images = rng.normal(size=(batch, side, side, 1)).astype("float32")
    p = rng.uniform(0.05, 0.95, images.shape).astype("float32")
    labels = np.eye(2, dtype="float32")[(images[..., 0] > 0.5).astype(int)]
    return images, labels, np.concatenate([1 - p, p], -1)


def ours(
    kind: str,
    images: np.ndarray,
    labels: np.ndarray,
    p: np.ndarray,
    network: dict[str, int],
    precision: str,
    now: Callable[[], float],
) -> tuple[int, float, Callable[[int], float]]:
    """As ``made`` of peer_torch.py: the fused model as `dmf train` makes it, or plain Keras."""
    import keras
    import tensorflow as tf
    from bench_step import Fit, summed

    from dmf_cli import FusedModel, models

    keras.config.set_dtype_policy(precision)
    net = models.unet(images.shape[1:], 2, filters=network["filters"], convs=network["convs"])
    data = tf.data.Dataset.from_tensors((images, labels)).cache().repeat()
    if kind == OURS:
        model, loss = FusedModel(net, ["cbdice", "bce"], "var", record_steps=100), {}
    else:
        model, loss = net, {"loss": summed(["cbdice", "bce"])}
    model.compile(keras.optimizers.Adam(1e-3), **loss)
    turns: dict[int, Fit] = {}

    def steps(count: int) -> float:
        return turns.setdefault(count, Fit(model, data, count, now is measuring.clock(True)))()

    value = float(summed(["cbdice", "bce"])(labels, p))
    return sum(int(np.prod(one.shape)) for one in net.trainable_variables), value, steps


def serve(kind: str, size: str, precision: str, busy: bool) -> None:
    """A side's process: facts on the first line, then the seconds of a step for each line that is read."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever prints does not print into the answers
    side, _, filters, convs, count = SIZES[size]
    network = {"filters": filters, "convs": convs, "depth": int(np.log2(side // 8))}
    if kind in (OURS, SUMMED):
        made = ours
    else:
        from peer_torch import made
    weights, loss, steps = made(kind, *arrays(size), network, precision, measuring.clock(busy))
    print(json.dumps({"weights": weights, "loss": loss}), file=answers, flush=True)
    for _ in sys.stdin:
        print(steps(count), file=answers, flush=True)


class Side:
    """A process that makes a turn of steps whenever it is called."""

    def __init__(self, python: str, kind: str, given: argparse.Namespace) -> None:
        command = [python, __file__, "--serve", kind, "--size", given.size, "--precision", given.precision]
        command += ["--busy"] * given.busy
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - read if it fails
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True, bufsize=1
        )
        self.facts = json.loads(self._line())

    def __call__(self) -> float:
        assert self.process.stdin
        self.process.stdin.write("\n")
        return float(self._line())

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()

    def _line(self) -> str:
        assert self.process.stdout
        if line := self.process.stdout.readline():
            return line
        self.errors.seek(0)
        raise SystemExit(f"{self.process.args!r} ended: {self.errors.read()[-2000:]}")


def agree(sides: dict[str, Side]) -> None:
    """End if a side has other weights or another loss than ours."""
    facts = {name: side.facts for name, side in sides.items()}
    reference = facts[OURS]
    for name, one in facts.items():
        same = one["weights"] == reference["weights"] and np.isclose(one["loss"], reference["loss"], 1e-4)
        if not same:
            raise SystemExit(f"{name} is another network or loss: {one}, ours is {reference}")


def lines(seconds: measuring.Seconds, precision: str, busy: bool) -> list[str]:
    """The table, and whether ours is ahead of PyTorch's best."""
    best = min((name for name in seconds if name in KINDS), key=lambda name: np.median(seconds[name]))
    ahead = measuring.verdict(measuring.ratio(seconds[OURS], seconds[best]), 1.0)
    shown = {(name if name in (OURS, SUMMED) else f"PyTorch, {name}"): one for name, one in seconds.items()}
    made = measuring.comparison(f"side, {precision}", shown, f"PyTorch, {best}", busy=busy)
    return [*made, "", f"Goal, ours over PyTorch's best, {ahead}"]


def main() -> None:
    parser = measuring.with_page(argparse.ArgumentParser(description=__doc__.partition("\n")[0]))
    parser.add_argument("--torch", metavar="PYTHON", help="Python of an environment with PyTorch and NumPy")
    parser.add_argument("--size", choices=SIZES, default="default")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--precision", choices=("float32", "mixed_bfloat16"), default="float32")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    given: Any = parser.parse_args()
    if given.serve:
        return serve(given.serve, given.size, given.precision, given.busy)
    if not (given.torch and Path(given.torch).is_file()):
        parser.error("--torch PYTHON: the Python of an environment that has PyTorch")
    pythons = {OURS: sys.executable, SUMMED: sys.executable} | dict.fromkeys(KINDS, given.torch)
    sides: dict[str, Side] = {}
    try:
        for kind, python in pythons.items():
            sides[kind] = Side(python, kind, given)
        agree(sides)
        seconds = measuring.interleaved(sides, given.rounds, own_clock=True)
    finally:
        for side in sides.values():
            side.close()
    weights = f"{sides[OURS].facts['weights']:,} weights"
    title = f"A step beside PyTorch, {given.size} size, {weights}, {given.precision}"
    section = f"peers-{given.size}-{given.precision}"
    measuring.publish(section, title, lines(seconds, given.precision, given.busy), given)
    return None


if __name__ == "__main__":
    main()
