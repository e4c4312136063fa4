"""The process of one job: ``python -m dmf_cli.jobs.child``; its standard input says what to do.

The input stays open as long as the process that wants the job lives. When it ends, however it ended, so
does the job, after its state is saved: nothing trains on for hours unseen.
"""

import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dmf_cli import interrupts
from dmf_cli.config.typed import Config
from dmf_cli.jobs.share import Share
from dmf_cli.run_folder import run_plugins

GRACE = 60.0  # seconds for saving once the parent is gone


def main() -> int:
    """Train or resume the run that the first line of the input describes; returns the exit code."""
    # A parent in the background (`nohup dmf ... &`) hands on that SIGINT is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupts.install(defers=True)
    # Until now they waited: `Process` starts this one with them blocked.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, interrupts.SIGNALS)
    from dmf_cli.terminal.failure import report

    try:
        task = json.loads(sys.stdin.buffer.readline())
        threading.Thread(target=_end_with_parent, daemon=True).start()
        Share.take(task["share"])
        sys.argv = ["dmf", "train", *task["overrides"]]  # the command that environment.json records
        config = Config(task["config"])
        run_plugins.activate(config)
        run(config, task["resume"])
    except KeyboardInterrupt:
        return interrupts.exit_code()
    except Exception as error:
        # After a signal whatever goes wrong may be its doing, and going on with the job will tell.
        return interrupts.exit_code() if interrupts.asked() else report(error)
    finally:
        interrupts.ending()
    return 0


def run(config: Config, resume: str | Path | None, plan: Mapping[str, Any] | None = None) -> Path:
    """The job itself, in this process: a new run, or the rest of the one in the folder ``resume``.

    A new one keeps the ``plan`` that it follows in its status.
    """
    from dmf_cli.training import trainer

    if not resume:
        return trainer.train(config, **({"plan": plan} if plan else {}))
    from dmf_cli.config import moving
    from dmf_cli.run_folder import stored_config

    # Images may have been moved since it broke off: the sweep knows where they are now.
    return trainer.resume(resume, moving.moved(stored_config.load_run(resume), config))


def _end_with_parent() -> None:
    """Wait for the end of the input, then interrupt the main thread as Ctrl-C would."""
    with contextlib.suppress(OSError, ValueError):
        while os.read(sys.stdin.fileno(), 4096):
            pass
    os.kill(os.getpid(), signal.SIGINT)
    threading.Event().wait(GRACE)
    os._exit(130)


if __name__ == "__main__":
    sys.exit(main())
