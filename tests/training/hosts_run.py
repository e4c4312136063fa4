"""Runs of the command line as one of two hosts: ``python hosts_run.py FOLDER KIND``, with DMF_HOST.

Run by test_hosts.py. A process joins once, so it stays joined until its last run together. Writes the exit
code and the last line of each command.
"""

import contextlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dmf_cli import hosts
from tests.training.commands import Commands, after_its_last_step
from tests.undrawn import undrawn

TWO = "trainer.hosts=2"
ALONE = "trainer.devices=1"  # JAX still counts those of a host that has left


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
        with after_its_last_step(signal.SIGTERM, second):
            commands.train("stopped", TWO)
        if first():
            shutil.copytree(stopped, fewer)
    commands.run("resumed", "resume", stopped)
    if first():
        commands.train("one", ALONE)
        commands.run("resumed on one", "resume", fewer, "trainer.hosts=1", ALONE)


def dying(commands: Commands) -> None:
    with after_its_last_step(signal.SIGKILL, second):
        commands.train("bereft", TWO)
    commands.run("resumed", "resume", str(commands.folder / "bereft"), "trainer.hosts=1", ALONE)


def first() -> bool:
    return os.environ[hosts.NUMBER] == "0"


def second() -> bool:
    return not first()


def main() -> None:
    folder, kind = Path(sys.argv[1]), sys.argv[2]
    hosts.EVERY = 2
    commands = Commands(folder, "trainer.backend=jax", "trainer.devices=all")
    {"trained": trained, "dying": dying}[kind](commands)
    (folder / f"{kind}{os.environ[hosts.NUMBER]}.json").write_text(json.dumps(commands.said))


if __name__ == "__main__":
    with undrawn():
        main()
