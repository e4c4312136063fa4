"""Where the time of a training step goes on a CPU, and what other ways of computing it take.

Run: python scripts/profile_step.py                (the default and the strong recipe; 5 minutes on 2 cores)
     python scripts/profile_step.py --page
     python scripts/profile_step.py --side 32 --batch-size 8 --steps 3 --rounds 3

The shares are from TensorFlow's own profiler: the time of each kind of operation, forward and backward, in a
step that is not compiled by XLA. Operations that run beside each other count each for itself. The other ways
are sides that take turns in one process (scripts/measuring.py), as is the way that is kept.
"""

import argparse
import collections
import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import measuring
from bench_parts import PLAIN, step

PROFILED = {"default": [], "strong": ["recipe=strong", "model.pretrained=false"]}
WAYS: dict[str, list[str]] = {
    PLAIN: [],
    "mixed_bfloat16": ["trainer.precision=mixed_bfloat16"],
    "XLA": ["trainer.jit=true"],
    "resize and convolution": [],
    "batch normalisation of Keras": [],
    "no normalisation": ["model.norm=none"],
    "group normalisation": ["model.norm=group"],
    "one convolution a level": ["model.convs=1"],
}
WARM, SHOWN = 3, 12


def by_kind(folder: Path) -> collections.Counter[str]:
    """Nanoseconds of each kind of operation that the profile in ``folder`` holds."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    found: collections.Counter[str] = collections.Counter()
    for file in folder.glob("**/*.xplane.pb"):
        space = xplane_pb2.XSpace.FromString(file.read_bytes())
        for plane in space.planes:
            names = {key: one.name for key, one in plane.event_metadata.items()}
            for event in (event for line in plane.lines for event in line.events):
                _, colon, kind = names[event.metadata_id].partition(":")
                if colon and kind.isidentifier():
                    found[kind] += event.duration_ps // 1000
    return found


def profiled(taken: Callable[[], Any], steps: int) -> collections.Counter[str]:
    """Nanoseconds of each kind of operation in ``steps`` steps."""
    import tensorflow as tf

    for _ in range(WARM):
        taken()
    with tempfile.TemporaryDirectory() as folder:
        options = tf.profiler.experimental.ProfilerOptions(host_tracer_level=2, python_tracer_level=0)
        with tf.profiler.experimental.Profile(folder, options):
            for _ in range(steps):
                taken()
        return by_kind(Path(folder))


def shares(spent: collections.Counter[str], steps: int, busy: bool) -> list[str]:
    """A table of the kinds that take longest, and of the rest together."""
    whole = spent.total()
    shown = spent.most_common(SHOWN)
    rest = whole - sum(time for _, time in shown)
    rows = [(kind, time) for kind, time in (*shown, (f"{len(spent) - len(shown)} other kinds", rest))]
    head = ["operation", *([] if busy else ["ms a step"]), "share"]
    lines = [
        [kind, *([] if busy else [f"{time / steps / 1e6:.2f}"]), f"{time / whole:.1%}"] for kind, time in rows
    ]
    return measuring.table(head, lines)


@contextlib.contextmanager
def resized() -> Iterator[None]:
    """Inside, a U-Net doubles a map by repeating its pixels, in place of the transposed convolutions."""
    from keras import layers

    from dmf_cli.models import _blocks, _unet

    def upsample(x: Any, like: Any, filters: int, options: _blocks.Options) -> Any:
        x = _blocks.convolve(layers.UpSampling2D(2)(x), filters, options)
        return _blocks.fit_size(x, like)

    with mock.patch.object(_unet, "upsample", upsample):
        yield


def apart() -> contextlib.AbstractContextManager[Any]:
    """Inside, batch normalisation is the dozen operations that Keras makes of it."""
    from dmf_cli.ops import normalization

    return mock.patch.object(normalization, "join", return_value=None)


CHANGED = {"resize and convolution": resized, "batch normalisation of Keras": apart}


def ways(side: int, batch: int) -> dict[str, Callable[[], Any]]:
    """A step of each way of computing the default network."""
    found = {}
    for name, words in WAYS.items():
        with CHANGED.get(name, contextlib.nullcontext)():  # what the network is made of
            found[name] = step(words, side, batch)
    return found


def main() -> None:
    parser = measuring.with_page(argparse.ArgumentParser(description=__doc__.partition("\n")[0]))
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--steps", type=int, default=10, help="that are profiled")
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    for name, words in PROFILED.items():
        spent = profiled(step(words, given.side, given.batch_size), given.steps)
        lines = shares(spent, given.steps, given.busy)
        measuring.publish(f"profile-{name}", f"The operations of a step: {name}", lines, given)
    sides = ways(given.side, given.batch_size)
    seconds = measuring.interleaved(sides, given.rounds, WARM, busy=given.busy)
    lines = measuring.comparison("way", seconds, PLAIN, busy=given.busy)
    measuring.publish("ways", "Other ways of computing a step", lines, given)


if __name__ == "__main__":
    main()
