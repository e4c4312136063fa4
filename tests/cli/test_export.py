"""``dmf export``: what is written predicts what the run's network predicts, in each format."""

import dataclasses
import json
import types
from pathlib import Path

import keras
import numpy as np
import pytest

from dmf_cli import config as configs
from dmf_cli import models
from dmf_cli.cli.main import main
from dmf_cli.datasets.input_spec import InputSpec
from dmf_cli.errors import ConfigError
from dmf_cli.inference import choosing, ensemble, evaluation_config, export
from dmf_cli.inference.network_file import load_network
from dmf_cli.run_folder.folder import RunFolder
from tests.cli.exporting import make_run

SHAPE = (19, 26, 1)
IMAGES = np.random.default_rng(0).normal(size=(3, *SHAPE)).astype("float32")
BUILDERS = {
    "unet": lambda: models.unet(SHAPE, 2, filters=2, depth=2, convs=1),
    "attention_unet": lambda: models.attention_unet(SHAPE, 1, filters=2, depth=1, convs=1),
    "transformer": lambda: transformer(),
}


def transformer():
    """What a segformer consists of, as small as it gets."""
    images = keras.Input(SHAPE)
    x = keras.layers.Conv2D(4, 7, strides=8, padding="same")(images)
    tokens = keras.layers.Reshape((12, 4))(keras.layers.LayerNormalization()(x))
    x = keras.layers.Activation("gelu")(keras.layers.MultiHeadAttention(2, 2)(tokens, tokens))
    x = keras.layers.UpSampling2D(8, interpolation="bilinear")(keras.layers.Reshape((3, 4, 4))(x))
    x = keras.layers.Conv2D(2, 1, dtype="float32")(keras.layers.Cropping2D(((0, 5), (0, 6)))(x))
    return keras.Model(images, keras.layers.Softmax(dtype="float32")(x))


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path / "run", BUILDERS["unet"]())


def expected(run):
    return np.asarray(load_network(run.best_model).predict_on_batch(IMAGES))


def from_keras(path):
    return np.asarray(keras.models.load_model(path, compile=False).predict_on_batch(IMAGES))


def from_savedmodel(path):
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))  # its variables live as long as it does
    return loaded.serve(IMAGES).numpy()


def from_onnx(path):
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: IMAGES})[0]


READ = {"keras": from_keras, "savedmodel": from_savedmodel, "onnx": from_onnx}
CASES = [
    ("unet", "keras"),
    ("unet", "savedmodel"),
    *(pytest.param(name, "onnx", marks=pytest.mark.onnx) for name in BUILDERS),
]


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_the_exported_network_gives_the_same_masks(tmp_path, capfd, name, kind):
    run = make_run(tmp_path / "run", BUILDERS[name]())
    assert main(["export", str(run.path), "--format", kind]) == 0
    output = run.path / "export" / {"keras": "model.keras", "onnx": "model.onnx"}.get(kind, "savedmodel")
    out, err = capfd.readouterr()
    assert out == f"wrote {output}\nwrote {output}.json\n"
    assert "warning" not in err.lower()
    theirs, ours = READ[kind](output), expected(run)
    np.testing.assert_allclose(theirs, ours, atol=1e-5)
    np.testing.assert_array_equal(theirs.argmax(axis=-1), ours.argmax(axis=-1))
    assert {file.name for file in output.parent.iterdir()} == {output.name, f"{output.name}.json"}


def test_a_network_of_mixed_precision_is_exported_in_float32(tmp_path):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        network = transformer()
    finally:
        keras.config.set_dtype_policy("float32")
    run = make_run(tmp_path / "run", network)
    assert main(["export", str(run.path), "-o", str(tmp_path / "a.keras")]) == 0
    found = keras.models.load_model(tmp_path / "a.keras", compile=False)
    assert {layer.compute_dtype for layer in found._flatten_layers()} == {"float32"}
    np.testing.assert_allclose(from_keras(tmp_path / "a.keras"), expected(run), atol=2e-2)


