"""Ways to stop a run in a test, and what a stopped and a whole run are compared by."""

import signal

import numpy as np
import pytest

from dmf_cli.training import midway


def arrays(path):
    with np.load(path) as archive:
        return {key: archive[key] for key in archive.files if key != "note"}


def stop_after(epochs):
    def epoch(self, row):
        if row["epoch"] == epochs:
            raise KeyboardInterrupt

    return epoch


def stopped(monkeypatch, event, at, run):
    """``run()``, which SIGTERM stops before the event that is number ``at`` of its kind."""
    seen, original = [], getattr(midway.Midway, event)

    def press(self, batch, logs=None):
        seen.append(batch)
        if len(seen) == at:
            signal.raise_signal(signal.SIGTERM)
        original(self, batch, logs)

    with monkeypatch.context() as patch:
        patch.setattr(midway.Midway, event, press)
        with pytest.raises(
            KeyboardInterrupt, match=r"`dmf resume .*/part` continues from its last checkpoint"
        ):
            run()
