"""Files that are written over, where there is no room for a second one."""

import errno
import os

import pytest

from dmf_cli import files
from dmf_cli.errors import RunFolderError
from tests.raised import raises


@pytest.fixture(params=["posix", "windows"])
def system(request, monkeypatch):
    """An ``os`` with and without what only POSIX has."""
    if request.param == "windows":
        stat = os.fstat
        monkeypatch.delattr(os, "pwrite")
        fake = type("Stat", (), {})

        def size_alone(descriptor):
            fake.st_size = stat(descriptor).st_size
            return fake

        monkeypatch.setattr(files.os, "fstat", size_alone)
    return request.param


def test_a_file_is_written_over_where_it_has_room(system, tmp_path):
    file = tmp_path / "status.json"
    file.write_text("{" + " " * 98 + "}")
    assert files.write_in_place(file, '{"state": "failed"}')
    assert file.read_text() == '{"state": "failed"}'.ljust(100)
    assert not files.write_in_place(file, "x" * 10_000_000)
    assert len(file.read_text()) == 100


def test_never_through_a_link(tmp_path):
    (tmp_path / "theirs").write_text("x" * 50)
    (tmp_path / "status.json").symlink_to(tmp_path / "theirs")
    with pytest.raises(OSError, match="symbolic links"):
        files.write_in_place(tmp_path / "status.json", "{}")
    assert (tmp_path / "theirs").read_text() == "x" * 50


def test_a_file_that_cannot_be_removed_is_named(tmp_path, monkeypatch):
    files.remove(tmp_path / "prediction.json")  # which is not there
    (tmp_path / "prediction.json").touch()

    def refuses(path, missing_ok=False):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr("pathlib.Path.unlink", refuses)
    with raises(RunFolderError, path=tmp_path / "prediction.json", hint="read-only"):
        files.remove(tmp_path / "prediction.json")
