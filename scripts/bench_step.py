"""A training step of fused losses against plain Keras with the same terms summed by hand, in one process.

Run: python scripts/bench_step.py                                   (toy and default size, every strategy)
     python scripts/bench_step.py --size toy --terms 2,6,12 --window 150,5000 --only var,mad,bayes
     KERAS_BACKEND=jax python scripts/bench_step.py --size toy
     python scripts/bench_step.py --size default --precision mixed_bfloat16 --only var
     python scripts/bench_step.py --size toy --page                 (also into docs/background/performance.md)

All sides take turns of some steps of a `fit` on one batch that stays in memory: what is timed is what a step
costs inside `fit`, with callbacks and logs, and nothing of the start. The sides:

    summed        Keras's fit, compiled with one function: the sum of the terms
    one loss      Keras's fit with cross-entropy
    NAME          fuse(network, terms, NAME); `var, recorded` keeps every step as `dmf train` does
    lists         TensorFlow: an eager loop with the losses in Python lists and the weights in NumPy, as a
                  notebook does it

The goals: a strategy that needs loss values only costs at most 1.01 of `summed` at the default
size, 1.05 of it on the toy. `met` and `missed` are said where the interval agrees.
"""

import argparse
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import keras
import measuring
import numpy as np

from dmf_cli import FusedModel, fuse, lookup, losses, models, weighting

NAMES = [
    "cbdice",
    "bce",
    "dice",
    "iou",
    "tversky",
    "focal_tversky",
    "gdice",
    "logcosh_dice",
    "focal",
    "ce",
    "unified_focal",
    "sensspec",
]
BASE = "summed"


class Size(NamedTuple):
    """Of images and network; ``steps`` of a turn."""

    side: int
    batch: int
    filters: int
    convs: int
    steps: int


SIZES = {
    "toy": Size(32, 8, 4, 2, 40),
    "default": Size(128, 16, 12, 2, 2),
    "notebook": Size(128, 32, 32, 1, 1),
    "large": Size(512, 4, 12, 2, 1),
}
GOALS = {"toy": 1.05, "default": 1.01}


def batch(size: Size) -> tuple[np.ndarray, np.ndarray]:
    """Noise, and as its one-hot truth where it is bright."""
    images = np.random.default_rng(0).normal(size=(size.batch, size.side, size.side, 1)).astype("float32")
    return images, np.eye(2, dtype="float32")[(images[..., 0] > 0.5).astype(int)]


def network(size: Size) -> keras.Model:
    return models.unet((size.side, size.side, 1), 2, filters=size.filters, convs=size.convs)


def strategies(only: Sequence[str], windows: Sequence[int]) -> Iterator[tuple[str, weighting.Strategy]]:
    """Label and strategy: one for each window where there is one, and of gradients at two intervals."""
    for name in only or weighting.__registry__:
        known = lookup.keywords(getattr(weighting, name))
        options = {"warmup": 2, "steps_per_epoch": 10}
        options = {key: value for key, value in options.items() if key in known}
        if "window" in known and name != "softadapt":  # whose window is one of a difference
            for window in windows:
                yield f"{name}, window {window}", weighting.get(name, **options, window=window)
        else:
            made = weighting.get(name, **options)
            yield name, made
            if made.needs_gradients:
                yield f"{name}, every 10", weighting.get(name, **options, every=10)


class Fit(keras.callbacks.Callback):
    """One long `fit` in a thread of its own that makes some steps whenever it is called, and waits between.

    So nothing is timed but steps as `fit` makes them, and no turn pays for the start of a `fit`.
    """

    def __init__(self, model: keras.Model, data: Any, steps: int, busy: bool = False) -> None:
        super().__init__()
        self.now = measuring.clock(busy)
        self.steps, self.start, self.seconds = steps, 0.0, 0.0
        self.fused, self.data, self.error = model, data, None
        self.turn, self.over = threading.Semaphore(0), threading.Semaphore(0)
        self.thread = threading.Thread(target=self._fit, daemon=True)

    def __call__(self) -> float:
        """Seconds of a step of this turn."""
        if not self.thread.ident:
            self.thread.start()
        self.turn.release()
        self.over.acquire()
        if self.error is not None:
            raise self.error
        return self.seconds

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if batch % self.steps == 0:
            self.turn.acquire()
            self.start = self.now()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if (batch + 1) % self.steps == 0:
            float(logs["loss"])  # waits for the device
            self.seconds = (self.now() - self.start) / self.steps
            self.over.release()

    def _fit(self) -> None:
        try:
            with warnings.catch_warnings(action="ignore"):  # a Dataset is not shuffled by Keras
                self.fused.fit(self.data, steps_per_epoch=10**9, verbose=0, callbacks=[self])
        except Exception as error:
            self.error = error
            self.over.release()


