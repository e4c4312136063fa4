"""``dmf new``: each file is complete, passes ``dmf check``, and nothing is overwritten."""

import subprocess
import sys

import pytest

from dmf_cli import checking, config
from dmf_cli.checking.findings import PASSED
from dmf_cli.cli import new
from dmf_cli.cli.main import main
from dmf_cli.errors import UnknownNameError, UsageError
from dmf_cli.parts import plugins, registry
from dmf_cli.parts.kinds import KINDS
from tests.raised import raises


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with plugins.isolated():
        yield tmp_path


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_is_a_plugin_with_parameters_that_are_explained(kind, here) -> None:
    assert main(["new", kind, "own_part"]) == 0
    plugins.activate(["own_part.py"])
    part = registry.definition(kind, "own_part")
    assert part.summary
    assert part.parameters
    own = [one for name, one in part.parameters.items() if kind != "strategy" or name == "decay"]
    assert all(one.meaning for one in own)
    assert "mine" not in (here / "own_part.py").read_text()


@pytest.mark.parametrize("kind", checking.KINDS)
def test_it_passes_every_check(kind, here) -> None:
    assert main(["new", kind, "own_part"]) == 0
    plugins.activate(["own_part.py"])
    found = list(checking.check(kind, "own_part", {}))
    assert {one.state for one in found} == {PASSED}, found
    assert len(found) >= 6


def test_what_it_writes_is_formatted(here) -> None:
    for kind in KINDS:
        (here / f"{kind}.py").write_text(new.text(kind, "own_part"))
    command = [sys.executable, "-m", "ruff", "format", "--config", "line-length=110", "--check", "."]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_experiment_is_a_sweep(here, capsys) -> None:
    assert main(["new", "experiment", "seeds"]) == 0
    out = capsys.readouterr().out
    assert "  dmf train -m --config-dir conf experiment=seeds --dry-run\n" in out
    assert config.compose(["experiment=seeds", f"hydra.searchpath=['file://{here / 'conf'}']"]).epochs == 24
    assert main(["train", "-m", "--config-dir", "conf", "experiment=seeds", "--dry-run"]) == 0
    assert "6 job(s)" in capsys.readouterr().out


def test_the_next_commands_are_printed(here, capsys) -> None:
    assert main(["new", "loss", "own_part", "-o", "lib/parts.py"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "wrote lib/parts.py",
        "next:",
        "  dmf check plugins=lib/parts.py loss=own_part",
        "  dmf train plugins=lib/parts.py loss=own_part+ce",
    ]


def test_a_project_is_told_what_it_lacks(here, capsys) -> None:
    (here / "dmf.toml").write_text('plugins = ["other.py"]\n')
    assert main(["new", "loss", "own_part"]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "to type no plugins=, put into dmf.toml:",
        '  plugins = ["other.py", "own_part.py"]',
    ]


def test_a_plugin_of_the_project_is_not_typed(here, capsys) -> None:
    (here / "pyproject.toml").write_text('[tool.dmf]\nplugins = ["own_part"]\nconfig_dir = "."\n')
    assert main(["new", "loss", "own_part"]) == 0
    assert "  dmf check loss=own_part\n" in capsys.readouterr().out
    assert main(["new", "experiment", "seeds"]) == 0
    assert (here / "experiment" / "seeds.yaml").is_file()
    assert "  dmf train -m experiment=seeds\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "error", "says"),
    [
        (["los", "own"], UnknownNameError, "did you mean 'loss'?"),
        (["loss", "ce"], UsageError, "which is taken"),
        (["model", "unet_wide"], UsageError, "which is taken"),
        (["strategy", "var_reference"], UsageError, "which is taken"),
        (["experiment", "notebook"], UsageError, "which is taken"),
        (["loss", "my-loss"], UsageError, "give letters, digits and _"),
        (["loss", "class"], UsageError, "give letters, digits and _"),
        (["loss", "own", "-o", "own.txt"], UsageError, "a file that ends in .py"),
        (["loss", "there"], UsageError, "exists, and is not overwritten"),
    ],
)
def test_what_it_refuses(words, error, says, here) -> None:
    (here / "there.py").write_text("kept")
    with pytest.raises(error) as caught:
        new.run(words)
    assert says in str(caught.value)
    assert [file.name for file in here.iterdir()] == ["there.py"]
    assert (here / "there.py").read_text() == "kept"


def test_a_folder_that_cannot_be_written_is_named(here) -> None:
    (here / "file").write_text("")
    with raises(UsageError):
        new.run(["loss", "own", "-o", "file/own.py"])