def test_the_note_says_how_to_use_it(run, tmp_path):
    assert main(["export", str(run.path), "-o", str(tmp_path / "new/net.keras")]) == 0
    note = json.loads((tmp_path / "new/net.keras.json").read_text())
    assert note["format"] == "keras"
    assert note["input"]["shape"] == [None, *SHAPE]
    assert (note["input"]["resize"], note["input"]["normalize"]) == ("stretch", "unit")
    assert note["output"]["shape"] == [None, 19, 26, 2]
    assert len(note["output"]["classes"]) == 2
    assert note["output"]["threshold"] == 0.5
    assert (note["run"], note["state"], note["epoch"]) == ("run", "completed", 2)
    assert note["versions"]["keras"] == keras.__version__


@pytest.mark.parametrize("outputs", [1, 2])
def test_members_mirrors_and_temperature_are_in_the_network(tmp_path, monkeypatch, outputs):
    networks = [models.unet(SHAPE, outputs, filters=2, depth=1, convs=1) for _ in range(2)]
    rng = np.random.default_rng(0)
    for network in networks:
        for weight in network.trainable_weights:  # far from the same probability everywhere
            weight.assign(weight + 0.5 * rng.standard_normal(weight.shape).astype("float32"))
    runs = [make_run(tmp_path / f"r{n}", network) for n, network in enumerate(networks)]
    # As if the images that are validation images of both had chosen it.
    monkeypatch.setattr(ensemble.Ensemble, "_validation", lambda self, spec: (None, [0]))
    monkeypatch.setattr(choosing, "choose", lambda *a, **k: {"images": 1, "values": {"temperature": 2.5}})
    words = ["predict.mirror=both", "predict.temperature=auto", "-o", str(tmp_path / "a.keras")]
    assert main(["export", *(str(run.path) for run in runs), *words]) == 0
    used = ensemble.Ensemble.of([run.path for run in runs]).loaded()
    prediction = used.prediction(evaluation_config.prediction_config(runs[0].path, words[:2]))
    assert prediction.temperature == 2.5
    ours = prediction.applied(used.predict, 3)(IMAGES)
    np.testing.assert_allclose(from_keras(tmp_path / "a.keras"), ours, atol=1e-5)
    assert np.abs(ours - used.predict(IMAGES)).max() > 0.01
    note = json.loads((tmp_path / "a.keras.json").read_text())
    assert note["inside"] == {"networks": 2, "mirror": "both", "temperature": pytest.approx(2.5)}
    assert note["run"] == ["r0", "r1"]


def usage(network, words=()):
    """The note of a run with this network and these words."""
    config = configs.compose(list(words))
    spec = dataclasses.replace(InputSpec.of(config.dataset), channels=network.input_shape[-1])
    names = ensemble.class_names(RunFolder(Path("nowhere")), config, max(2, network.output_shape[-1]))
    return export.usage(network, choosing.plain(config, spec), names)


def test_the_note_names_everything_that_decides_a_pixel(run):
    network = models.unet((8, 8, 3), 3, filters=2)
    words = ["dataset=folder", "dataset.dir=.", "dataset.resize=letterbox", "dataset.range=[0,4095]"]
    note = usage(network, words)
    assert note["input"]["colours"] == "RGB, in this order"
    assert note["input"]["order"] == ["orient", "scale", "colours", "resize", "normalize", "pad"]
    for part in note.values():
        assert (part["interpolation"], part["antialias"], part["align_corners"]) == ("bilinear", True, False)
    assert (note["input"]["range"], note["input"]["padding"]) == ([0, 4095], 0.0)
    assert note["output"]["order"] == ["crop", "resize", "decide"]
    grey = usage(models.unet((8, 8, 1), 2, filters=2))
    assert grey["input"]["grey_weights"] == [0.299, 0.587, 0.114]
    assert any("19595 R + 38470 G + 7471 B" in step for step in grey["input"]["steps"])
    assert grey["output"]["order"] == ["resize", "decide"]
    old = configs.compose([])
    assert "range" not in old.plain["dataset"]  # as in runs of an earlier version
    assert grey["input"]["range"] is None


