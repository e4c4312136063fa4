"""A job's process that trains nothing: what it does is said by the seed. Run as dmf_cli.jobs.child is."""

import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path

from dmf_cli import config as configs
from dmf_cli import interrupts
from dmf_cli.errors import RunError
from dmf_cli.jobs import child
from dmf_cli.run_folder import identity
from dmf_cli.run_folder.folder import RunFolder

FAILS, DIES, WAITS, IGNORES, EARLY, LOADS, TORN, LATE = 70, 80, 90, 100, 110, 120, 130, 140
EPOCHS = 3


def run(config, resume):
    """Three epochs; the second time, when it goes on, every job succeeds."""
    root = Path(config.output_root)
    with (root / "calls.txt").open("a") as calls:
        calls.write(f"{config.seed}{' again' if resume else ''}\n")
    if config.seed == EARLY:
        raise RunError("there is nothing to train")
    if config.seed in (LOADS, TORN):
        _load(root, config.seed == TORN)
    run = RunFolder.open(resume) if resume else RunFolder.claim(config.run_dir, root=root, slug="stub")
    if not resume:
        run.write_config(configs.to_yaml(config))
        run.write_status("running", id=identity.run_id(config))
    with interrupts.Deferred(lambda text: None) as stop, run.logging():
        run.write_status("running", epochs=EPOCHS)
        try:
            _epochs(run, config.seed, bool(resume), stop)
        except KeyboardInterrupt:
            run.write_status("interrupted")
            raise
        except RunError as error:
            run.write_status("failed", message=str(error))
            raise
        (run.metrics / "test_summary.json").write_text(json.dumps({"foreground": {"dice": {"mean": 0.5}}}))
        run.write_status("completed")
        if config.seed == LATE:
            _wait(stop, False)  # as the report is written
    return run.path


def _load(root, torn):
    """Import what takes long, until a signal has come: an exception of it would be lost or make an error."""
    (root / "loading").touch()
    end = time.monotonic() + 60
    while time.monotonic() < end and not interrupts.asked():
        with contextlib.suppress(KeyboardInterrupt):
            time.sleep(0.05)
    (root / "loading").unlink()
    if torn:
        raise ImportError("initialization failed")
    interrupts.check()


def _epochs(run, seed, resumed, stop):
    for epoch in range(1, EPOCHS + 1):
        run.last_checkpoint.write_text("state")
        run.append_epoch({"epoch": epoch, "seconds": 0.1})
        run.write_status("running", epoch=epoch, best={"epoch": epoch, "val_foreground_dice": 0.1 * epoch})
        if resumed:
            continue
        if seed == FAILS:
            raise RunError("a loss became NaN")
        if seed == DIES:
            os.kill(os.getpid(), signal.SIGKILL)
        if seed in (WAITS, IGNORES):
            _wait(stop, seed == IGNORES)


def _wait(stop, ignoring):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        time.sleep(0.05)
        if not ignoring:
            stop.check()


child.run = run

if __name__ == "__main__":
    sys.exit(child.main())
