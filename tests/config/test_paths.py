import pytest

from dmf_cli.config import paths
from dmf_cli.errors import ConfigError


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package folder without configs; ``conf_dir`` looks from there."""
    module = tmp_path / "site" / "dmf_cli" / "config" / "paths.py"
    module.parent.mkdir(parents=True)
    monkeypatch.setattr(paths, "__file__", str(module))
    paths.conf_dir.cache_clear()
    yield module.parent.parent
    paths.conf_dir.cache_clear()


def add(folder):
    folder.mkdir()
    (folder / "train.yaml").write_text("")
    return folder


def test_a_checkout_has_conf_beside_the_package(package):
    beside = add(package.parent / "conf")
    assert paths.conf_dir() == beside


def test_a_wheel_has_conf_inside_and_ignores_a_stranger_beside_it(package):
    add(package.parent / "conf")
    inside = add(package / "conf")
    assert paths.conf_dir() == inside


def test_a_broken_installation_says_what_to_do(package):
    with pytest.raises(ConfigError, match="install dmf again"):
        paths.conf_dir()


def test_the_real_one_has_groups_and_options():
    assert {"dataset", "loss", "weighting", "experiment"} <= set(paths.groups())
    assert paths.options("loss") == paths.terms()
    assert "none" in paths.options("auxiliary")
    assert set(paths.terms()) < set(paths.options("auxiliary"))
    assert paths.options("nothing") == []


def test_lineage_has_the_bases_first():
    assert paths.lineage("weighting", "var_reference_pets") == ["var", "var_reference", "var_reference_pets"]
    assert paths.lineage("auxiliary", "cbdice_light") == ["cbdice", "cbdice_light"]
    assert paths.lineage("loss", "cbdice+bce") == ["cbdice+bce"]
