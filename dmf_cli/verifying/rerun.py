"""A run trained again from its config, in a folder of its own, to its end or for its first steps."""

import dataclasses
import gc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dmf_cli import config as configs
from dmf_cli.config.typed import Config
from dmf_cli.run_folder.environment import environment
from dmf_cli.run_folder.folder import RunFolder
from dmf_cli.terminal.run_display import Display
from dmf_cli.training.session import Session


@dataclasses.dataclass(frozen=True)
class Rerun:
    """What was trained again.

    Args:
        run: its folder.
        environment: as in ``environment.json``.
    """

    run: RunFolder
    environment: Mapping[str, Any]


class _EnoughError(Exception):
    """All steps that were asked for are made."""


class _Until(Display):
    """A display that ends the training before a step: it is called before each."""

    def __init__(self, steps: int | None) -> None:
        super().__init__()
        self.left = steps

    def batch(self, step: int, steps: int | None) -> None:
        """Step ``step`` of an epoch begins, unless enough are made."""
        if self.left == 0:
            raise _EnoughError
        self.left = None if self.left is None else self.left - 1
        super().batch(step, steps)


def settings(config: Config, folder: Path) -> Config:
    """``config`` with results in ``folder`` and without what only reports: no result depends on that."""
    plain = configs.with_absolute_paths(config.with_root(run_dir=str(folder), report=False))
    return plain.with_group("tracker", {"name": "none"}).changed("trainer", checkpoint_minutes=None, hosts=1)


def rerun(config: Config, folder: Path, steps: int | None, shown: str) -> Rerun:
    """Train the run of ``config`` again in ``folder``.

    Args:
        config: of the run, with the places of its images.
        folder: to be made.
        steps: to make; None: all, and score the best network on the test split.
        shown: what the display calls the run.

    Raises:
        UsageError: images or split cannot be used.
        NonFiniteError: the loss diverged.
    """
    used = settings(config, folder)
    session = Session(used)
    from dmf_cli.training import checkpoint, trackers  # Keras, after the session has chosen its backend

    run = RunFolder.claim(folder)
    run.write_config(configs.to_yaml(session.config))
    run.write_status("running")
    session.save_split(run)
    display = _Until(steps)
    with session.stop, run.logging():
        try:
            display.start({**session.describe(run), "run": shown, "first_epoch": 0})
            session.fit(run, display, None, trackers.Tracking(session.config, run))
        except _EnoughError:
            checkpoint.synchronize(session.model)
            rows = session.model.recorder.read() if session.model.recorder else []
            run.append_steps([{**row, "epoch": int(row["step"]) // session.steps + 1} for row in rows])
        finally:
            display.stop()
            gc.collect()  # TensorFlow warns of an iterator that outlives Python
        if steps is None:
            session.evaluate(run)
    return Rerun(run, environment(dataclasses.asdict(session.runtime)))
