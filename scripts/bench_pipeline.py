"""Time the input pipeline: from opening to the first batch, and how long training steps wait for their batch.

Run: python scripts/bench_pipeline.py                                (the default run: 800 images, its model)
     python scripts/bench_pipeline.py --images 800 dataset=busi dataset.dir=PATH augment=strong

Opening is all that comes before the first batch once TensorFlow is loaded: finding the images, splitting,
decoding, building the pipeline. The embedded dataset is made first, which is not counted: it is made once.
Waiting is the time that a step is blocked in `next()`; a step is that and the compiled training step, until
it has finished. The first steps, which compile, do not count. With --images a dataset is repeated until it
has that many images.
"""

import argparse
import itertools
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from dmf_cli import config as configs
from dmf_cli.config.typed import Config


def repeated(dataset: Any, count: int) -> Any:
    """``dataset`` with ``count`` images: its own, over and over; each is read and decoded again."""
    own, load = len(dataset), dataset.load
    dataset.load = lambda index: load(index % own)
    for name in ("ids", "strata", "groups"):
        values = getattr(dataset, name)
        if values is not None:
            copies = itertools.islice(itertools.cycle(values), count)
            named = (f"{value}~{i // own}" if i >= own else value for i, value in enumerate(copies))
            setattr(dataset, name, tuple(copies if name == "strata" else named))
    return dataset


def opened(config: Config, images: int | None) -> tuple[Any, Iterator[Any], list[float]]:
    """Data, endless batches, and seconds: until the images and the first batch were there, and of CPU."""
    from dmf_cli import datasets
    from dmf_cli.datasets.input import augment, keeping, pipeline, run_data
    from dmf_cli.datasets.input_spec import InputSpec

    start, work = time.perf_counter(), time.process_time()
    if images is None:
        found = run_data.open_data(config)
    else:  # without the search for near-duplicates, which would find all of them
        dataset = repeated(datasets.open_dataset(config.dataset), images)
        order = np.random.default_rng(0).permutation(images)
        cuts = np.cumsum([round(share * images) for share in config.split.fractions[:2]])
        parts = dict(zip(("train", "val", "test"), np.split(order, cuts), strict=True))
        spec = InputSpec.of(config.dataset)
        kept, note = keeping.open_parts(dataset, parts, config.trainer.cache, spec, config.dataset)
        channels = run_data.output_channels(config.model.head, dataset)
        found = run_data.Data(dataset, None, channels, kept["train"], kept["val"], note)  # type: ignore[arg-type]
    ready = time.perf_counter() - start
    batches = pipeline.training_batches(
        found.train,
        batch_size=config.trainer.batch_size,
        channels_out=found.channels,
        seed=config.seed,
        augment=augment.make(config.augment, config.seed),
    )
    iterator = iter(batches)
    first = next(iterator)
    seconds = [ready, time.perf_counter() - start, time.process_time() - work]
    return found, itertools.chain([first], iterator), seconds


def waiting(config: Config, found: Any, batches: Iterator[Any], steps: int) -> tuple[float, float]:
    """Seconds that ``steps`` steps were blocked in ``next()``, and seconds that they took altogether."""
    import keras

    from dmf_cli.training import build

    size = config.trainer.batch_size
    config = build.with_epochs(config, len(found.train) // size)
    model = build.fused_model(config, found, len(found.train) // size)
    build.compile_model(model, config, 10_000, config.trainer.jit is True)

    def step(batch: Any) -> None:
        logs = model.train_on_batch(*batch, return_dict=True)
        float(logs["loss"])  # waits for the device

    for _ in range(3):
        step(next(batches))
    keras.ops.convert_to_numpy(model.trainable_variables[0].value)
    waited, start = 0.0, time.perf_counter()
    for _ in range(steps):
        before = time.perf_counter()
        batch = next(batches)
        waited += time.perf_counter() - before
        step(batch)
    return waited, time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=60, help="steps that are timed")
    parser.add_argument("--images", type=int, help="number of images, repeated from those of the dataset")
    parser.add_argument("overrides", nargs="*", help="of the config, as for dmf train")
    given = parser.parse_args()
    config = configs.compose(given.overrides)
    from dmf_cli import runtime

    runtime.start(config.trainer)
    from dmf_cli import datasets

    datasets.open_dataset(config.dataset)  # makes the embedded dataset
    found, batches, (ready, first, work) = opened(config, given.images)
    waited, whole = waiting(config, found, batches, given.steps)
    n = given.images or len(found.dataset)
    print(f"{config.dataset.name}, {n} images, augment={config.augment.name}; {found.note}")
    print(
        f"first batch   {first:.2f} s after opening: {ready:.2f} s until the images were there; "
        f"{work:.2f} s of processor time"
    )
    print(
        f"input waiting {100 * waited / whole:.2f} % of the step time: {1000 * waited / given.steps:.2f} of "
        f"{1000 * whole / given.steps:.1f} ms a step, {given.steps} steps"
    )


if __name__ == "__main__":
    main()
