"""Runs on the embedded dataset from their first step to their last file."""

import json
import re
import subprocess
import sys
from types import SimpleNamespace
from unittest import mock

import keras
import numpy as np
import pytest

from dmf_cli import config as configs
from dmf_cli import interrupts
from dmf_cli.errors import (
    ConfigError,
    DatasetError,
    NonFiniteError,
    RunError,
    RunFolderError,
    UnknownNameError,
)
from dmf_cli.parts import decorators
from dmf_cli.run_folder import folder, identity, stored_config
from dmf_cli.run_folder.folder import RunFolder
from dmf_cli.training import build, trainer
from dmf_cli.training.session import Session
from tests.tables import rows
from tests.training.stopping import arrays

EXPECTED = """
config.yaml status.json environment.json split.json inputs.json train.log epochs.csv steps.csv
metrics/test_per_image.csv metrics/test_summary.json metrics/test_summary.csv metrics/test_summary.md
metrics/test_summary.tex plots/losses.png plots/metrics.png plots/weights.png plots/shares.png
predictions/test.png predictions/test_cases/cases.json predictions/test_cases/01_image.png report.html
checkpoints/best.keras checkpoints/last.npz
"""


def test_a_run_leaves_everything_that_a_reader_needs(tiny, drawn):
    folder = trainer.train(tiny("auxiliary=cbdice", "auxiliary.every=2", "report=true"))
    for name in EXPECTED.split():
        assert (folder / name).stat().st_size > 0, name
    assert json.loads((folder / "status.json").read_text())["state"] == "completed"
    summary = json.loads((folder / "metrics/test_summary.json").read_text())
    assert 0.0 <= summary["foreground"]["dice"]["mean"] <= 1.0
    assert not [p for p in folder.rglob("*") if "unfinished" in p.name or p.suffix == ".tmp"]


def test_the_config_has_the_number_of_automatic_epochs_and_the_status_that_they_were(tiny, monkeypatch):
    monkeypatch.setattr(build, "LEAST_EPOCHS", 1)
    monkeypatch.setattr(build, "LEAST_STEPS", 5)
    folder = trainer.train(tiny("trainer.epochs=auto"))
    config, status = stored_config.load_run(folder), json.loads((folder / "status.json").read_text())
    assert config.trainer.epochs == 2
    assert identity.run_id(configs.Config(identity.as_asked(config.plain, status))) == status["id"]


