"""Runs that a signal or a kill ends and ``resume`` goes on with."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dmf_cli import config as configs
from dmf_cli import report
from dmf_cli.errors import ConfigError
from dmf_cli.run_folder import checkpoint_file
from dmf_cli.run_folder.folder import RunFolder
from dmf_cli.training import trainer
from dmf_cli.training.session import Session
from tests.raised import raises
from tests.tables import rows
from tests.training.conftest import TINY
from tests.training.stopping import arrays, stop_after, stopped


def test_an_interrupted_run_goes_on_as_if_it_had_not_stopped(tiny, monkeypatch):
    options = (
        "weighting=var",
        "trainer.epochs=4",
        "model.dropout=0.2",
        "trainer.patience=10",
        "schedule=poly",
    )
    whole = trainer.train(tiny(*options, run="whole"))
    monkeypatch.setattr(trainer.Display, "epoch", stop_after(2))
    part = whole.with_name("part")
    with pytest.raises(KeyboardInterrupt, match=f"dmf resume {part}"):
        trainer.train(tiny(*options, run="part"))
    monkeypatch.undo()
    assert json.loads((part / "status.json").read_text())["state"] == "interrupted"
    assert trainer.resume(part) == part
    first, second = arrays(whole / "checkpoints/last.npz"), arrays(part / "checkpoints/last.npz")
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[key], second[key]) for key in first)
    assert rows(whole / "steps.csv") == rows(part / "steps.csv")
    assert (whole / "metrics/test_per_image.csv").read_text() == (
        part / "metrics/test_per_image.csv"
    ).read_text()


def test_a_run_that_is_stopped_inside_epochs_goes_on_there_bitwise(tiny, monkeypatch):
    """In a step and in a validation, with all that a step needs: dropout, average, loss scale, memory, ..."""
    options = ("weighting=bayes", "optimizer.ema=0.8", "trainer.deep_supervision=1", "model.dropout=0.2")
    options += ("augment=strong", "schedule=plateau", "trainer.patience=10", "trainer.insight_every=2")
    whole = trainer.train(tiny(*options, "trainer.epochs=3", run="whole"))
    part = whole.with_name("part")
    last, older, oldest = (part / f"checkpoints/last{number}.npz" for number in ("", ".1", ".2"))
    stopped(
        monkeypatch,
        "on_train_batch_begin",
        6,
        lambda: trainer.train(tiny(*options, "trainer.epochs=3", run="part")),
    )
    _, note, _ = checkpoint_file.newest(last)
    assert (note["epoch"], note["step"]) == (1, 1)
    stopped(monkeypatch, "on_test_batch_begin", 1, lambda: trainer.resume(part))
    _, note, _ = checkpoint_file.newest(last)
    assert (note["epoch"], note["step"]) == (1, 4)
    shutil.copy(last, oldest)
    for file in (last, older):  # nor do damaged ones cost more
        file.write_bytes(file.read_bytes()[:-300])
    assert trainer.resume(part) == part
    said = [line for line in (part / "train.log").read_text().splitlines() if "continues from" in line]
    assert [line.split("/")[-1].split(" ")[0] for line in said] == ["last.npz", "last.1.npz"]
    assert all(line.endswith("continues from last.2.npz (after epoch 1, step 4)") for line in said)
    first, second = arrays(whole / "checkpoints/last.npz"), arrays(last)
    assert first.keys() == second.keys()
    assert [key for key in first if not np.array_equal(first[key], second[key])] == []
    for name in ("steps.csv", "insight.csv", "metrics/test_per_image.csv"):
        assert (whole / name).read_text() == (part / name).read_text()
    ours, theirs = ([{**row, "seconds": 0} for row in rows(run / "epochs.csv")] for run in (whole, part))
    for one, other in zip(ours, theirs, strict=True):
        assert {key: other[key] for key in one if one[key] != other[key]} == {}
    kept = {"best.keras", "best.1.keras", "last.npz", "last.1.npz"}
    assert {file.name for file in last.parent.iterdir()} == kept


@pytest.mark.parametrize(
    ("where", "state", "rows_left", "says"),
    [
        ("batch", "interrupted", 0, "dmf resume"),
        ("epoch", "interrupted", 1, "dmf resume"),
        ("phase", "interrupted", 2, "dmf resume"),
        ("finish", "completed", 2, "is complete"),
    ],
)
def test_ctrl_c_ends_a_run_where_nothing_is_torn(tiny, tmp_path, monkeypatch, where, state, rows_left, says):
    seen = []
    original = getattr(trainer.Display, where)

    def press(self, *arguments):
        seen.append(where)
        signal.raise_signal(signal.SIGINT)
        original(self, *arguments)  # goes on: the signal is noted only

    monkeypatch.setattr(trainer.Display, where, press)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt, match=says):
        trainer.train(tiny("weighting=fixed"))
    assert signal.getsignal(signal.SIGINT) is before
    assert seen == [where]
    run = tmp_path / "run"
    assert json.loads((run / "status.json").read_text())["state"] == state
    assert (len(rows(run / "epochs.csv")) if (run / "epochs.csv").exists() else 0) == rows_left
    assert bool(list((run / "metrics").iterdir())) == (state == "completed")


PRESSED = """
import signal, sys
from dmf_cli.cli.main import main
from dmf_cli.terminal.run_display import Display
from tests.tables import rows
from tests.training.stopping import arrays, stop_after, stopped
def epoch(self, row):
    for name in signals.split():
        signal.raise_signal(getattr(signal, name))
