"""Runs of the command line on one and on two virtual devices: ``python devices_run.py BACKEND FOLDER``.

Run by test_devices.py, in a process of its own, because a process makes its devices once. Writes the exit
code and the last line of each command.
"""

import json
import shutil
import signal
import sys
from pathlib import Path

from tests.training.commands import Commands, after_its_last_step
from tests.undrawn import undrawn


def main() -> None:
    backend, folder = sys.argv[1], Path(sys.argv[2])
    commands = Commands(folder, f"trainer.backend={backend}")
    commands.train("two", "trainer.devices=2")  # first: it makes the devices
    commands.train("one")
    with after_its_last_step(signal.SIGINT):
        commands.train("stopped", "trainer.devices=2")
    shutil.copytree(folder / "stopped", folder / "fewer")
    commands.run("resumed", "resume", str(folder / "stopped"))
    commands.run("resumed on one", "resume", str(folder / "fewer"), "trainer.devices=1")
    commands.run("eval", "eval", str(folder / "two"), "split=val")
    commands.run("many", "train", *commands.words, "trainer.devices=3")
    commands.run("unequal", "train", *commands.words, "trainer.devices=2", "trainer.batch_size=3")
    (folder / "said.json").write_text(json.dumps(commands.said))


if __name__ == "__main__":
    with undrawn():
        main()