def test_steps_hold_the_weights_in_one_compiled_trace_and_gamma_fades(tiny):
    folder = trainer.train(tiny("weighting=var", "auxiliary=cbdice", "auxiliary.every=2"))
    steps = rows(folder / "steps.csv")
    assert [int(float(s["step"])) for s in steps] == list(range(8))
    weights = np.array([[float(s["weight.cbdice"]), float(s["weight.bce"])] for s in steps])
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, rtol=1e-6)
    assert np.abs(weights[-1] - 0.5).max() > 1e-4
    gammas = [5.0 * np.exp(-0.05 * (k // 2)) for k in range(8)]
    np.testing.assert_allclose([float(s["gamma"]) for s in steps], gammas, rtol=1e-6)
    total = [
        sum(float(s[f"weight.{t}"]) * float(s[f"loss.{t}"]) for t in ("cbdice", "bce"))
        + float(s["gamma"]) * float(s["aux"])
        for s in steps
    ]
    np.testing.assert_allclose([float(s["loss"]) for s in steps], total, rtol=1e-5)


@pytest.mark.parametrize("call", ["trainer.resume(run)", "score.evaluate_run(run, config, 'test')"])
def test_the_backend_of_a_run_is_chosen_before_keras_is_imported(tiny, tmp_path, call):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/config.yaml").write_text(configs.to_yaml(tiny("trainer.backend=jax")))
    (tmp_path / "run/status.json").write_text('{"state": "failed"}')
    code = f"""
import sys
from dmf_cli import runtime
from dmf_cli.inference import score
from dmf_cli.training import trainer
from dmf_cli import config as configs
from dmf_cli.run_folder import stored_config
def start(trainer, **options):
    print(trainer.backend, "keras" in sys.modules)
    raise SystemExit
runtime.start = start
run = {str(tmp_path / "run")!r}
config = stored_config.load_run(run)
{call}
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1] == "jax False"


@pytest.mark.parametrize(
    ("overrides", "error", "text"),
    [
        (["weighting.warmup=8"], ConfigError, "never adapt"),
        (["trainer.batch_size=1000"], DatasetError, r"batch_size=1000|use trainer\.batch_size="),
        (["trainer.monitor=val_loss"], UnknownNameError, "val_objective"),
        (["model.depth=9"], ConfigError, "depth"),
        (["trainer.device=gpu:7"], ConfigError, "gpu"),
    ],
)
def test_a_run_that_cannot_be_right_writes_nothing(tiny, tmp_path, overrides, error, text):
    with pytest.raises(error, match=text) as caught:
        trainer.train(tiny(*overrides))
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("overrides", "named"), [((), "loss term 'cbdice'"), (("auxiliary=cbdice", "loss=bce"), "auxiliary")]
)
def test_a_loss_without_a_gradient_ends_the_run_before_it_begins(
    tiny, tmp_path, monkeypatch, overrides, named
):
    def of_argmax(y_true, y_pred, *, absent: str = "zero", pool: str = "batch", eps: float = 1e-6):
        return keras.ops.mean(keras.ops.cast(keras.ops.argmax(y_pred, axis=-1), "float32"))

    monkeypatch.setitem(decorators.registered, ("loss", "cbdice"), of_argmax)
    with pytest.raises(ConfigError, match=f"^{named} cannot train the network"):
        trainer.train(tiny(*overrides))
    assert list(tmp_path.iterdir()) == []


class Failing(SimpleNamespace):
    """A session whose training fails with this error."""

    def __init__(self, config, error):
        def fit(*_):
            raise error

        runtime = SimpleNamespace(trial=None)
        super().__init__(config=config, fit=fit, runtime=runtime, weights="", display=mock.MagicMock())
        self.stop, self.describe, self.report = interrupts.Deferred(), lambda run: {}, lambda run: None
        self.data = SimpleNamespace(note="", warnings=lambda monitor: [], dataset=None, split=None)
        self.before = []


@pytest.mark.parametrize(
    "error",
    [
        RunFolderError("cannot write epochs.csv", path="epochs.csv", hint="the disk is full"),
        DatasetError(path="a.png", reason="is no image any more"),
        ConfigError(key="trainer.epochs", value=0, allowed="1 or above"),
        UnknownNameError("loss", "dcie", ["dice"]),
        ValueError("oh"),
    ],
)
def test_a_run_that_failed_says_why_with_exit_code_1_though_its_status_cannot_be_written(
    tiny, tmp_path, monkeypatch, error
):
    run = RunFolder.claim(tmp_path / "run")
    session = Failing(tiny(), error)
    monkeypatch.setattr(
        session.display, "start", lambda run: monkeypatch.setattr(folder, "write_atomic", full)
    )
    with pytest.raises(RunError, match=re.escape(str(error))) as caught:
        Session.run(session, run, None)
    assert (caught.value.exit_code, caught.value.path) == (1, getattr(error, "path", None))
    assert str(caught.value).endswith(f"the log is {run.log}")
    assert run.read_status()["state"] == "failed"


def full(path, content):
    raise RunFolderError(f"cannot write {path}", path=path, hint="the disk is full")


def test_a_folder_is_never_shared(tiny, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("kept")
    with pytest.raises(RunFolderError):
        trainer.train(tiny())
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["mine.txt"]


def test_a_loss_that_becomes_nan_ends_the_run_and_keeps_the_checkpoint(tiny, tmp_path):
    config = tiny("weighting=fixed", "optimizer=sgd", "trainer.on_nonfinite=stop")
    config = config.changed("optimizer", learning_rate=1e30)  # more than a config may say
    with pytest.raises(NonFiniteError, match=r"step \d+ \(epoch 1\)"):
        trainer.train(config)
    status = json.loads((tmp_path / "run/status.json").read_text())
    assert status["state"] == "failed"
    assert "NaN or infinite" in status["message"]
    assert all(np.isfinite(a).all() for a in arrays(tmp_path / "run/checkpoints/last.npz").values())
    assert "Traceback" in (tmp_path / "run/train.log").read_text()


def test_early_stopping_counts_on_the_monitored_figure(tiny):
    options = ("weighting=fixed", "trainer.epochs=6", "trainer.patience=1", "optimizer.learning_rate=1e-9")
    folder = trainer.train(tiny(*options))
    assert len(rows(folder / "epochs.csv")) < 6


def test_plateau_lowers_the_learning_rate(tiny):
    options = ("schedule=plateau", "schedule.patience=1", "trainer.epochs=4", "optimizer.learning_rate=1e-5")
    folder = trainer.train(tiny("weighting=fixed", "optimizer=sgd", *options))
    rates = [float(row["learning_rate"]) for row in rows(folder / "epochs.csv")]
    assert rates[-1] < rates[0]


def test_mixed_precision_keeps_probabilities_and_losses_in_float32(tiny):
    small = ("dataset.size=16", "dataset.image_size=16", "dataset.count=16", "model.depth=1")  # slow on a CPU
    options = ("trainer.precision=mixed_bfloat16", "trainer.epochs=1", "weighting=fixed", "loss=dice")
    folder = trainer.train(tiny(*options, *small))
    import keras

    network = keras.models.load_model(folder / "checkpoints/best.keras", compile=False)
    assert [output.dtype for output in network.outputs] == ["float32"]
    keras.config.set_dtype_policy("float32")


def test_nan_steps_make_no_update_are_counted_and_shown(tiny, monkeypatch, capsys):
    import keras

    from dmf_cli.training import build

    def sometimes_nan(y_true, y_pred):  # the largest image mean of the batch decides, so that steps differ
        wild = keras.ops.max(keras.ops.mean(y_true[..., 1], axis=(1, 2))) > 0.09
        return keras.ops.where(wild, float("nan"), 1.0) * keras.ops.mean(y_pred[..., 1])

    monkeypatch.setattr(build, "loss_terms", lambda terms: dict.fromkeys(terms, sometimes_nan))
    folder = trainer.train(tiny("weighting=fixed", "trainer.on_nonfinite=skip"))
    broken = [row for row in rows(folder / "steps.csv") if row["loss"] == "nan"]
    assert 0 < len(broken) < 8
    assert [int(row["step"]) for row in rows(folder / "epochs.csv")] == [4, 8]
    assert json.loads((folder / "status.json").read_text())["skipped_steps"] == len(broken)
    last = [line for line in (folder / "train.log").read_text().splitlines() if " epoch 2: " in line]
    assert last[0].endswith(f", {len(broken)} step(s) skipped so far")
    assert f"skipped   {len(broken)} of the training steps" in capsys.readouterr().out
    assert all(np.isfinite(a).all() for a in arrays(folder / "checkpoints/last.npz").values())


def test_statistics_that_an_overflow_has_spoilt_end_the_run(tiny, tmp_path, monkeypatch):
    from dmf_cli.training import build

    class Overflows(keras.layers.Layer):
        def call(self, x):  # in few images only: their steps are skipped
            return keras.ops.where(keras.ops.mean(x, axis=(1, 2, 3), keepdims=True) > 0.5, np.inf, x)

    def network(config, data):
        inputs = keras.Input(data.train.shape)
        normal = keras.layers.BatchNormalization()(Overflows()(inputs))
        return keras.Model(inputs, keras.layers.Conv2D(data.channels, 1, activation="softmax")(normal))

    monkeypatch.setattr(build, "network", network)
    with pytest.raises(NonFiniteError, match=r"became NaN .* epoch 1, for an activation overflowed"):
        trainer.train(tiny("weighting=fixed", "trainer.on_nonfinite=skip", "trainer.batch_size=2"))
    assert all(np.isfinite(a).all() for a in arrays(tmp_path / "run/checkpoints/last.npz").values())


def test_a_run_from_the_disk_with_small_lesions_more_often(tiny, tmp_path):
    options = ("augment=strong", "trainer.cache=disk", "weighting=fixed", "trainer.epochs=1")
    plain = trainer.train(tiny(*options))
    more = trainer.train(tiny(*options, "trainer.oversample=3", run="more"))
    assert "images are kept in" in (plain / "train.log").read_text()
    losses_of = [[row["loss"] for row in rows(run / "steps.csv")] for run in (plain, more)]
    assert len(losses_of[0]) == len(losses_of[1])
    assert losses_of[0] != losses_of[1]