signals, Display.epoch = sys.argv.pop(), epoch
sys.exit(main())
"""


@pytest.mark.parametrize(("signals", "code"), [("SIGTERM", 143), ("SIGINT SIGINT", 130)])
def test_a_command_that_is_to_end_says_how_to_go_on(tmp_path, signals, code):
    run = tmp_path / "run"
    words = ["train", *TINY, f"run_dir={run}", "weighting=fixed", signals]
    ended = subprocess.run([sys.executable, "-c", PRESSED, *words], capture_output=True, text=True)
    assert ended.returncode == code
    assert ended.stderr.endswith(f"interrupted: `dmf resume {run}` continues from its last checkpoint\n")
    assert "Traceback" not in ended.stderr
    assert json.loads((run / "status.json").read_text())["state"] == "interrupted"


def test_a_complete_run_is_not_resumed(tiny):
    folder = trainer.train(tiny("weighting=fixed", "trainer.epochs=1"))
    with raises(ConfigError, reason="is complete"):
        trainer.resume(folder)


def test_resume_writes_the_report_that_a_kill_prevented(tiny, tmp_path, monkeypatch):
    run = RunFolder.claim(tmp_path / "run")
    run.write_config(configs.to_yaml(tiny("report=true")))
    run.write_status("completed")
    run.release()
    monkeypatch.setattr(report, "after_run", lambda path: (path / "report.html").write_text("late"))
    assert trainer.resume(run.path) == run.path
    assert run.report.read_text() == "late"
    with raises(ConfigError, reason="is complete"):
        trainer.resume(run.path)


def test_a_run_that_stopped_early_and_was_cut_off_while_scored_trains_no_more(tiny, monkeypatch):
    def cut_off(self, run):
        raise KeyboardInterrupt

    options = ("weighting=fixed", "trainer.epochs=6", "trainer.patience=1", "optimizer.learning_rate=1e-9")
    config = tiny(*options)
    monkeypatch.setattr(Session, "evaluate", cut_off)
    with pytest.raises(KeyboardInterrupt):
        trainer.train(config)
    monkeypatch.undo()
    before = rows(Path(config.run_dir) / "epochs.csv")
    folder = trainer.resume(config.run_dir)
    assert rows(folder / "epochs.csv") == before
    assert json.loads((folder / "status.json").read_text())["state"] == "completed"
