"""The network of a run that is not there or not whole."""

import zipfile

import keras
import pytest

from dmf_cli.errors import CheckpointError
from dmf_cli.inference.network_file import load_network
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
        (b"Conv2D", b"Conv9D", "cannot be read"),
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
