"""The network of a run that is not there or not whole."""

import codecs
import io
import json
import marshal
import types
import zipfile

import h5py
import keras
import pytest

from dmf_cli import config as configs
from dmf_cli import models
from dmf_cli.errors import CheckpointError
from dmf_cli.inference import network_description
from dmf_cli.inference.network_file import load_network
from dmf_cli.run_folder import network_record
from dmf_cli.run_folder.folder import RunFolder
from tests.raised import raises


@pytest.fixture
def run(tmp_path):
    found = RunFolder(tmp_path)
    found.checkpoints.mkdir()
    return found


@pytest.mark.parametrize(
    ("state", "reason", "hint"),
    [
        ("interrupted", "is missing", "no epoch of this run was finished; `dmf resume "),
        ("completed", "the run is complete", "put a copy of it back, or train the run again"),
    ],
)
def test_a_missing_network(run, state, reason, hint):
    run.write_status(state)
    with raises(CheckpointError, path=run.best_model, reason=reason, hint=hint):
        load_network(run.best_model)


def cut(file):
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("config.json", "{}" * 100)
    file.write_bytes(file.read_bytes()[:-30])


def other(file):
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("notes.txt", "no network")


@pytest.mark.parametrize(("damage", "reason"), [(cut, "is damaged"), (other, "cannot be read (")])
def test_a_damaged_network_is_one_line_that_says_what_to_do(run, damage, reason):
    damage(run.best_model)
    with raises(CheckpointError, path=run.best_model, reason=reason) as caught:
        load_network(run.best_model)
    assert str(caught.value).endswith(": put a whole copy of it back, or train the run again")
    assert "File not found" not in str(caught.value)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """The files in the archive of a small network."""
    path = tmp_path_factory.mktemp("network") / "sound.keras"
    keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 1)]).save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b'"filters": 2', b'"filters": 20000000000', "describes a network with 160,000,000,000 bytes"),
        (b'"filters": 2', b'"filters": "two"', "cannot be read"),
        (b"8, 8, 1", b"800000, 800000, 1", "makes a map of [0-9,]+ bytes of each image"),
        (b"8, 8, 1", b"8, 1", "cannot be read|takes"),
        (b"Conv2D", b"Conv9D", r"has layers that are not known here \(Conv9D\)"),
        (b"null, 8", b"[], 8", "cannot be read|takes"),
    ],
)
def test_a_network_that_was_tampered_with_is_one_line(run, sound, old, new, says):
    assert old in sound["config.json"]
    with zipfile.ZipFile(run.best_model, "w") as archive:
        for name, content in sound.items():
            archive.writestr(name, content.replace(old, new) if name == "config.json" else content)
    with pytest.raises(CheckpointError, match=rf"best\.keras ({says})"):
        load_network(run.best_model)


def test_a_network_that_was_refused_leaves_nothing_behind(run, sound):
    class Own(keras.layers.Layer):
        def call(self, x):
            return x

    with zipfile.ZipFile(run.best_model, "w") as archive:
        for name, content in sound.items():
            archive.writestr(name, content.replace(b'"filters": 2', b'"filters": 20000000000'))
    with raises(CheckpointError, path=run.best_model, reason="describes a network"):
        load_network(run.best_model)
    assert Own()(keras.Input((8, 8, 1))).shape == (None, 8, 8, 1)  # gave all 80 GB of weights their values


