"""Trials that train nothing: epochs are written as soon as they are asked for."""

import json
import math
from pathlib import Path
from typing import ClassVar

import pytest

from dmf_cli import conf_files, expression
from dmf_cli.tuning import study as studies

TINY = ["dataset.image_size=32", "model.filters=4", "trainer.epochs=6"]


class Stub:
    """Stands for :class:`dmf_cli.jobs.process.Process`: one epoch a poll."""

    epochs = 6
    started: ClassVar[list["Stub"]] = []

    def __init__(self, config, overrides, *, resume=None, **_):
        self.config, self.overrides, self.resume = config, overrides, resume
        self.path = Path(config.run_dir)
        self.code, self.stop, self.message, self.killed = None, False, "", False
        (self.path / "checkpoints").mkdir(parents=True, exist_ok=True)
        (self.path / "checkpoints/last.npz").touch()
        (self.path / "config.yaml").write_text("seed: 0\n")
        file = self.path / "epochs.csv"
        self.rows = file.read_text().splitlines() if resume else ["epoch,val_foreground_dice"]
        self.status("running")
        Stub.started.append(self)

    def score(self, epoch):
        """Best where dice has .7 of the weight."""
        found = expression.parse(self.config.loss.expression, conf_files.terms()).coefficients
        share = found.get("dice", 0.0) / sum(found.values())
        return (1 - (share - 0.7) ** 2) * (1 - math.exp(-epoch))

    def status(self, state):
        done = {"state": state, "pid": -1, "epoch": len(self.rows) - 1}
        (self.path / "status.json").write_text(json.dumps(done))

    def poll(self):
        if self.code is None:
            if self.stop:
                self.code = 130
            elif self.message:
                self.code = 1
            else:
                epoch = len(self.rows)
                self.rows.append(f"{epoch},{self.score(epoch)}")
                (self.path / "epochs.csv").write_text("\n".join(self.rows) + "\n")
                self.code = 0 if epoch >= self.epochs else None
            states = {None: "running", 0: "completed", 1: "failed", 130: "interrupted"}
            self.status(states[self.code])
        return self.code

    def error(self):
        return self.message

    def interrupt(self):
        self.stop = True

    def kill(self):
        self.killed = True


@pytest.fixture
def stub(monkeypatch):
    monkeypatch.setattr("dmf_cli.jobs.runner.PAUSE", 0.0)
    monkeypatch.setattr(Stub, "started", [])
    return Stub


@pytest.fixture
def plan(tmp_path):
    """``plan("trials=5", ...)``: a search of the weights of dice and bce."""

    def make(*words):
        return studies.plan(["loss=dice+bce", *TINY, f"study={tmp_path / 'study'}", *words])

    return make
