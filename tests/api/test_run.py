"""A run as an object: what it holds, what it predicts, and what goes on from it."""

import json
import os
import random
import signal
import sys

import keras
import numpy as np
import pytest
from PIL import Image

import dmf_cli
from dmf_cli.api import object_hash, objects
from dmf_cli.cli.main import main
from dmf_cli.datasets.splits import division
from dmf_cli.errors import (
    CheckpointError,
    ConfigError,
    DatasetError,
    PluginError,
    RunFolderError,
    UnknownNameError,
)
from dmf_cli.inference import choosing
from dmf_cli.parts import given, registry
from dmf_cli.run_folder.folder import RunFolder
from dmf_cli.terminal.run_display import Display
from tests.api.conftest import TINY, squared
from tests.raised import raises


@pytest.fixture
def loss():
    """The object that the run was trained with, known again."""
    given.put("loss", "squared", squared, object_hash.of(squared))


def test_a_run_shows_its_files(run):
    assert (run.state, run.status["epoch"], run.config.trainer.epochs) == ("completed", 2, 2)
    assert len(run.epochs["loss"]) == 2
    assert run.steps["step"].tolist() == list(range(len(run.steps["weight.squared"])))
    assert len(run.scores["id"]) == run.summary["counts"]["images"]
    assert run.dice == run.summary["foreground"]["dice"]["mean"]
    assert repr(run) == f"Run({str(run.path)!r}, completed, test Dice {run.dice:.3f})"


def test_a_notebook_sees_scores_a_picture_and_the_place(run):
    page = run._repr_html_()
    assert str(run.path) in page
    assert f"{run.dice:.3f}</td>" in page
    assert "data:image/png;base64," in page
    assert "\x1b" not in page


def test_load_reads_the_same_run_and_names_what_is_none(run, tmp_path):
    assert dmf_cli.load(str(run.path)).summary == run.summary
    with raises(RunFolderError, path=tmp_path):
        dmf_cli.load(tmp_path)


def test_masks_have_the_size_of_the_images_wherever_they_come_from(run, image, tmp_path):
    Image.fromarray(image).save(tmp_path / "a.png")
    mask, several = run.predict(image), run.predict([image, tmp_path / "a.png", np.stack([image] * 3, -1)])
    assert (mask.shape, mask.dtype) == (image.shape, np.uint8)
    for one in several[:2]:
        np.testing.assert_array_equal(one, mask)
    assert several[2].shape == image.shape
    np.testing.assert_array_equal(run.predict(image.astype("float32")), mask)


def test_probabilities_decide_the_mask_at_any_threshold(run, image):
    probabilities = run.predict(image, probabilities=True)
    assert probabilities.shape == (*image.shape, 2)
    middle = float(np.median(probabilities[..., 1]))
    np.testing.assert_array_equal(run.predict(image, threshold=middle), probabilities[..., 1] >= middle)
    with raises(ConfigError, key="metrics.threshold"):
        run.predict(image, threshold=1.0)


@pytest.mark.parametrize("wrong", [np.zeros((2, 9, 9, 1)), np.full((9, 9), 0.5), np.zeros((9, 9), np.uint16)])
def test_what_is_no_image_is_refused(run, wrong):
    with raises(DatasetError, key="image"):
        run.predict(wrong)