def test_an_archive_that_unpacks_to_more_than_any_network(run, sound):
    with zipfile.ZipFile(run.best_model, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", sound["config.json"])
        archive.writestr("model.weights.h5", bytes(2**27))
    with raises(CheckpointError, path=run.best_model, reason="unpacks to 134,"):
        load_network(run.best_model)


def test_a_network_of_something_else_than_images(run):
    keras.Sequential([keras.Input((5,)), keras.layers.Dense(2)]).save(run.best_model)
    with raises(CheckpointError, reason="takes (None, 5) and gives (None, 2)"):
        load_network(run.best_model)


HARMLESS = {"class_name": "Conv2D", "module": "keras.layers", "registered_name": None, "config": {}}


@pytest.mark.parametrize(
    "part",
    [
        {"class_name": "Lambda", "module": "keras.layers"},
        {"class_name": "TFSMLayer", "module": "keras.layers"},
        {"class_name": "TorchModuleWrapper", "module": "keras.layers"},
        {"class_name": "StringLookup", "module": "keras.layers"},
        {"class_name": "__lambda__", "module": None},
        {"class_name": "__typespec__", "module": "os"},
        {"class_name": "function", "module": "keras.config", "config": "enable_unsafe_deserialization"},
        {"class_name": "function", "module": "os", "config": "system", "registered_name": "system"},
        {"class_name": "get_file", "module": "keras.src.utils.file_utils"},
        {"class_name": "Conv2D", "module": "os"},
        {"class_name": "Conv2D", "module": "keras_evil"},
        {"class_name": "Conv2D", "registered_name": "mine>Evil"},
        {"class_name": "Backbone", "module": "keras_hub.src.models.backbone"},
        {"class_name": "numpy", "module": "keras.src.ops.numpy"},
        {"class_name": "convert_to_tensor", "module": "keras.src.ops.core"},
        {"class_name": ["Conv2D"]},
        {"registered_name": "Lambda"},
    ],
)
@pytest.mark.parametrize("place", [lambda one: [{"deep": one}], lambda one: {**HARMLESS, "config": one}])
def test_what_a_description_must_not_name(part, place):
    described = {**HARMLESS, "config": {"activation": place({**HARMLESS, **part})}}
    if "class_name" not in part:
        del described["config"]["activation"]
        described |= part
    assert network_description.unknown(described, {}) == [str(described.get("class_name"))] or (
        network_description.unknown(described, {}) == [str(part["class_name"])]
    )
    assert network_description.unknown({**HARMLESS, "config": place(HARMLESS)}, {}) == []


def crafted(marker):
    """Parts of a description that make a file where a reader runs what they name: a harmless proof."""
    command = f"touch {marker}"
    code = compile(f"lambda x: [__import__('os').system({command!r}), x][1]", "crafted", "eval").co_consts[0]
    function = [codecs.encode(marshal.dumps(code), "base64").decode("ascii"), None, None]
    call = {"class_name": "function", "module": "os", "config": "system", "registered_name": "system"}
    fetch = {**call, "module": "keras.utils", "config": "get_file", "registered_name": "get_file"}
    lambdas = {
        "class_name": "__lambda__",
        "config": {"value": function[0], "defaults": None, "closure": None},
    }
    origin = {"origin": f"file:{marker}"}
    layer = {"filters": 2, "kernel_size": 1}
    inner = {"module": "keras.layers", "class_name": "Lambda", "registered_name": None}
    return {
        "Lambda": {**inner, "config": {"name": "a", "function": lambdas, "arguments": {}}},
        "Lambda of old": {**inner, "config": {"name": "a", "function": function, "function_type": "lambda"}},
        "os.system": {**inner, "config": {"name": "a", "function": call, "arguments": {"x": command}}},
        "get_file": {**inner, "config": {"name": "a", "function": fetch, "arguments": origin}},
        "activation": {**HARMLESS, "config": {**layer, "activation": call}},
        "initializer": {**HARMLESS, "config": {**layer, "kernel_initializer": lambdas}},
        "module": {"module": "os", "class_name": "system", "config": {"command": command}},
        "unsafe": {
            "module": "keras.config", "class_name": "function", "config": "enable_unsafe_deserialization",
            "registered_name": "enable_unsafe_deserialization",
        },
    }  # fmt: skip


@pytest.mark.parametrize("name", crafted("x"))
@pytest.mark.parametrize("wrapped", [False, True])
def test_what_is_crafted_runs_nothing(run, sound, tmp_path, name, wrapped):
    """It is a layer of the network, or its very description."""
    marker = tmp_path / "marker"
    described = part = crafted(marker)[name]
    if wrapped:
        described = json.loads(sound["config.json"])
        described["config"]["layers"].append(part)
    with zipfile.ZipFile(run.best_model, "w") as archive:
        for file, content in sound.items():
            archive.writestr(file, json.dumps(described) if file == "config.json" else content)
    with pytest.raises(CheckpointError):
        load_network(run.best_model)(keras.ops.zeros((1, 8, 8, 1)))
    assert not marker.exists()


def test_what_is_crafted_would_run(tmp_path):
    """The proof proves something: where it is believed, it makes the file."""
    function = crafted(tmp_path / "marker")["Lambda of old"]["config"]["function"]
    code = marshal.loads(codecs.decode(function[0].encode("ascii"), "base64"))
    assert types.FunctionType(code, globals())(7) == 7
    assert (tmp_path / "marker").exists()


def test_a_network_that_was_written_with_functions_is_known(run):
    images = keras.Input((8, 8, 1))
    network = keras.Model(images, keras.ops.sigmoid(keras.layers.Conv2D(1, 1)(images)[:, ::-1] + images))
    network.save(run.best_model)
    x = keras.random.normal((1, 8, 8, 1), seed=0)
    assert bool(keras.ops.all(load_network(run.best_model)(x) == network(x)))


def test_how_a_network_was_compiled_is_not_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.keras", "w") as archive:
        inner = {**HARMLESS, "compile_config": {"loss": {"class_name": "Lambda"}}}
        archive.writestr("config.json", json.dumps({**inner, "config": {"layers": [inner]}}))
    assert network_description.read(tmp_path / "a.keras") == {**HARMLESS, "config": {"layers": [HARMLESS]}}


def external(file, tmp_path):
    (tmp_path / "secret").write_bytes(bytes(64))
    file.create_dataset("layers/a", (8,), "f8", external=[(str(tmp_path / "secret"), 0, 64)])


def linked(file, tmp_path):
    file["layers"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/")


def soft(file, tmp_path):
    file["a"] = h5py.SoftLink("/a")


def circle(file, tmp_path):
    file.create_group("a")["b"] = file["/"]


def unwritten(file, tmp_path):
    file.create_dataset("a", (2**40,), "f4")


def packed(file, tmp_path):
    file.create_dataset("a", data=[0.0] * 2**16, compression="gzip")


def virtual(file, tmp_path):
    layout = h5py.VirtualLayout((8,), "f4")
    layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "a", (8,))
    file.create_virtual_dataset("a", layout)


def words(file, tmp_path):
    file.create_dataset("a", data=["text"], dtype=h5py.string_dtype())


@pytest.mark.parametrize("make", [external, linked, soft, circle, unwritten, packed, virtual, words])
def test_weights_that_keras_does_not_write(run, tmp_path, sound, make):
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        make(file, tmp_path)
    with zipfile.ZipFile(run.best_model, "w") as archive:
        archive.writestr("config.json", sound["config.json"])
        archive.writestr("model.weights.h5", content.getvalue())
    with raises(CheckpointError, path=run.best_model, reason="has weights that Keras does not write ("):
        load_network(run.best_model)


def of_a_run(run, *words):
    """A run with a small U-Net, whose config says so."""
    run.write_config(configs.to_yaml(configs.compose(["dataset.image_size=[8,8]", *SMALL, *words])))
    run.write_status("running")
    keras.utils.set_random_seed(1)
    network = models.unet((8, 8, 1), 2, filters=2, depth=1, convs=1)
    network.save(run.unfinished_model(1))
    network_record.write(run, run.unfinished_model(1))
    run.settle_best({"epoch": 1, "best_epoch": 1})
    return network


SMALL = ("model.filters=2", "model.depth=1", "model.convs=1")


def test_of_the_network_of_a_run_only_the_weights_are_read_and_only_those_it_wrote(run):
    network, x = of_a_run(run), keras.random.normal((1, 8, 8, 1), seed=0)
    with zipfile.ZipFile(run.best_model) as archive:
        weights = archive.read("model.weights.h5")
    with zipfile.ZipFile(run.unfinished_model(1), "w") as archive:
        archive.writestr("config.json", '{"class_name": "Lambda"}')
        archive.writestr("model.weights.h5", weights)
    other = run.unfinished_model(1).read_bytes()
    run.unfinished_model(1).replace(run.best_model)
    with raises(CheckpointError, path=run.best_model, reason="is not the network that the run wrote (hash "):
        load_network(run.best_model)
    status = json.loads(run.status_file.read_text())
    del status["network"]  # a run of an earlier version
    run.status_file.write_text(json.dumps(status))
    assert run.best_model.read_bytes() == other
    assert bool(keras.ops.all(load_network(run.best_model)(x) == network(x)))


def test_weights_of_another_network_than_that_of_the_config_are_refused(run):
    of_a_run(run, "model.filters=3")
    with raises(CheckpointError, path=run.best_model, reason="is of another network: it has"):
        load_network(run.best_model)


def test_a_kill_before_a_network_takes_its_place_leaves_one_of_the_run(run):
    (run.path / "config.yaml").touch()
    run.write_status("running")
    run.best_model.write_bytes(b"first, of an earlier version")
    for content in (b"second", b"third"):
        run.unfinished_model(1).write_bytes(content)
        network_record.write(run, run.unfinished_model(1))
        assert len(network_record.recorded(run)) == 2
        network_record.check(run)
    run.best_model.write_bytes(b"third")
    network_record.check(run)
    run.best_model.write_bytes(b"second")
    with raises(CheckpointError, path=run.best_model, reason="is not the network that the run wrote"):
        network_record.check(run)


def test_a_status_that_is_damaged_says_that_the_network_cannot_be_checked(run, caplog):
    (run.path / "config.yaml").touch()
    run.best_model.write_bytes(b"a network")
    run.write_status("completed", network=[])
    network_record.check(run)
    assert caplog.text == ""
    run.status_file.write_text(run.status_file.read_text()[:20])
    network_record.check(run)
    assert f"{run.status_file} is damaged: whether best.keras is the run's own is not known" in caplog.text
