"""The last checkpoints of a run on disk: how many stay, and what a damaged one costs."""

import io
import os
import zipfile

import numpy as np
import pytest

from dmf_cli import files
from dmf_cli.errors import CheckpointError, RunFolderError
from dmf_cli.run_folder import checkpoint_file
from tests.raised import raises


@pytest.fixture
def last(tmp_path):
    return tmp_path / "last.npz"


def write(last, *epochs, keep=2):
    for epoch in epochs:
        checkpoint_file.write(last, {"a": np.full(99, epoch)}, {"epoch": epoch}, keep)


def kept(last):
    """File -> the epoch that its note and its array say."""
    found = {}
    for file in sorted(last.parent.iterdir()):
        arrays, note = checkpoint_file.read(file, 10_000)
        assert (arrays["a"] == note["epoch"]).all()
        found[file.name] = note["epoch"]
    return found


@pytest.mark.parametrize(
    ("keep", "left"),
    [
        (1, {"last.npz": 4}),
        (2, {"last.npz": 4, "last.1.npz": 3}),
        (3, {"last.npz": 4, "last.1.npz": 3, "last.2.npz": 2}),
        (9, {"last.npz": 4, "last.1.npz": 3, "last.2.npz": 2, "last.3.npz": 1}),
    ],
)
@pytest.mark.parametrize("linked", [True, False])
def test_the_last_few_stay(last, monkeypatch, keep, left, linked):
    def refuse(*_):
        raise OSError("no links here")

    if not linked:
        monkeypatch.setattr(os, "link", refuse)
    write(last, 1, 2, 3, 4, keep=keep)
    assert kept(last) == left
    write(last, 5, keep=1)
    assert kept(last) == {"last.npz": 5}


def test_those_after_the_one_to_continue_from_are_gone(last):
    write(last, 1, 2, 3, 4, keep=9)
    checkpoint_file.take(last, last.with_name("last.2.npz"))
    assert kept(last) == {"last.npz": 2, "last.3.npz": 1}


def test_one_that_cannot_be_written_costs_none(last, monkeypatch):
    write(last, 1, 2)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(RunFolderError, match="disk is full"):
        write(last, 3)
    assert kept(last) == {"last.npz": 2, "last.1.npz": 1}


def test_a_disk_that_becomes_read_only_is_reported_though_nothing_can_be_removed(last, monkeypatch):
    write(last, 1)

    def read_only(*_):
        raise OSError(30, "Read-only file system")

    def then_read_only(path, content):
        monkeypatch.setattr(os, "unlink", read_only)
        raise RunFolderError(path=path, reason="is not written", hint="the file system is read-only")

    monkeypatch.setattr(checkpoint_file, "write_atomic", then_read_only)
    with raises(RunFolderError, hint="the file system is read-only"):
        write(last, 2)


@pytest.mark.parametrize("at", range(0, 100, 7))
@pytest.mark.parametrize("how", ["flipped", "cut off"])
def test_a_damaged_one_falls_back_to_the_one_before_with_one_line(last, at, how):
    write(last, 1, 2)
    data = bytearray(last.read_bytes())
    place = len(data) * at // 100
    data[place] ^= 1
    last.write_bytes(data if how == "flipped" else data[:place])
    file, note, (line,) = checkpoint_file.newest(last)
    assert (file.name, note) == ("last.1.npz", {"epoch": 1})
    assert line.startswith(f"{last} ")
    assert line.endswith(": continues from last.1.npz (after epoch 1)")
    assert "\n" not in line
    checkpoint_file.take(last, file)
    write(last, 2)
    assert kept(last) == {"last.npz": 2, "last.1.npz": 1}


def test_a_missing_one_falls_back_too_and_where_none_is_whole_the_newest_is_named(last):
    write(last, 1, 2, 3, keep=3)
    last.unlink()
    assert checkpoint_file.newest(last)[0].name == "last.1.npz"
    (last.parent / "last.1.npz").unlink()  # a gap, as a kill may leave one
    assert checkpoint_file.newest(last)[0].name == "last.2.npz"
    (last.parent / "last.2.npz").write_bytes(b"PK")
    with raises(CheckpointError, path="last.npz", reason="is missing"):
        checkpoint_file.newest(last)


def test_one_of_an_earlier_version_has_no_checksum(last):
    buffer = io.BytesIO()
    np.savez(buffer, a=np.full(99, 7), note=np.array('{"epoch": 7}'))
    last.write_bytes(buffer.getvalue())
    assert checkpoint_file.newest(last) == (last, {"epoch": 7}, [])
    assert kept(last) == {"last.npz": 7}


def broken(how):
    """The bytes of an archive whose note is right, and of whose arrays one is not."""
    buffer = io.BytesIO()
    array = np.full(99, 2.0)
    with zipfile.ZipFile(
        buffer, "w", zipfile.ZIP_DEFLATED if how == "packed" else zipfile.ZIP_STORED
    ) as made:
        for name, value in (("a", array), ("note", np.array('{"epoch": 2}'))):
            with made.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, value)
                if name == "a" and how == "longer":
                    file.write(b"more")
        if how == "of objects":
            with made.open("b.npy", "w") as file:
                np.lib.format.write_array(file, np.array([{}], dtype=object), allow_pickle=True)
        if how == "no array":
            made.writestr("b.npy", b"numbers")
    if how == "flipped":
        data = buffer.getvalue()
        buffer = io.BytesIO(data.replace(array.tobytes(), np.full(99, 3.0).tobytes()))
    return buffer


@pytest.mark.parametrize("with_seal", [True, False])
@pytest.mark.parametrize("how", ["flipped", "longer", "packed", "of objects", "no array"])
def test_one_whose_arrays_are_broken_falls_back_whatever_its_checksum_says(last, how, with_seal):
    write(last, 1, 2)
    made = broken(how)
    last.write_bytes(checkpoint_file.sealed(made) if with_seal else made.getvalue())
    file, note, (line,) = checkpoint_file.newest(last)
    assert (file.name, note) == ("last.1.npz", {"epoch": 1})
    assert line.startswith(f"{last} cannot be read (")
