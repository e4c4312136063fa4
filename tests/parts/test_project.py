"""The settings of a project: where they are found, and what is wrong with them."""

import pytest

from dmf_cli.errors import ConfigError, UnknownNameError
from dmf_cli.parts import project
from tests.raised import raises


def test_the_first_file_from_here_upwards_counts(tmp_path):
    (tmp_path / "a/b/c").mkdir(parents=True)
    (tmp_path / "a/configs").mkdir()
    (tmp_path / "dmf.toml").write_text('plugins = ["far.py"]\n')
    text = '[tool.dmf]\nplugins = ["my.py", "lab.losses"]\nconfig_dir = "configs"\n'
    (tmp_path / "a/pyproject.toml").write_text(text)
    (tmp_path / "a/b/pyproject.toml").write_text("[tool.other]\nx = 1\n")
    found = project.read(tmp_path / "a/b/c")
    assert found.file == tmp_path / "a/pyproject.toml"
    assert found.plugins == ("my.py", "lab.losses")
    assert found.config_dir == (tmp_path / "a/configs").resolve()


def test_the_settings_in_a_run_folder_are_nobodys(tmp_path):
    (tmp_path / "run/plugins").mkdir(parents=True)
    for name in ("config.yaml", "status.json", "dmf.toml", "plugins/dmf.toml"):
        (tmp_path / "run" / name).write_text("")
    (tmp_path / "dmf.toml").write_text('plugins = ["mine.py"]\n')
    for folder in ("run", "run/plugins"):
        assert project.read(tmp_path / folder).file == tmp_path / "dmf.toml"


def test_there_need_be_none(tmp_path):
    assert project.read(tmp_path) == project.Project()


@pytest.mark.parametrize(
    ("text", "error", "what"),
    [
        ("plugins = [", ConfigError, "is not valid TOML"),
        ('plugin = ["my.py"]', UnknownNameError, "did you mean 'plugins'?"),
        ("plugins = 3", ConfigError, "plugins is 3: give a list of files and modules"),
        ('plugins = [""]', ConfigError, "plugins is ['']"),
        ('config_dir = "gone"', ConfigError, "config_dir is 'gone': give the folder"),
        ("config_dir = 1", ConfigError, "config_dir is 1"),
    ],
)
def test_what_is_wrong_names_the_file(tmp_path, text, error, what):
    (tmp_path / "dmf.toml").write_text(text)
    with raises(error) as caught:
        project.read(tmp_path)
    assert what in str(caught.value)
    assert str(tmp_path / "dmf.toml") in str(caught.value)
    assert "\n" not in str(caught.value)
