"""Trackers: what they are told, that a resume goes on in the same run, and that none ends a run."""

import json
import logging
import math
import socket

import pytest

from dmf_cli import config as configs
from dmf_cli.config.typed import Config
from dmf_cli.errors import ConfigError
from dmf_cli.run_folder.folder import RunFolder
from dmf_cli.training import trackers, trainer
from tests.raised import raises

NAN = math.nan


@pytest.fixture(scope="module")
def composed():
    """Configs are composed once."""
    return {name: configs.compose([f"tracker={name}"]) for name in ("none", "tensorboard", "mlflow")}


@pytest.fixture
def begin(tmp_path, composed):
    """``begin("mlflow", uri=...)`` makes a run folder with one tracker; again: as a resume would."""

    def make(name, run=None, **options):
        config = composed[name].with_root(output_root=str(tmp_path), seed=7).changed("tracker", **options)
        if run is None:
            run = RunFolder.claim(tmp_path / "run")
            run.write_config(configs.to_yaml(config))
            (run.metrics / "test_summary.md").write_text("| Dice |\n|--:|\n| 0.5 |\n")
        run.write_status("running")
        tracking = trackers.Tracking(config, run)
        tracking.start()
        return run, tracking

    return make


def row(epoch):
    return {
        "epoch": epoch,
        "step": 4 * epoch,
        "loss": 1 / epoch,
        "weight.bce": 0.5,
        "val_foreground_dice": NAN,
    }


def steps(epoch):
    first = 4 * (epoch - 1)
    return [{"step": float(s), "loss": 1.0, "weight.bce": s / 10} for s in range(first, first + 4)]


def two_sessions(begin, name, **options):
    """An epoch, an interruption, a resume, another epoch, the end."""
    run, tracking = begin(name, **options)
    tracking.epoch(row(1), steps(1))
    tracking.finish("interrupted")
    first = run.read_status()["tracker"]
    run, tracking = begin(name, run=run, **options)
    tracking.epoch(row(2), steps(2))
    tracking.finish("completed", {"dice": 0.25})
    assert run.read_status()["tracker"] == first
    return run, first


def events(folder):
    """tag -> {step: value} of the event files in ``folder``, a text as its bytes."""
    import tensorflow as tf

    found = {}
    for file in sorted(folder.glob("events.out.tfevents.*")):
        for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                text = value.tensor.string_val[0] if value.HasField("tensor") else None
                found.setdefault(value.tag, {})[event.step] = text or value.simple_value
    return found


def test_tensorboard_has_epochs_steps_config_scores_and_tables(begin):
    run, known = two_sessions(begin, "tensorboard", every=2)
    assert known == {"name": "tensorboard", "dir": str(run.path / "tensorboard")}
    found = events(run.path / "tensorboard")
    assert found["epoch/loss"] == {1: 1.0, 2: 0.5}
    assert found["epoch/weight.bce"] == {1: 0.5, 2: 0.5}
    assert found["step/weight.bce"] == pytest.approx({0: 0.0, 2: 0.2, 4: 0.4, 6: 0.6})
    assert found["test/dice"] == {2: 0.25}
    assert b"seed: 7" in found["config"][0]
    assert b"| Dice |" in found["test_summary"][2]
    assert found["state"] == {1: b"interrupted", 2: b"completed"}


def test_tensorboard_in_a_folder_of_its_own(begin, tmp_path):
    _, tracking = begin("tensorboard", dir=str(tmp_path / "board"), every=0)
    tracking.epoch(row(1), steps(1))
    tracking.finish("completed")
    found = events(tmp_path / "board" / "run")
    assert found["epoch/loss"] == {1: 1.0}
    assert not [tag for tag in found if tag.startswith("step/")]


@pytest.mark.mlflow
@pytest.mark.parametrize("store", ["database", "folder"])
def test_mlflow_has_config_epochs_scores_and_files_in_one_run(begin, tmp_path, store, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    from mlflow.tracking import MlflowClient

    uri = None if store == "database" else (tmp_path / "mlruns").as_uri()
    _, known = two_sessions(begin, "mlflow", uri=uri, every=2)
    client = MlflowClient(tracking_uri=known["uri"])
    found = client.get_run(known["run"])
    assert (found.info.status, found.info.run_name) == ("FINISHED", "run")
    assert found.data.params["weighting.name"] == "var"
    assert found.data.params["seed"] == "7"
    assert found.data.metrics["test/dice"] == 0.25
    assert "val_foreground_dice" not in found.data.metrics  # it was never a number
    history = {m.step: m.value for m in client.get_metric_history(known["run"], "loss")}
    assert history == {1: 1.0, 2: 0.5}
    assert {m.step for m in client.get_metric_history(known["run"], "step/weight.bce")} == {0, 2, 4, 6}
    files = [file.path for kind in (None, "metrics") for file in client.list_artifacts(known["run"], kind)]
    assert sorted(files) == ["config.yaml", "metrics", "metrics/test_summary.md", "train.log"]
    assert len(client.search_runs([found.info.experiment_id])) == 1
    assert (tmp_path / "mlflow.db").exists() == (store == "database")


@pytest.mark.mlflow
def test_a_server_that_is_gone_is_one_warning(begin, caplog):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    _, tracking = begin("mlflow", uri=f"http://127.0.0.1:{port}")
    tracking.epoch(row(1), steps(1))
    tracking.finish("completed", {"dice": 0.25})
    said = [r.getMessage() for r in caplog.records if r.name == "dmf" and r.levelno >= logging.WARNING]
    assert len(said) == 1
    assert said[0].startswith("tracker=mlflow: ")
    assert said[0].endswith("the run continues without it")
    assert "\n" not in said[0]


def test_whatever_a_tracker_raises_it_is_told_once(begin, caplog, tmp_path):
    (tmp_path / "file").touch()
    run, tracking = begin("tensorboard", dir=str(tmp_path / "file"))
    tracking.epoch(row(1), steps(1))
    tracking.finish("failed")
    (said,) = [r.getMessage() for r in caplog.records if r.name == "dmf"]
    assert "the run continues without it" in said
    assert "tracker" not in run.read_status()


def test_no_tracker_and_a_run_of_an_earlier_version(begin):
    run, tracking = begin("none")
    tracking.epoch(row(1), steps(1))
    tracking.finish("completed")
    assert "tracker" not in run.read_status()
    tracking = trackers.Tracking(Config({}), run)
    tracking.start()
    assert (tracking.name, tracking.tracker) == ("none", None)


def test_a_package_that_is_missing_is_reported_before_anything_starts(composed, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with raises(
        ConfigError,
        key="tracker",
        value="mlflow",
        hint="pip install",
    ):
        trackers.check(composed["mlflow"])
    trackers.check(composed["tensorboard"])


def test_a_real_run_is_tracked(tiny):
    folder = trainer.train(tiny("tracker=tensorboard", "tracker.every=1"))
    found = events(folder / "tensorboard")
    assert list(found["epoch/val_foreground_dice"]) == [1, 2]
    assert list(found["step/weight.cbdice"]) == list(range(8))
    summary = json.loads((folder / "metrics/test_summary.json").read_text())
    assert found["test/dice"][2] == pytest.approx(summary["foreground"]["dice"]["mean"])
