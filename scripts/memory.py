"""Peaks of memory: of a run, of many predicted images, of a huge image in tiles, and of a sweep.

Run: python scripts/memory.py                                       (20 minutes on 2 cores; 3 GB of disk)
     python scripts/memory.py --images 50 --side 1000 --jobs 2 --only predict
     python scripts/memory.py --page

Each is a command of its own, and the peak is the largest resident memory of any of its processes (of a sweep,
which runs one job at a time, the process that trains). The runs are short: memory does not depend on their
length (scripts/slopes.py). The image is as large as it is in memory: one byte a pixel.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import measuring
import numpy as np
from PIL import Image
from slopes import DMF, MB, TOY

PATCHED = ("dataset.patch=64", "dataset.count=24", "trainer.epochs=4", "weighting.warmup=2", "report=false")


def peak(words: Sequence[str]) -> float:
    """Bytes of memory that the largest process of the command ``dmf WORDS`` has had.

    Raises:
        SystemExit: it failed.
    """
    quiet = {**os.environ, "DMF_DISPLAY": "quiet", "TF_CPP_MIN_LOG_LEVEL": "3"}
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen([*DMF, *words], env=quiet, stdout=said, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise SystemExit(f"dmf {' '.join(words)} ended with {process.returncode}:\n{said.read()[-2000:]}")
    return float(used.ru_maxrss * (1 if sys.platform == "darwin" else 1024))


def run(folder: Path, given: argparse.Namespace) -> tuple[str, float]:
    """The default run."""
    words = ["train", f"run_dir={folder}/run", f"trainer.epochs={given.epochs}", *given.overrides]
    return f"the default run, {given.epochs} epochs", peak(words)


def predict(folder: Path, given: argparse.Namespace) -> tuple[str, float]:
    """Masks of many images by the network of a default run."""
    if not (folder / "run").exists():
        run(folder, given)
    images = folder / "images"
    images.mkdir()
    first = images / "image0.png"
    Image.fromarray(noise(128, 128)).save(first)
    for number in range(1, given.images):
        os.link(first, images / f"image{number}.png")
    peaked = peak(["predict", str(folder / "run"), str(images), "-o", str(folder / "masks")])
    return f"`predict` over {given.images:,} images", peaked


def tiles(folder: Path, given: argparse.Namespace) -> tuple[str, float]:
    """The mask of one huge image by a network of patches."""
    peak(["train", f"run_dir={folder}/patched", *PATCHED])
    file = folder / "huge.png"
    Image.fromarray(noise(given.side, given.side)).save(file, compress_level=1)
    options = ["-o", str(folder / "mask"), "--max-pixels", str(given.side**2)]
    peaked = peak(["predict", str(folder / "patched"), str(file), *options])
    return f"`predict` of one image of {given.side:,} x {given.side:,} in tiles", peaked


def sweep(folder: Path, given: argparse.Namespace) -> tuple[str, float]:
    """Many jobs of a toy."""
    seeds = ",".join(map(str, range(given.jobs)))
    words = [f"seed={seeds}", *TOY, "trainer.epochs=2", "report=false", f"output_root={folder}/sweep"]
    return f"a sweep of {given.jobs} toy jobs", peak(["train", "-m", *words])


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, shape, np.uint8)


CASES: dict[str, Callable[[Path, argparse.Namespace], tuple[str, float]]] = {
    "run": run,
    "predict": predict,
    "tiles": tiles,
    "sweep": sweep,
}


def main() -> None:
    parser = measuring.with_page(argparse.ArgumentParser(description=__doc__.partition("\n")[0]))
    parser.add_argument("--only", choices=CASES, help="default: all of them")
    for name, default in {"epochs": 2, "images": 5000, "side": 12_000, "jobs": 100}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("overrides", nargs="*", help="of the config of the run, as for dmf train")
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="dmf-memory-") as folder:
        for name, case in CASES.items():
            if given.only in (None, name):
                what, peaked = case(Path(folder), given)
                rows.append([what, f"{peaked / MB:,.0f}"])
                print(*rows[-1], flush=True)
    measuring.publish("memory", "Peaks of memory", measuring.table(("what", "peak, MB"), rows), given)


if __name__ == "__main__":
    main()
