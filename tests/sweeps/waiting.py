"""Waiting for what a sweep does, and pressing Ctrl-C there."""

import os
import signal
import time

from dmf_cli.run_folder.index import Index


def states(tmp_path):
    return sorted(entry.status["state"] for entry in Index(tmp_path / "out").refresh())


def wait_for(condition):
    end = time.monotonic() + 60
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)


def under_way(tmp_path):
    """Runs that have finished an epoch."""
    return [entry for entry in Index(tmp_path / "out").refresh() if entry.status.get("epoch")]


def press(times=1):
    for _ in range(times):
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)


def interrupt_when(tmp_path, times=1, jobs=1):
    wait_for(lambda: len(under_way(tmp_path)) == jobs)
    press(times)
