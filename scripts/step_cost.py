"""What a training step costs on a CPU, by image size: seconds of a processor, and memory of the process.

Run: python scripts/step_cost.py                    (a few minutes; writes nothing)
     python scripts/step_cost.py --batch-size 8

Seconds of a processor depend less than those of a clock on what else the machine is doing; n idle cores take
about 1/n of them. Steps that compile do not count. Each size has a process of its own, for its memory.
"""

import argparse
import os
import resource
import subprocess
import sys
import time

SIZES, STEPS = (64, 128, 256), 4


def measure(side: int, batch: int) -> tuple[float, float]:
    """Seconds of a processor for one step of the default network and loss, and the peak memory in GiB."""
    import keras
    import numpy as np

    from dmf_cli import fuse, models

    model = fuse(models.unet((side, side, 1), 2), "cbdice+bce")
    model.compile(keras.optimizers.Adam())
    images = np.random.default_rng(0).random((batch, side, side, 1), dtype="float32")
    masks = keras.ops.one_hot(images[..., 0] > 0.9, 2)
    for step in range(STEPS + 2):
        if step == 2:
            start = time.process_time()
        model.train_on_batch(images, masks)
    seconds = (time.process_time() - start) / STEPS
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print("{:.2f} {:.1f}".format(*measure(options.one, options.batch_size)))
        return
    print("image_size  processor seconds a step  memory in GiB")
    for size in SIZES:
        command = [sys.executable, __file__, f"--one={size}", f"--batch-size={options.batch_size}"]
        quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        done = subprocess.run(command, env=quiet, capture_output=True, text=True, check=True)
        seconds, memory = done.stdout.split()[-2:]
        print(f"{size:10}  {seconds:>24}  {memory:>13}", flush=True)


if __name__ == "__main__":
    main()
