"""A job that trains nothing: its ``overrides`` say what it does."""

import json
import os
import signal
import sys
import time

from dmf_cli import interrupts


def main():
    task = json.loads(sys.stdin.readline())
    interrupts.install(defers=True)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, interrupts.SIGNALS)
    what, *rest = task["overrides"]
    if what == "code":
        print(f"error: code {rest[0]}", flush=True)
        return int(rest[0])
    if what == "where":
        print(f"error: {os.getpid()} {os.getsid(0)} {os.getppid()}", flush=True)
        return 1
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    until = time.monotonic() + 60
    while time.monotonic() < until and not interrupts.asked():
        time.sleep(0.01)
    return interrupts.exit_code()
