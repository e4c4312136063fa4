"""What users are asked to type: it works when it is pasted into a shell."""

import re
import shlex
from pathlib import Path

import pytest

from dmf_cli import hints
from dmf_cli.comparison import loading
from dmf_cli.errors import RunFolderError
from dmf_cli.run_folder import index, places

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "dmf_cli").rglob("*.py"))


@pytest.mark.parametrize("path", ["plain/run", "my runs/1", "it's", "a;b", "$HOME"])
def test_a_command_is_read_back_as_it_was(path):
    assert shlex.split(hints.command("resume", Path(path))) == ["dmf", "resume", path]


def test_no_message_has_an_unquoted_path():
    """A path that is put straight behind `dmf COMMAND` breaks at its first blank."""
    found = [
        f"{file.name}: {line.strip()}"
        for file in SOURCES
        for line in file.read_text().splitlines()
        if re.search(
            r"dmf (resume|eval|compare|report|export|predict|replay|data \w+)\b[^`\"']*(\{|%s)", line
        )
        and "{where}" not in line  # of shlex.join
    ]
    assert found == []


def test_extras_are_installed_from_the_source_as_long_as_the_package_is_on_no_index():
    texts = [*SOURCES, *(ROOT / "conf").rglob("*.yaml"), *(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]
    assert [file.name for file in texts if re.search(r"pip install '?dmf-cli", file.read_text())] == []
    assert shlex.split(hints.install("tune").partition(" in ")[0]) == ["pip", "install", ".[tune]"]


def test_hints_about_a_run_in_a_folder_with_a_blank(tmp_path):
    run = tmp_path / "my runs"
    run.mkdir()
    (run / "config.yaml").write_text("seed: 0\n")
    (run / "status.json").write_text('{"state": "interrupted"}')
    with pytest.raises(RunFolderError, match=re.escape(f"`dmf resume '{run}'`")):
        places.check_free(run)
    with pytest.raises(RunFolderError, match=re.escape(f"`dmf resume '{run}'`")):
        loading.load(run, "foreground.dice")
    assert index.read(run).state == "broken"
