"""Crashes, kills and failing disks while a run is trained: nothing may be lost, and nothing may be untrue.

Run: python scripts/faults.py [--backend jax] [--parts crash kill ...] [--points 60] [--kills 200] [--every 5]

Each part disturbs a tiny run (32x32 images, 4 filters, 3 epochs, a checkpoint after every step), resumes it,
and compares it with one that was not disturbed: status, steps, rows, network, checkpoint, scores, bit by bit.

    crash    a copy of the run before each operation on its files (open, write, fsync, rename, link, unlink,
             mkdir), in the middle of each write, and without all that a loss of power would take; also during
             a resume
    kill     SIGKILL at random moments, again and again until the run is complete
    term     SIGTERM likewise, with the time from the signal to the exit
    disk     ENOSPC, EIO and EROFS at the n-th operation, from then on or once
    full     a real disk (tmpfs) that is too small, by steps of 16 KiB; only if asked for, for it is mounted:
             unshare --mount python scripts/faults.py --parts full
    gone     the folder is moved or removed before the n-th operation
    clock    a clock that is set by days at every look
    two      two processes on one run

Printed for each: how many faults were tried, what was lost, unequal or untrue, and the seconds. Exit code 1
if anything was. The operations are those of Python (`tests/faults/watch.py`): writes of C libraries are not
among them. A smaller version is in the tests.
"""

import argparse
import os
import pickle
import resource
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
T = TypeVar("T")
PARTS = ("crash", "kill", "term", "disk", "gone", "clock", "two")
ASKED = ("full",)


def main() -> int:
    options, problems = parse(), 0
    with tempfile.TemporaryDirectory(prefix="dmf-faults-", dir=options.folder) as folder:
        place = Path(folder)
        prepare(options.backend, place / "cache")
        from tests.undrawn import undrawn

        print(f"{'':36}{'tried':>7}{'lost':>6}{'unequal':>9}{'untrue':>8}{'seconds':>9}", flush=True)
        with undrawn():
            for tally in campaign(options, place):
                counts = f"{len(tally.lost):6}{len(tally.unequal):9}{len(tally.untrue):8}{tally.seconds:9.0f}"
                print(f"{tally.name:36}{tally.tried:7}{counts}  {tally.note}", flush=True)
                problems += len(tally.problems)
                for problem in tally.problems:
                    print(f"  {problem}", flush=True)
    return int(problems > 0)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backend", choices=["tensorflow", "jax"], default="tensorflow")
    parser.add_argument("--parts", nargs="+", choices=PARTS + ASKED, default=PARTS)
    parser.add_argument(
        "--points", type=int, default=10**6, help="crash points that are resumed; default: all"
    )
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--terms", type=int, default=20)
    parser.add_argument(
        "--every",
        type=int,
        default=1,
        help="each so many-th operation of disk, step of full; 10 times so of gone",
    )
    parser.add_argument("--repeat", type=int, default=3, help="of clock and two")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", help="where runs are written; default: a temporary one")
    return parser.parse_args()


def prepare(backend: str, cache: Path) -> None:
    """Everything is imported once and nothing is computed: the children are forks of this process."""
    os.environ |= {
        "CUDA_VISIBLE_DEVICES": "-1",
        "DMF_CACHE": str(cache),
        "DMF_DISPLAY": "quiet",
        "JAX_COMPILATION_CACHE_DIR": str(cache / "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PLATFORMS": "cpu",
        "KERAS_BACKEND": backend,
        "MPLBACKEND": "Agg",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
    import keras  # noqa: F401
    import tensorflow  # noqa: F401 - the input pipeline is its own with JAX too

    from dmf_cli.figures import run_figures  # noqa: F401
    from dmf_cli.inference import score  # noqa: F401
    from dmf_cli.training import build, trainer  # noqa: F401

    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def campaign(options: argparse.Namespace, place: Path) -> "Iterator[Tally]":  # noqa: F821
    """The tallies of the parts, one after the other."""
    from tests.faults import crashes, disks, runs, surroundings

    words, whole = (f"trainer.backend={options.backend}",), place / "whole"
    if (end := runs.child(runs.train(whole, *words)).end()).code:
        raise RuntimeError(f"the run that nothing disturbs ends with {end}")
    count, seed, every = options.repeat, options.seed, options.every

    def new(name: str) -> Path:
        folder = place / name
        folder.mkdir()
        return folder

    if "crash" in options.parts:
        choose = crashes.at_random(options.points, seed)
        yield forked(lambda: crashes.of_training(new("crash"), choose, *words))
        yield forked(lambda: crashes.of_resuming(new("resume"), whole, choose, *words))
    if "kill" in options.parts:
        yield surroundings.kills(new("kill"), whole, options.kills, seed, *words)
    if "term" in options.parts:
        yield surroundings.terms(new("term"), whole, options.terms, seed, *words)
    if "two" in options.parts:
        yield surroundings.two_at_once(new("two"), whole, count, *words)
    if "disk" in options.parts:
        folder = new("disk")
        for name in disks.FAULTS:
            for once in (False, True):
                numbers = range(1, 10**6, every)
                yield forked(lambda: disks.errors(folder, whole, name, numbers, *words, once=once))  # noqa: B023
    if "full" in options.parts:
        yield forked(lambda: disks.full(new("full"), whole, every, *words))
    if "gone" in options.parts:
        operations = forked(lambda: disks.count(place, "EROFS", *words))
        numbers = range(1 + every, operations, 10 * every)
        for moved in (True, False):
            folder = new(f"gone-{moved}")
            yield forked(lambda: disks.gone(folder, whole, numbers, *words, moved=moved))  # noqa: B023
    if "clock" in options.parts:
        yield forked(lambda: surroundings.clock(new("clock"), whole, count, seed, *words))


def forked(work: Callable[[], T]) -> T:
    """What ``work()`` gives, in a fork: this process stays one that has computed nothing."""
    reading, writing = os.pipe()
    if (pid := os.fork()) == 0:
        try:
            with os.fdopen(writing, "wb") as file:
                pickle.dump(work(), file)
            os._exit(0)
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        answer = file.read()
    if os.waitpid(pid, 0)[1] != 0:
        raise RuntimeError("a part ended by itself")
    return pickle.loads(answer)


if __name__ == "__main__":
    sys.exit(main())