def test_the_network_is_that_of_the_best_epoch(run):
    stored = keras.models.load_model(run.path / "checkpoints/best.keras", compile=False)
    for one, other in zip(run.network.get_weights(), stored.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_evaluate_is_dmf_eval(run, loss):
    scores = run.evaluate("val", **{"metrics.threshold": 0.4})
    assert scores.name == "val_threshold=0.4"
    written = json.loads((run.path / f"metrics/{scores.name}_summary.json").read_text())
    assert written["foreground"]["dice"]["mean"] == scores.dice
    assert len(scores.scores["foreground.dice"]) == scores.summary["counts"]["images"]
    assert "<table>" in scores._repr_html_()
    with raises(UnknownNameError, key="split", value="vall"):
        run.evaluate("vall")
    with raises(ConfigError, key="seed"):
        run.evaluate(seed=3)


def test_masks_of_a_trained_run_are_made_in_another_way(run, image):
    """What is auto is chosen on its own validation images, which are drawn again here, and kept."""
    words = {"predict.mirror": True, "predict.temperature": "auto"}
    found = run.evaluate(**words)
    assert found.name == "test_mirror=true_temperature=auto"
    said = found.summary["settings"]
    (kept,) = choosing.read(RunFolder(run.path)).values()
    assert said["predict"]["temperature"] == kept["values"]["temperature"]
    assert said["rule"].startswith("mirrored, threshold 0.5, temperature")
    assert said["ece"]["before"] != said["ece"]["after"]
    assert kept["images"] == len(division.read_split(run.path / "split.json")["val"])
    mirrored = run.predict(image, probabilities=True, **{"predict.mirror": True})
    both = [run.predict(image, probabilities=True), run.predict(image[:, ::-1], probabilities=True)[:, ::-1]]
    np.testing.assert_allclose(mirrored, np.mean(both, axis=0), atol=1e-5)
    assert np.abs(mirrored - both[0]).max() > 1e-4
    with raises(ConfigError, key="trainer.epochs", reason="changes no mask"):
        run.predict(image, **{"trainer.epochs": 3})


def test_export_and_report_say_where_they_are(run, tmp_path):
    place = run.export(output=tmp_path / "net.keras")
    assert keras.models.load_model(place).output_shape == run.network.output_shape
    with raises(UnknownNameError, key="format"):
        run.export("onxn")
    assert run.report(tmp_path / "r.html").stat().st_size > 10_000


def test_a_complete_run_is_not_resumed(run, loss):
    with raises(ConfigError, path=run.path, reason="is complete"):
        run.resume()


# --- interrupted, resumed, extended ---


def test_ctrl_c_saves_and_resume_goes_on_and_the_process_is_as_it_was(run, loss, tmp_path, monkeypatch):
    batch, before = Display.batch, signal.getsignal(signal.SIGINT)

    def interrupted(display, step, steps):
        batch(display, step, steps)
        if display.progress.done == 1 and step == 1:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Display, "batch", interrupted)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    argv, policy, drawn = list(sys.argv), keras.config.dtype_policy(), random.getstate()
    cpu = {**TINY["trainer"], "device": "cpu"}
    with pytest.raises(KeyboardInterrupt, match="dmf resume"):
        dmf_cli.train(loss=squared, run_dir=tmp_path / "run", **{**TINY, "trainer": cpu})
    monkeypatch.undo()
    stopped = dmf_cli.load(tmp_path / "run")
    assert (stopped.state, len(stopped.epochs["epoch"])) == ("interrupted", 1)
    assert signal.getsignal(signal.SIGINT) is before
    assert (sys.argv, keras.config.dtype_policy(), random.getstate()) == (argv, policy, drawn)
    assert os.environ.get("CUDA_VISIBLE_DEVICES") in (None, "")
    command = json.loads((stopped.path / "environment.json").read_text())["command"]
    assert command.startswith("dmf train loss=squared ")
    assert (stopped.resume().state, len(stopped.epochs["epoch"])) == ("completed", 2)


def test_extend_makes_a_new_run(run, loss, tmp_path):
    longer = run.extend(3, schedule="continue", run_dir=tmp_path / "longer")
    assert len(longer.epochs["epoch"]) == 3
    assert longer.status["parent"]["path"] == str(run.path)
    with raises(ConfigError, key="schedule"):
        run.extend(4)


# --- objects that a later process lacks ---


def test_a_command_reads_a_run_with_an_object_and_says_what_it_lacks(run, capsys, monkeypatch):
    monkeypatch.setenv("DMF_DISPLAY", "quiet")
    assert main(["eval", str(run.path)]) == 0
    capsys.readouterr()
    assert main(["extend", str(run.path), "trainer.epochs=3", "--schedule", "continue"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "'squared', an object in no file" in line
    with raises(PluginError, key="loss", value="squared"):
        run.extend(3, schedule="continue")


def test_another_object_of_the_name_is_not_the_one_of_the_run(run, image):
    def squared(y_true, y_pred):
        return (y_true - y_pred).mean()

    given.put("loss", "squared", squared, object_hash.of(squared))
    again = dmf_cli.load(run.path)
    np.testing.assert_array_equal(again.predict(image), run.predict(image))
    assert again.evaluate("val").dice >= 0
    with raises(PluginError, key="loss", value="squared"):
        again.extend(3, schedule="continue")
    objects.named({})
    assert registry.find("loss", "squared") is squared


def test_a_run_without_an_epoch_has_no_network_and_no_scores(run, tmp_path):
    for name in ("config.yaml", "status.json"):
        (tmp_path / name).write_bytes((run.path / name).read_bytes())
    begun = dmf_cli.load(tmp_path)
    with raises(RunFolderError, reason="is missing"):
        begun.summary  # noqa: B018
    with pytest.raises(CheckpointError):
        begun.network  # noqa: B018
    assert len(begun.epochs) == 0
    assert "test Dice" not in repr(begun)
