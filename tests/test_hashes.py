import ast
import doctest
import os
from pathlib import Path

import pytest

from dmf_cli import hashes

PACKAGE = Path(hashes.__file__).parent


def test_texts_and_bytes():
    assert hashes.digest("å\0b") == hashes.digest("å\0b".encode()) == "df5b419dde404ac8"
    assert doctest.testmod(hashes) == (0, 1)


def test_names_of_contents_are_made_in_one_place():
    """Datasets hash images piece by piece, which is another thing."""
    others = [file for file in PACKAGE.rglob("*.py") if "datasets" not in file.parts]
    imports = {
        file.name: {
            name.name
            for node in ast.walk(ast.parse(file.read_text()))
            if isinstance(node, ast.Import)
            for name in node.names
        }
        for file in others
    }
    assert [name for name, modules in imports.items() if "hashlib" in modules] == ["hashes.py"]


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="a pipe or a device"):
        hashes.of_file(tmp_path / "pipe")


def test_a_name_that_is_no_utf8_has_a_hash():
    assert len(hashes.digest("a\udcff\ud800")) == 16
