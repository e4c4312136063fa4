"""Runs of the command line on one and on two virtual devices: ``python devices_run.py BACKEND FOLDER``.

Run by test_devices.py, in a process of its own, because a process makes its devices once. Writes the exit
code and the last line of each command.
"""

import contextlib
import io
import json
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

from dmf_cli.cli import main as cli
from tests.training.conftest import TINY
from tests.undrawn import undrawn

# 5 validation images in batches of 4: the last one leaves nothing for the second device.
WORDS = (
    *TINY,
    "dataset.count=25",
    "trainer.device=cpu",
    "split.fractions=[0.6,0.2,0.2]",
    "loss=cbdice+ce",
    "weighting=var",
    "weighting.warmup=2",
    "optimizer.ema=0.9",
    "trainer.insight_every=2",
)
STOP_AFTER = 4  # steps, of 3 an epoch


class Commands:
    """Commands of one process, and what became of each."""

    def __init__(self, backend: str, folder: Path) -> None:
        self.backend, self.folder = backend, folder
        self.said: dict[str, tuple[int, str]] = {}

    def train(self, name: str, *words: str) -> None:
        place = (f"run_dir={self.folder / name}", f"output_root={self.folder}")
        self.run(name, "train", *WORDS, f"trainer.backend={self.backend}", *place, *words)

    def run(self, name: str, *words: str) -> None:
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(out):
            code = cli.main(list(words))
        self.said[name] = code, (out.getvalue().strip().splitlines() or [""])[-1]


@contextlib.contextmanager
def stopped(after: int) -> Any:
    """Inside, a training gets SIGINT after so many steps."""
    from dmf_cli.training.midway import Midway

    made, original = 0, Midway.on_train_batch_end

    def ends(self: Midway, batch: int, logs: Any = None) -> None:
        nonlocal made
        original(self, batch, logs)
        made += 1
        if made == after:
            signal.raise_signal(signal.SIGINT)

    Midway.on_train_batch_end = ends
    try:
        yield
    finally:
        Midway.on_train_batch_end = original


def main() -> None:
    backend, folder = sys.argv[1], Path(sys.argv[2])
    commands = Commands(backend, folder)
    commands.train("two", "trainer.devices=2")  # first: it makes the devices
    commands.train("one")
    with stopped(STOP_AFTER):
        commands.train("stopped", "trainer.devices=2")
    shutil.copytree(folder / "stopped", folder / "fewer")
    commands.run("resumed", "resume", str(folder / "stopped"))
    commands.run("resumed on one", "resume", str(folder / "fewer"), "trainer.devices=1")
    commands.run("eval", "eval", str(folder / "two"), "split=val")
    commands.run("many", "train", *WORDS, f"trainer.backend={backend}", "trainer.devices=3")
    commands.run(
        "unequal", "train", *WORDS, f"trainer.backend={backend}", "trainer.devices=2", "trainer.batch_size=3"
    )
    (folder / "said.json").write_text(json.dumps(commands.said))


if __name__ == "__main__":
    with undrawn():
        main()
