"""What each part of a recipe costs: of a training step, of an image's input, of a predicted image.

Run: python scripts/bench_parts.py                    (some minutes; writes nothing)
     python scripts/bench_parts.py --side 128 --batch-size 16 --rounds 9 --only step

All sides of a table run in one process, in turns: a step, or an image, of each in every round. The ratio is
to the first row, of the same round (scripts/measuring.py). Rounds that compile do not count.
"""

import argparse
import collections
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import measuring
import numpy as np

PLAIN = "plain"
STEPS: dict[str, list[str]] = {
    PLAIN: [],
    "ema": ["optimizer.ema=0.99"],
    "deep supervision": ["trainer.deep_supervision=auto"],
    "leaky ReLU": ["model.activation=leaky_relu"],
    "instance norm": ["model.norm=instance"],
    "batch Dice": ["loss=dice+bce", "loss.terms.dice.pool=batch"],
    "sgd, Nesterov, decay": ["optimizer=sgd", "optimizer.nesterov=true", "optimizer.weight_decay=3e-3"],
    "unet_encoder": ["model=unet_encoder"],
    "unet_encoder, slowed": ["model=unet_encoder", "optimizer.encoder_rate=0.1", "optimizer.frozen=0.1"],
    "unet_encoder, 8 filters": ["model=unet_encoder", "model.filters=8"],
}
INPUTS: dict[str, list[str]] = {
    PLAIN: ["augment=none"],
    "affine": ["augment=affine"],
    "elastic": ["augment=elastic"],
    "ultrasound": ["augment=ultrasound"],
    "strong": ["augment=strong"],
    "strong, CutMix": ["augment=strong", "augment.cutmix=0.5"],
    "nnunet": ["augment=nnunet"],
    "patches": ["augment=none", "dataset.patch={half}", "trainer.foreground=0.33"],
}
PREDICTIONS: dict[str, dict[str, Any]] = {
    PLAIN: {},
    "mirror": {"mirror": True},
    "mirror on both axes": {"mirror": "both"},
    "Dice-optimal": {"decision": "dice"},
    "temperature": {"temperature": 1.5},
    "largest component": {"component": "largest"},
    "filled holes": {"holes": "fill"},
}
WARM = 2  # rounds that compile
BURST = 20  # batches of input a measurement: many more than are made ahead in the turns of the others
Sides = dict[str, Callable[[], Any]]


def prepared(words: list[str], side: int, batch: int) -> tuple[Any, Any]:
    """A config of the embedded dataset and its data."""
    from dmf_cli import config as configs
    from dmf_cli.datasets.input import run_data

    common = ["dataset.count=100", f"dataset.image_size={side}", f"dataset.size={side}"]
    rest = [word.format(half=side // 2) for word in words]
    config = configs.compose(["loss=cbdice+bce", *common, f"trainer.batch_size={batch}", *rest])
    return config, run_data.open_data(config)


def batches(config: Any, data: Any) -> Iterator[Any]:
    """Endless training batches, as a run makes them."""
    from dmf_cli.datasets.input import augment, pipeline

    changes = augment.make(config.augment, config.seed)
    options = {"patch": data.patch, "foreground": config.trainer.foreground, "augment": changes}
    shape = {"batch_size": config.trainer.batch_size, "channels_out": data.channels}
    return iter(pipeline.training_batches(data.train, seed=config.seed, **shape, **options))


def taking(made: Iterator[Any]) -> Callable[[], Any]:
    """The next batches, one after another."""
    return lambda: collections.deque(itertools.islice(made, BURST), maxlen=0)


def step(words: list[str], side: int, batch: int) -> Callable[[], Any]:
    """One training step on one batch, always the same; compiled by XLA with ``trainer.jit=true`` only."""
    from dmf_cli import runtime
    from dmf_cli.datasets.input import pipeline
    from dmf_cli.training import build

    config, data = prepared(["augment=none", *words], side, batch)
    steps = pipeline.steps_per_epoch(len(data.split.train), batch)
    config = build.with_epochs(config, steps)
    with runtime.precision(config.trainer.precision):
        model = build.fused_model(config, data, steps)
    build.compile_model(model, config, steps * config.epochs, jit=config.trainer.jit is True)
    x, y = next(batches(config, data))
    return lambda: model.train_on_batch(x, y)


def predicting(side: int, options: dict[str, Any]) -> Callable[[], Any]:
    """The mask of one image of 512x512, from a network of the size of the default one."""
    from dmf_cli import models
    from dmf_cli.datasets.input_spec import InputSpec
    from dmf_cli.inference.prediction import Prediction

    network = models.unet((side, side, 1), 2)
    prediction = Prediction(InputSpec((side, side)), **options)
    predict = prediction.applied(lambda images: np.asarray(network.predict_on_batch(images)), 1)
    image = np.random.default_rng(0).integers(0, 255, (512, 512, 1)).astype(np.uint8)
    inputs, where = prediction.spec.image(image)
    return lambda: prediction.decide(predict(inputs[None])[0], where)


def tables(only: str | None, side: int, batch: int, rounds: int) -> Iterator[tuple[str, Sides, int]]:
    """Title, sides, and how many steps or images a measurement is of."""
    if only in (None, "step"):
        yield "training step", {name: step(words, side, batch) for name, words in STEPS.items()}, 1
    if only in (None, "input"):
        made = {name: batches(*prepared(words, side, batch)) for name, words in INPUTS.items()}
        yield "input of an image", {name: taking(one) for name, one in made.items()}, batch * BURST
    if only in (None, "prediction"):
        made_ = {name: predicting(side, options) for name, options in PREDICTIONS.items()}
        yield "predicted image of 512x512", made_, 1


def main() -> None:
    parser = measuring.with_page(argparse.ArgumentParser(description=__doc__.partition("\n")[0]))
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", choices=("step", "input", "prediction"))
    options = parser.parse_args()
    for title, sides, share in tables(options.only, options.side, options.batch_size, options.rounds):
        seconds = measuring.interleaved(sides, options.rounds, WARM, busy=options.busy)
        lines = measuring.comparison(title, seconds, PLAIN, share=share, busy=options.busy)
        measuring.publish(f"parts-{title.split()[-1]}", f"The parts of a recipe: {title}", lines, options)


if __name__ == "__main__":
    main()
