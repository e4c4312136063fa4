"""Time a training step under every weighting strategy, relative to weighting=fixed.

Run: python scripts/bench_strategies.py --toy                  (32x32, batch 8, 8 filters: the worst case)
     python scripts/bench_strategies.py --rounds 9 --only var,mad,bayes   (128x128, batch 32, 32 filters)

All models live in one process and take turns in an order that is drawn anew each round; a ratio is the median
over the rounds of (time under the strategy / time under fixed in the same round), with its quartiles. `fixed`
is timed twice: the second one shows the noise. Steps are compiled as in `dmf train`, with its record
of every step.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from dmf_cli import FusedModel, lookup, models, weighting

WINDOWED = ("var", "mad", "bayes")
TOY = {"size": 32, "batch": 8, "filters": 8, "steps": 40}


def strategies(only: list[str], window: int, long: int) -> dict[str, weighting.Strategy]:
    """Label -> strategy; those of DMF with both windows, those with gradients at two intervals."""
    found = {}
    for name in only or weighting.__registry__:
        known = lookup.keywords(getattr(weighting, name))
        options = {"warmup": 2, "window": window, "steps_per_epoch": 10}
        options = {k: v for k, v in options.items() if k in known}
        if name == "softadapt":
            del options["window"]  # its own default
        label = f"{name}, window {window}" if name in WINDOWED else name
        found[label] = weighting.get(name, **options)
        if name in WINDOWED and long:
            found[f"{name}, window {long}"] = weighting.get(name, **{**options, "window": long})
        if found[label].needs_gradients:
            found[f"{name}, every 10"] = weighting.get(name, **options, every=10)
    return {label: strategy for label, strategy in found.items() if label != "fixed"}


def stepper(strategy: weighting.Strategy, given: argparse.Namespace) -> Callable[[int], float]:
    """A function that trains so many steps and returns the seconds."""
    rng = np.random.default_rng(0)
    shape = (given.batch, given.size, given.size)
    images = rng.normal(size=(*shape, 1)).astype("float32")
    masks = np.eye(2, dtype="float32")[(images[..., 0] > 0.5).astype(int)]
    network = models.unet((given.size, given.size, 1), 2, filters=given.filters, convs=given.convs)
    model = FusedModel(network, given.terms, strategy, record_steps=100)
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=given.jit)
    one = one_step(model, images, masks)

    def run(steps: int) -> float:
        start = time.perf_counter()
        for _ in range(steps):
            one()
        keras.ops.convert_to_numpy(model.trainable_variables[0].value)  # waits for the device
        return time.perf_counter() - start

    run(3)
    return run


def one_step(model: FusedModel, images: np.ndarray, masks: np.ndarray) -> Callable[[], Any]:
    """One compiled training step; on TensorFlow without the logs that ``train_on_batch`` fetches."""
    if keras.backend.backend() != "tensorflow":
        return lambda: model.train_on_batch(images, masks)
    import tensorflow as tf

    model.train_on_batch(images, masks)  # builds
    batches = iter(tf.data.Dataset.from_tensors((images, masks)).cache().repeat())
    function = model.make_train_function()
    return lambda: function(batches)


def compare(runs: dict[str, Callable[[int], float]], rounds: int, steps: int) -> dict[str, np.ndarray]:
    """Label -> seconds a step of each round, in turns."""
    rng, found = np.random.default_rng(0), {label: [] for label in runs}
    for _ in range(rounds):
        for label in rng.permutation(list(runs)):
            found[label].append(runs[label](steps) / steps)
    return {label: np.array(seconds) for label, seconds in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--toy", action="store_true", help="32x32, batch 8, 8 filters, 40 steps a turn")
    for name, value in {"size": 128, "batch": 32, "filters": 32, "convs": 1, "steps": 1, "rounds": 7}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--window", type=int, default=150)
    parser.add_argument("--long", type=int, default=5000, help="a second window for var, mad, bayes; 0: none")
    parser.add_argument("--terms", default="cbdice+bce")
    parser.add_argument("--only", default="", help="names, separated by commas; default: every strategy")
    parser.add_argument("--jit", action="store_true", help="compile with XLA")
    given = parser.parse_args()
    if given.toy:
        vars(given).update(TOY)
    only = [name for name in given.only.split(",") if name]
    chosen = {"fixed": weighting.get("fixed"), "fixed again": weighting.get("fixed")}
    chosen |= strategies(only, given.window, given.long)
    seconds = compare({k: stepper(s, given) for k, s in chosen.items()}, given.rounds, given.steps)
    base = seconds["fixed"]
    print(f"{keras.backend.backend()}, U-Net of {given.filters} filters, {given.size}x{given.size}, ", end="")
    print(f"batch {given.batch}, {given.terms}: {1000 * np.median(base):.2f} ms a step under fixed\n")
    print("| weighting | ratio to fixed | quartiles |\n| :-- | --: | --: |")
    for label, values in seconds.items():
        low, middle, high = np.percentile(values / base, [25, 50, 75])
        print(f"| {label} | {middle:.3f} | {low:.3f} - {high:.3f} |")


if __name__ == "__main__":
    main()
