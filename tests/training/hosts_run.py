"""Runs of the command line as one of two hosts: ``python hosts_run.py FOLDER KIND``, with DMF_HOST.

Run by test_hosts.py. A process joins once, so it stays joined until its last run together. Writes the exit
code and the last line of each command.
"""

import contextlib
import io
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dmf_cli import hosts
from dmf_cli.cli import main as cli
from tests.training.conftest import TINY
from tests.undrawn import undrawn

# 5 validation images in batches of 4: the last one leaves nothing for the second host.
WORDS = (
    *TINY,
    "dataset.count=25",
    "trainer.device=cpu",
    "trainer.backend=jax",
    "trainer.devices=all",
    "split.fractions=[0.6,0.2,0.2]",
    "loss=cbdice+ce",
    "weighting=var",
    "weighting.warmup=2",
    "optimizer.ema=0.9",
    "trainer.insight_every=2",
)
TWO = "trainer.hosts=2"
ALONE = "trainer.devices=1"  # JAX still counts those of a host that has left
LAST = 4  # steps after which the second host is asked to stop, or ends, of 3 an epoch


class Commands:
    """Commands of one host, and what became of each."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.said = folder, dict[str, tuple[int, str]]()

    def train(self, name: str, *words: str) -> None:
        place = (f"run_dir={self.folder / name}", f"output_root={self.folder}")
        self.run(name, "train", *WORDS, *place, *words)

    def run(self, name: str, *words: str) -> None:
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(out):
            code = cli.main(list(words))
        self.said[name] = code, (out.getvalue().strip().splitlines() or [""])[-1]


@contextlib.contextmanager
def after_its_last_step(number: int) -> Any:
    """Inside, the second host gets a signal after :data:`LAST` steps."""
    from dmf_cli.training.midway import Midway

    made, original = 0, Midway.on_train_batch_end

    def ends(self: Midway, batch: int, logs: Any = None) -> None:
        nonlocal made
        original(self, batch, logs)
        made += 1
        if made == LAST and hosts.number() == 1:
            signal.raise_signal(number)

    Midway.on_train_batch_end = ends
    try:
        yield
    finally:
        Midway.on_train_batch_end = original


@contextlib.contextmanager
def joined() -> Any:
    """Inside, no run leaves the other host: none of a process can join again."""
    leave: Callable[[], None] = hosts.leave
    hosts.leave = lambda: None
    try:
        yield
    finally:
        hosts.leave = leave


def trained(commands: Commands) -> None:
    stopped, fewer = str(commands.folder / "stopped"), str(commands.folder / "fewer")
    with joined():
        commands.train("two", TWO)
        commands.train("unlike", TWO, f"seed={hosts.number()}")
        with after_its_last_step(signal.SIGTERM):
            commands.train("stopped", TWO)
        if first():
            shutil.copytree(stopped, fewer)
    commands.run("resumed", "resume", stopped)
    if first():
        commands.train("one", ALONE)
        commands.run("resumed on one", "resume", fewer, "trainer.hosts=1", ALONE)


def dying(commands: Commands) -> None:
    with after_its_last_step(signal.SIGKILL):
        commands.train("bereft", TWO)
    commands.run("resumed", "resume", str(commands.folder / "bereft"), "trainer.hosts=1", ALONE)


def first() -> bool:
    return os.environ[hosts.NUMBER] == "0"


def main() -> None:
    folder, kind = Path(sys.argv[1]), sys.argv[2]
    hosts.EVERY = 2
    commands = Commands(folder)
    {"trained": trained, "dying": dying}[kind](commands)
    (folder / f"{kind}{os.environ[hosts.NUMBER]}.json").write_text(json.dumps(commands.said))


if __name__ == "__main__":
    with undrawn():
        main()
