"""What a training step costs on a CPU, by image size: seconds of a processor, and memory of the process.

Run: python scripts/step_cost.py                    (a few minutes; writes nothing)
     python scripts/step_cost.py model=unet_wide trainer.batch_size=8

Seconds of a processor do not depend on what else the machine is doing; an idle machine with n cores takes
about 1/n of them. Steps that compile do not count. Each size has a process of its own, for its memory.
"""

import os
import resource
import subprocess
import sys
import time
from typing import Any

SIZES, STEPS = (64, 128, 256), 4


def measure(overrides: list[str]) -> tuple[float, float]:
    """Seconds of a processor for one step of the default loss, and the peak memory in GiB."""
    import keras
    import numpy as np

    from dmf_cli import config as configs
    from dmf_cli import fuse, models

    config: Any = configs.compose(overrides)
    side, batch = config["dataset"]["image_size"], config["trainer"]["batch_size"]
    options = {key: value for key, value in config["model"].items() if key in ("filters", "depth", "convs")}
    model = fuse(models.unet((side, side, 1), 2, **options), "cbdice+bce")
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
    words = sys.argv[1:]
    if words[:1] == ["--one"]:
        print("{:.2f} {:.1f}".format(*measure(words[1:])))
        return
    print("image_size  processor seconds a step  memory in GiB")
    for size in SIZES:
        command = [sys.executable, __file__, "--one", f"dataset.image_size={size}", *words]
        quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        done = subprocess.run(command, env=quiet, capture_output=True, text=True, check=True)
        seconds, memory = done.stdout.split()[-2:]
        print(f"{size:10}  {seconds:>24}  {memory:>13}", flush=True)


if __name__ == "__main__":
    main()
