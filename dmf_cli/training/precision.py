"""``trainer.precision=auto``: a lower precision where steps of the run itself show that it is faster here.

It is tried before anything of the run is drawn, and in a thread of its own: Keras counts the names of layers,
draws seeds and holds the precision for each thread. So the run that follows is, bit for bit, the one for
which its precision is typed.
"""

import dataclasses
import gc
import logging
import math
import statistics
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras

from dmf_cli import interrupts, machine, runtime
from dmf_cli.config.typed import Config
from dmf_cli.datasets.input import pipeline
from dmf_cli.datasets.input.run_data import Data
from dmf_cli.parts import failures
from dmf_cli.training import build

log = logging.getLogger("dmf")
ROUNDS, STEPS = 7, 2  # turns of each precision, and the steps of one
FASTER = 0.95  # of the time of a step in float32: a precision that takes more is not worth its lost digits
DISTURBED = 1  # rounds that may say otherwise: other work falls into some
FULL, BRAIN, HALF = "float32", "mixed_bfloat16", "mixed_float16"
AMPERE = (8, 0)  # the compute capability from which on a GPU multiplies bfloat16
clock = time.perf_counter  # tests have one of their own


def settled(
    config: Config,
    started: runtime.Runtime,
    data: Data,
    say: Callable[[str], None] = lambda line: None,
) -> tuple[Config, runtime.Runtime]:
    """``config`` and what it runs on, with the precision that ``auto`` stands for; else as they are.

    What draws random numbers afterwards has to set its seed anew.

    Args:
        config: its epochs are a number.
        started: of :func:`dmf_cli.runtime.start`.
        data: of the run.
        say: shows what takes the time.
    """
    if config.trainer.precision != "auto":
        return config, started
    trial = _trial(config, started, data, say)
    keras.config.set_dtype_policy(trial.precision)
    now = dataclasses.replace(started, precision=trial.precision, trial=trial)
    return config.changed("trainer", precision=trial.precision), now


def lower(started: runtime.Runtime) -> str:
    """The precision below float32 in which the device may be faster; "" where it has none."""
    if started.kind == "gpu":
        return BRAIN if runtime.compute_capability(started.backend) >= AMPERE else HALF
    return BRAIN if machine.has_bfloat16() else ""


def choice(name: str, seconds: Mapping[str, Sequence[float]]) -> runtime.Trial:
    """``name`` if its steps are clearly faster than in float32: in the median, and in nearly all rounds.

    Args:
        name: of the lower precision.
        seconds: of a step in each precision, in each round.
    """
    medians = {one: statistics.median(taken) for one, taken in seconds.items()}
    ratios = [low / full for low, full in zip(seconds[name], seconds[FULL], strict=True)]
    ratio, faster = statistics.median(ratios), sum(one < 1 for one in ratios)
    chosen = name if ratio < FASTER and faster >= len(ratios) - DISTURBED else FULL
    said = ", ".join(f"{one} {1000 * taken:.1f} ms a step" for one, taken in medians.items())
    why = f"{said}, ratio {ratio:.2f} (at most {FASTER}), faster in {faster} of {len(ratios)} rounds"
    return runtime.Trial(chosen, why, medians)


def _trial(config: Config, started: runtime.Runtime, data: Data, say: Callable[[str], None]) -> runtime.Trial:
    name = lower(started)
    if not name:
        return runtime.Trial(FULL, "this processor is not known to compute in bfloat16, so nothing was tried")
    say(f"trying whether {name} is faster than {FULL}")
    try:
        return choice(name, _apart([FULL, name], config, started, data))
    except Exception as error:  # of a user's own network, say, or for want of memory
        log.debug("%s could not be tried", name, exc_info=True)
        return runtime.Trial(FULL, f"{name} could not be tried: {failures.cause(error)}")
    finally:
        gc.collect()  # what was trained, with its memory


def _apart(
    names: Sequence[str], config: Config, started: runtime.Runtime, data: Data
) -> dict[str, list[float]]:
    """:func:`_seconds` in a thread of its own, which ends soon where this one is interrupted."""
    given_up = threading.Event()
    with ThreadPoolExecutor(1) as thread:
        tried = thread.submit(_seconds, names, config, started, data, given_up)
        try:
            return tried.result()
        except BaseException:
            given_up.set()
            raise


def _seconds(
    names: Sequence[str], config: Config, started: runtime.Runtime, data: Data, given_up: threading.Event
) -> dict[str, list[float]]:
    """Of a step in each of these precisions, which take turns, in each round."""
    keras.utils.set_random_seed(config.seed)  # where all is deterministic nothing is drawn without
    sides = {name: _Side(name, config, started, data) for name in names}
    _check_apart(list(sides.values()))
    taken: dict[str, list[float]] = {name: [] for name in names}
    for count in (1, *[STEPS] * ROUNDS):
        for name, side in sides.items():
            interrupts.check()
            if given_up.is_set():
                return {}
            taken[name].append(side.train(count))
    return {name: seconds[1:] for name, seconds in taken.items()}  # the first step compiled


def _check_apart(sides: "Sequence[_Side]") -> None:
    """A user's function may give the same network each time: a trial would train the one of the run.

    Raises:
        ValueError: the sides share weights.
    """
    own = [{id(variable) for variable in side.fused.variables} for side in sides]
    if set.intersection(*own):
        raise ValueError("the model is the same network each time that it is made")


class _Side(keras.callbacks.Callback):
    """The network of a run in one precision, which trains on one batch with an eye on the clock."""

    def __init__(self, name: str, config: Config, started: runtime.Runtime, data: Data) -> None:
        super().__init__()
        self.name, self.began = name, 0.0
        self.seconds: list[float] = []
        # Steps with a frozen encoder are the cheaper ones, and not many.
        config = config.changed("trainer", precision=name).changed("optimizer", frozen=0.0)
        steps = pipeline.steps_per_epoch(len(data.split.train), config.trainer.batch_size)
        total, classes = steps * config.epochs, len(data.dataset.classes)
        with runtime.precision(name):
            self.fused = build.fused_model(config, data, steps, restored=True)
            build.compile_model(self.fused, config, total, started.jit, classes)
        batches = pipeline.training_batches(
            data.train,
            seed=config.seed,
            batch_size=config.trainer.batch_size // started.shared,  # on one of the devices
            channels_out=data.channels,
            distance="distance" in self.fused.needs,
            ignores=data.dataset.ignores,
            patch=data.patch,
        )
        first = batches.take(1).cache()
        list(first)  # now, so that no step waits for it
        self.batches = first.repeat()

    def train(self, count: int) -> float:
        """Make ``count`` steps; the seconds of the fastest."""
        self.seconds.clear()
        with runtime.precision(self.name):
            self.fused.fit(self.batches, steps_per_epoch=count, shuffle=False, verbose=0, callbacks=[self])
        return min(self.seconds)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Called before each step."""
        self.began = clock()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Called after each step, which may be on its way still.

        Raises:
            FloatingPointError: the loss is no number, in this precision at least.
        """
        loss = float(logs["loss"])
        self.seconds.append(clock() - self.began)
        if not math.isfinite(loss):
            raise FloatingPointError(f"its loss is {loss}")
