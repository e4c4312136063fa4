import pytest

from dmf_cli import conf_files
from dmf_cli.errors import ConfigError


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package folder without configs; ``conf_dir`` looks from there."""
    module = tmp_path / "site" / "dmf_cli" / "conf_files.py"
    module.parent.mkdir(parents=True)
    monkeypatch.setattr(conf_files, "__file__", str(module))
    conf_files.conf_dir.cache_clear()
    yield module.parent
    conf_files.conf_dir.cache_clear()


def add(folder):
    folder.mkdir()
    (folder / "train.yaml").write_text("")
    return folder


def test_a_checkout_has_conf_beside_the_package(package):
    beside = add(package.parent / "conf")
    assert conf_files.conf_dir() == beside


def test_a_wheel_has_conf_inside_and_ignores_a_stranger_beside_it(package):
    add(package.parent / "conf")
    inside = add(package / "conf")
    assert conf_files.conf_dir() == inside


def test_a_broken_installation_says_what_to_do(package):
    with pytest.raises(ConfigError, match="install dmf again"):
        conf_files.conf_dir()


def test_the_real_one_has_groups_and_options():
    assert {"dataset", "loss", "weighting", "experiment"} <= set(conf_files.groups())
    assert conf_files.options("loss") == conf_files.terms()
    assert "none" in conf_files.options("auxiliary")
    assert set(conf_files.terms()) < set(conf_files.options("auxiliary"))
    assert conf_files.options("nothing") == []


def test_lineage_has_the_bases_first():
    assert conf_files.lineage("weighting", "var_reference_pets") == [
        "var",
        "var_reference",
        "var_reference_pets",
    ]
    assert conf_files.lineage("auxiliary", "cbdice_light") == ["cbdice", "cbdice_light"]
    assert conf_files.lineage("loss", "cbdice+bce") == ["cbdice+bce"]
