"""Plugins beside each other: helper modules of one name, plugins that need each other, earlier calls."""

import sys

import pytest

from dmf_cli import config as configs
from dmf_cli.errors import PluginError
from dmf_cli.parts import plugins, registry
from tests.raised import raises

LOSS = "import dmf_cli\n{head}\n@dmf_cli.loss\ndef {name}(y_true, y_pred, *, a=1.0):\n    return {value}\n"


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)

    def write(place, text="", **fields):
        file = tmp_path / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text or LOSS.format(**{"name": "mine", "value": "1.0", "head": "", **fields}))
        return file

    yield write
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


def test_two_helpers_of_one_name_are_no_silent_mixture(write):
    for folder, name in (("a", "first"), ("b", "second")):
        write(f"{folder}/helper.py", f"VALUE = '{folder}'\n")
        write(f"{folder}/m{folder}.py", head="import helper", name=name, value="helper.VALUE")
    plugins.activate(["a/ma.py", "b/mb.py"])
    assert registry.find("loss", "first")(0, 0) == "a"
    with raises(PluginError, path=plugins.active()[1].root / "helper.py", hint="rename one of them"):
        registry.find("loss", "second")


def test_a_helper_that_python_finds_elsewhere_is_refused(write, tmp_path, monkeypatch):
    write("site/helper.py", "VALUE = 6.6\n")
    write("a/helper.py", "VALUE = 1.0\n")
    write("a/my.py", head="import helper", value="helper.VALUE")
    monkeypatch.syspath_prepend(tmp_path / "site")
    plugins.activate(["a/my.py"])
    with raises(PluginError, path=tmp_path / "a/helper.py", hint="rename one of them"):
        registry.find("loss", "mine")


def test_what_a_block_activates_leaves_no_module_behind(write):
    write("a/helper.py", "VALUE = 1.0\n")
    write("b/helper.py", "VALUE = 2.0\n")
    for folder, value in (("a", 1.0), ("b", 2.0)):
        write(f"{folder}/my.py", head="import helper", value="helper.VALUE")
        with plugins.isolated():
            plugins.activate([f"{folder}/my.py"])
            assert registry.find("loss", "mine")(0, 0) == value


def test_a_plugin_that_imports_another_brings_it_along(write):
    base = write("lib/base.py", name="basic")
    write("d/derived.py", head="import base", name="derived", value="base.basic(0, 0)")
    words = ["plugins=[d/derived.py,lib/base.py]", "loss=derived"]
    config = configs.compose(words)
    assert list(config.plugins) == ["derived", "base"]
    base.write_text(base.read_text() + "# changed\n")
    plugins.begin()
    assert configs.compose(words).plugins["base"] != config.plugins["base"]
    assert registry.find("loss", "derived")(0, 0) == 1.0


def test_folders_without_an_init_file_are_packages_too(write):
    write("tools/deep/maths.py", "VALUE = 3.0\n")
    write("my.py", head="from tools.deep import maths", value="maths.VALUE")
    (plugin,) = plugins.activate(["my.py"])
    assert list(plugin.files) == ["my.py", "tools/deep/maths.py"]
    assert registry.find("loss", "mine")(0, 0) == 3.0


def test_of_a_module_only_its_package_belongs_to_the_plugin(write, monkeypatch, tmp_path):
    """Beside an installed package lie all others."""
    write("site/mylab/__init__.py", "import otherlab\n")
    write("site/otherlab.py", "X = 1\n")
    write("site/mylab/losses.py", head="import otherlab, mylab.helpers", value="otherlab.X")
    write("site/mylab/helpers.py", "X = 1\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    (plugin,) = plugins.activate(["mylab.losses"])
    assert list(plugin.files) == ["mylab/__init__.py", "mylab/helpers.py", "mylab/losses.py"]
    assert registry.find("loss", "mine")(0, 0) == 1


def test_a_later_call_replaces_what_an_earlier_one_was_given(write):
    write("a/my.py", value="1.0")
    write("b/my.py", value="2.0")
    write("b/other.py", name="mine", value="3.0")
    for given, value in (("a/my.py", 1.0), ("b/my.py", 2.0), ("b/other.py", 3.0)):
        plugins.begin()
        plugins.activate([given])
        assert registry.find("loss", "mine")(0, 0) == value


def test_a_file_of_an_earlier_call_that_is_gone_stops_nobody(write):
    file = write("my.py")
    plugins.activate(["my.py"])
    file.unlink()
    plugins.begin()
    assert configs.compose(["loss=ce"]).loss.expression == "ce"
    assert "mine" not in registry.names("loss")


@pytest.mark.parametrize("name", ["my-loss.py", "met.v2.py", "3x.py"])
def test_a_name_that_cannot_be_imported_is_refused_at_once(write, name):
    write(name)
    with raises(PluginError, reason="has a name that Python cannot import", hint="rename the file"):
        plugins.activate([name])


@pytest.mark.parametrize(
    ("kind", "name", "choice"),
    [("model", "unet_wide", "model=unet_wide"), ("strategy", "var_reference", "weighting=var_reference")],
)
def test_a_part_called_as_a_yaml_option_is_refused(write, kind, name, choice):
    shape = {
        "model": f"@dmf_cli.model\ndef {name}(input_shape, classes): ...\n",
        "strategy": f"@dmf_cli.strategy\nclass {name}(weighting.Strategy): ...\n",
    }[kind]
    write("my.py", f"import dmf_cli\nfrom dmf_cli import weighting\n{shape}")
    with raises(PluginError, key=kind, value=name, hint="give yours another name"):
        configs.compose(["plugins=my.py", choice])


@pytest.mark.parametrize("text", ["x = '\xe4'\n", "from .. import up\n", "from ........ import up\n"])
def test_odd_sources_have_a_hash(write, text):
    file = write("my.py")
    file.write_bytes(b"# -*- coding: latin-1 -*-\n" + text.encode("latin-1") + file.read_bytes())
    (plugin,) = plugins.activate(["my.py"])
    assert len(plugin.hash) == 16