def summed(terms: Sequence[str]) -> Callable[[Any, Any], Any]:
    """What somebody writes who wants these losses: their sum."""
    functions = [losses.get(name) for name in terms]
    return lambda y, p: sum(function(y, p) for function in functions)


def lists(net: keras.Model, terms: Sequence[str], data: Any, steps: int, busy: bool) -> Callable[[], float]:
    """An eager loop; loss values go into Python lists, of which NumPy makes the weights (``var``)."""
    import tensorflow as tf

    functions, histories = [losses.get(name) for name in terms], [[] for _ in terms]
    optimizer, variables = keras.optimizers.Adam(1e-3), net.trainable_variables
    batches, now = iter(data), measuring.clock(busy)

    def step() -> None:
        x, y = next(batches)
        with tf.GradientTape() as tape:
            p = net(x, training=True)
            values = [function(y, p) for function in functions]
            for history, value in zip(histories, values, strict=True):
                history.append(float(value))
            loss = sum(w * value for w, value in zip(variances(histories), values, strict=True))
        optimizer.apply(tape.gradient(loss, variables), variables)

    def turn() -> float:
        start = now()
        for _ in range(steps):
            step()
        return (now() - start) / steps

    return turn


def variances(histories: Sequence[Sequence[float]], window: int = 150) -> np.ndarray:
    """The weights of ``var`` from plain lists."""
    spread = []
    for history in histories:
        last = np.array(history[-window:])
        z = np.sign(last) * np.log1p(np.abs(last))
        spread.append(np.var((z - z.min()) / (z.max() - z.min() + 1e-7)))
    total = sum(spread)
    return np.array(spread) / total if total else np.full(len(spread), 1 / len(spread))


def compiled(model: keras.Model, given: argparse.Namespace, **options: Any) -> keras.Model:
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=given.jit, **options)
    return model


def sides(size: Size, terms: Sequence[str], given: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    """Name -> a turn; and the names of those that have a goal: the strategies of loss values."""
    import tensorflow as tf

    data = tf.data.Dataset.from_tensors(batch(size)).cache().repeat()

    def fit(model: keras.Model) -> Fit:
        return Fit(model, data, size.steps, given.busy)

    plain = {"summed": summed(terms), "summed again": summed(terms), "one loss": losses.get("ce")}
    found = {name: fit(compiled(network(size), given, loss=loss)) for name, loss in plain.items()}
    goal = []
    for label, strategy in strategies(given.only, given.window):
        found[label] = fit(compiled(fuse(network(size), list(terms), strategy), given))
        goal += [] if strategy.needs_gradients else [label]
    if not given.only or "var" in given.only:
        recorded = FusedModel(network(size), list(terms), "var", record_steps=100)
        found["var, recorded"] = fit(compiled(recorded, given))
        goal.append("var, recorded")
    if keras.backend.backend() == "tensorflow" and not given.jit:
        found["lists"] = lists(network(size), terms, data, max(1, size.steps // 20), given.busy)
    return found, goal


def main() -> None:
    parser = measuring.with_page(argparse.ArgumentParser(description=__doc__.partition("\n")[0]))
    names, numbers = (lambda text: text.split(",")), (lambda text: [int(one) for one in text.split(",")])
    parser.add_argument("--size", type=names, default=["toy", "default"], help=", ".join(SIZES))
    parser.add_argument("--terms", type=numbers, default=[2], help=f"how many of {' '.join(NAMES)}")
    parser.add_argument("--window", type=numbers, default=[150], help="of var, mad, bayes")
    parser.add_argument("--only", type=names, default=[], help="strategies; default: every one")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--precision", default="float32", help="such as mixed_bfloat16")
    parser.add_argument("--jit", action="store_true", help="compile with XLA")
    given = parser.parse_args()
    keras.config.set_dtype_policy(given.precision)
    for name in given.size:
        for count in given.terms:
            turns, goal = sides(SIZES[name], NAMES[:count], given)
            seconds = measuring.interleaved(turns, given.rounds, own_clock=True)
            goals = dict.fromkeys(goal, GOALS[name]) if name in GOALS else None
            size, backend = SIZES[name], keras.backend.backend()
            how = [backend, *(["XLA"] if given.jit else []), given.precision]
            title = (
                f"A step, {name}: {size.side}x{size.side}, batch {size.batch}, {size.filters} filters, "
                f"{count} terms, {', '.join(how)}"
            )
            lines = measuring.comparison("side", seconds, BASE, goals=goals, busy=given.busy)
            section = "-".join(["step", name, str(count), *how])
            measuring.publish(section, title, lines, given)
            keras.backend.clear_session()


if __name__ == "__main__":
    main()
