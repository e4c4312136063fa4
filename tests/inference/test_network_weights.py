"""A file of weights that is no file is said to be none, and never waited for."""

import os

import pytest

from dmf_cli.errors import CheckpointError
from dmf_cli.inference import network_file, network_weights
from tests.raised import raises


@pytest.mark.parametrize("read", [network_weights.shapes, network_file.load])
def test_neither_a_pipe_nor_a_folder_is_a_network(tmp_path, read):
    os.mkfifo(tmp_path / "pipe.keras")
    (tmp_path / "folder.keras").mkdir()
    for name, reason in (("pipe", "a pipe or a device"), ("folder", "Is a directory")):
        with raises(CheckpointError, path=tmp_path / f"{name}.keras", reason=reason):
            read(tmp_path / f"{name}.keras")