def test_classes_without_names_are_numbered():
    network = models.unet((8, 8, 1), 4, filters=2)
    output = usage(network)["output"]
    assert output["classes"] == ["class_0", "class_1", "class_2", "class_3"]
    assert output["threshold"] is None


def test_an_unfinished_run_is_exported_with_a_warning(tmp_path, capsys):
    run = make_run(tmp_path / "run", BUILDERS["unet"](), state="interrupted")
    assert main(["export", str(run.path)]) == 0
    assert "warning: the run is interrupted" in capsys.readouterr().err


def one_line(arguments, capsys):
    code = main(["export", *map(str, arguments)])
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return code, error


def test_a_run_without_a_finished_epoch(tmp_path, capsys):
    run = make_run(tmp_path / "run", None, state="interrupted")
    code, error = one_line([run.path], capsys)
    assert code == 1
    assert "no epoch of this run was finished" in error
    assert not (run.path / "export").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["{tmp}/rum"], "did you mean"),
        (["{run}/checkpoints"], "is a part of a run"),
        (["{run}", "--format", "onx"], "did you mean 'onnx'"),
        (["{run}", "--format", "keras", "-o", "a.onnx"], "ends with .keras"),
        (["{run}", "-o", "{tmp}/model.h5"], "ends with .keras"),
        (["{run}", "--format", "savedmodel", "-o", "a.keras"], "is a folder"),
        (["{run}", "-o", "{tmp}/there.keras"], "exists already"),
        (["{run}", "-o", "{tmp}/note.keras"], "note.keras.json exists already"),
        (["{run}", "-o", "{tmp}/there.keras/x.keras"], "cannot write"),
    ],
)
def test_wrong_input_is_one_line_and_code_2(run, tmp_path, capsys, arguments, says):
    (tmp_path / "there.keras").write_text("mine")
    (tmp_path / "note.keras.json").write_text("mine")
    code, error = one_line([word.format(run=run.path, tmp=tmp_path) for word in arguments], capsys)
    assert code == 2
    assert says in error
    assert (tmp_path / "there.keras").read_text() == "mine"


@pytest.mark.onnx
def test_what_onnx_cannot_say_is_reported_and_leaves_nothing(tmp_path, capsys):
    images = keras.Input(SHAPE)
    run = make_run(tmp_path / "run", keras.Model(images, keras.ops.erfinv(images)))
    code, error = one_line([run.path, "--format", "onnx"], capsys)
    assert code == 1
    assert "use --format savedmodel" in error
    assert list((run.path / "export").iterdir()) == []


def test_networks_of_keras_hub_are_refused_where_they_would_predict_something_else():
    layer = type("MiTBackbone", (), {"__module__": "keras_hub.src.models"})()
    network = types.SimpleNamespace(layers=[layer])
    export.check_network(network, "keras")
    for kind in ("onnx", "savedmodel"):
        with pytest.raises(ConfigError, match="use --format keras"):
            export.check_network(network, kind)


def test_onnx_without_its_package_says_how_to_get_it(run, capsys, monkeypatch):
    monkeypatch.setattr(export.importlib.util, "find_spec", lambda name: None)
    code, error = one_line([run.path, "--format", "onnx"], capsys)
    assert code == 2
    assert "pip install '.[export]'" in error


@pytest.mark.mount
def test_a_read_only_place_is_reported(run, tmp_path):
    """In a name space of its own: the superuser may write where permissions forbid it."""
    import subprocess
    import sys

    place = tmp_path / "place"
    place.mkdir()
    command = f"mount -t tmpfs -o ro none '{place}' && exec '{sys.executable}' -m dmf_cli export '{run.path}'"
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", f"{command} -o '{place}/a.keras'"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "choose another place by -o PATH" in done.stderr
