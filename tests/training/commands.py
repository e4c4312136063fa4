"""Runs of the command line in a process of its own: what devices_run.py and hosts_run.py share."""

import contextlib
import io
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dmf_cli.cli import main as cli
from tests.training.conftest import TINY

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
LAST = 4  # steps after which a training gets a signal, of 3 an epoch


class Commands:
    """Commands of one process, and what became of each: its exit code and its last line.

    Args:
        folder: of the runs.
        words: of all trainings, beside :data:`WORDS`.
    """

    def __init__(self, folder: Path, *words: str) -> None:
        self.folder, self.words = folder, (*WORDS, *words)
        self.said: dict[str, tuple[int, str]] = {}

    def train(self, name: str, *words: str) -> None:
        place = (f"run_dir={self.folder / name}", f"output_root={self.folder}")
        self.run(name, "train", *self.words, *place, *words)

    def run(self, name: str, *words: str) -> None:
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(out):
            code = cli.main(list(words))
        self.said[name] = code, (out.getvalue().strip().splitlines() or [""])[-1]


@contextlib.contextmanager
def after_its_last_step(number: int, here: Callable[[], bool] = lambda: True) -> Any:
    """Inside, a training gets the signal ``number`` after :data:`LAST` steps where ``here()`` is true."""
    from dmf_cli.training.midway import Midway

    made, original = 0, Midway.on_train_batch_end

    def ends(self: Midway, batch: int, logs: Any = None) -> None:
        nonlocal made
        original(self, batch, logs)
        made += 1
        if made == LAST and here():
            signal.raise_signal(number)

    Midway.on_train_batch_end = ends
    try:
        yield
    finally:
        Midway.on_train_batch_end = original
