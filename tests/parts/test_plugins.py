"""Plugins: how they are found, what they consist of, when they run, and what goes wrong."""

import os
import py_compile
import sys
from types import SimpleNamespace

import pytest

from dmf_cli.errors import PluginError, UnknownNameError
from dmf_cli.parts import decorators, failures, plugins, registry
from dmf_cli.parts.plugins import Plugin
from tests.raised import raises

LOSS = "import dmf_cli\n@dmf_cli.loss\ndef {name}(y_true, y_pred, *, a=1.0):\n    return {value}\n"


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(place, text="", **fields):
        file = tmp_path / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text or LOSS.format(**{"name": "mine", "value": "1.0", **fields}))
        return file

    return write


@pytest.mark.parametrize("given", ["my.py", "./my.py", "my", "{folder}/my.py", "~/my.py"])
def test_a_file_is_found_by_path_or_name(write, tmp_path, monkeypatch, given):
    monkeypatch.setenv("HOME", str(tmp_path))
    file = write("my.py")
    (plugin,) = plugins.activate([given.format(folder=tmp_path)])
    assert (plugin.name, plugin.file.resolve()) == ("my", file)
    assert "mine" in registry.names("loss")
    assert ("loss", "mine") not in decorators.registered, "it has not run"
    assert registry.find("loss", "mine")(0, 0) == 1.0


def test_a_module_of_a_package_runs_under_its_own_name(write):
    write("mylab/__init__.py", "STARTED = 1\n")
    write("mylab/helpers.py", "VALUE = 5.0\n")
    write(
        "mylab/losses.py",
        f"from mylab import helpers\nfrom .helpers import VALUE\n{LOSS.format(name='mine', value='VALUE')}",
    )
    (plugin,) = plugins.activate(["mylab.losses"])
    assert "mylab" not in sys.modules, "no package was imported to find it"
    assert list(plugin.files) == ["mylab/__init__.py", "mylab/helpers.py", "mylab/losses.py"]
    assert registry.find("loss", "mine")(0, 0) == 5.0
    for name in ("mylab", "mylab.losses", "mylab.helpers"):
        del sys.modules[name]


def test_what_a_file_imports_from_beside_it_is_part_of_it(write):
    write("helper.py", "import deeper\nVALUE = deeper.VALUE\n")
    deeper = write("deeper.py", "VALUE = 7.0\n")
    write("keras.py", "raise SystemExit\n")
    write("my.py", f"import helper, os\n{LOSS.format(name='mine', value='helper.VALUE')}")
    (plugin,) = plugins.activate(["my.py"])
    assert list(plugin.files) == ["deeper.py", "helper.py", "my.py"]
    before = plugin.hash
    assert registry.find("loss", "mine")(0, 0) == 7.0
    deeper.write_text("VALUE = 8.0\n")
    assert Plugin.at(plugin.file).hash != before
    for name in ("helper", "deeper"):
        del sys.modules[name]


def test_the_same_again_or_a_copy_is_no_second_plugin(write):
    write("my.py"), write("copy/my.py")
    first, again = (plugins.activate([path])[0] for path in ("my.py", "copy/my.py"))
    assert first == again


def test_a_file_that_is_edited_is_imported_anew(write):
    write("helper.py", "VALUE = 1.0\n")
    file = write("my.py", f"import helper\n{LOSS.format(name='mine', value='helper.VALUE')}")
    first = plugins.activate(["my.py"])[0].hash
    assert registry.find("loss", "mine")(0, 0) == 1.0
    write("helper.py", "VALUE = 2.0\n")
    file.write_text(file.read_text() + "# edited\n")
    assert plugins.activate(["my.py"])[0].hash != first
    assert registry.find("loss", "mine")(0, 0) == 2.0
    del sys.modules["helper"]


def test_the_source_runs_and_no_compiled_copy_of_it(write):
    helper = write("helper.py", "VALUE = 1.0\n")
    file = write("my.py", f"import helper\n{LOSS.format(name='mine', value='helper.VALUE')}")
    for one in (helper, file):
        stat, text = one.stat(), one.read_text()
        one.write_text(text.replace("1.0", "6.6").replace("helper.VALUE", "66666666.660"))
        os.utime(one, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        py_compile.compile(str(one))
        one.write_text(text)
        os.utime(one, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    plugins.activate(["my.py"])
    assert registry.find("loss", "mine")(0, 0) == 1.0
    del sys.modules["helper"]


def test_a_module_that_python_finds_elsewhere_is_refused(write, tmp_path, monkeypatch):
    for folder in ("site", "mine"):
        write(f"{folder}/mylab/__init__.py", "x = 1\n")
        write(f"{folder}/mylab/losses.py")
    plugins.add(Plugin.at(tmp_path / "mine/mylab/losses.py", "mylab.losses"))
    monkeypatch.syspath_prepend(tmp_path / "site")
    with raises(PluginError, path=tmp_path / "mine/mylab/__init__.py", hint="only one is found"):
        registry.find("loss", "mine")


def test_two_plugins_of_one_name_that_differ(write):
    write("my.py"), write("b/my.py", name="other")
    plugins.activate(["my.py"])
    with raises(PluginError, key="plugins", hint="rename one of the files"):
        plugins.activate(["b/my.py"])


@pytest.mark.parametrize(("name", "where"), [("dice", "already, in dmf"), ("mine", "a.py")])
def test_a_name_that_is_taken(write, name, where):
    write("a.py"), write("b.py", name=name)
    plugins.activate(["a.py"])
    with raises(PluginError, key="loss", value=name) as caught:
        plugins.activate(["b.py"])
    assert str(caught.value).startswith(f"b.py, line 3: there is a loss {name!r} already, in ")
    assert where in str(caught.value)
    assert registry.names("loss").count(name) == 1


def test_a_file_without_parts(write):
    write("my.py", "def mine(y_true, y_pred): ...\n")
    with raises(PluginError, reason="defines no part"):
        plugins.activate(["my.py"])


def test_what_is_neither_file_nor_module_names_the_closest_file(write):
    write("losses.py")
    with raises(PluginError, key="plugins", value="loses") as caught:
        plugins.activate(["loses"])
    assert "did you mean 'losses.py'?" in str(caught.value)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (
            "import nonexistent_xyz",
            "my.py, line 1: ModuleNotFoundError: No module named 'nonexistent_xyz': install",
        ),
        ("1 / 0", "my.py, line 1: ZeroDivisionError: division by zero"),
        ("raise SystemExit('bye')", "my.py, line 1: SystemExit: bye"),
        ("dmf_cli = __import__('types').SimpleNamespace(loss=lambda f: f)", "was not registered"),
    ],
)
def test_an_import_that_fails_is_one_line_with_its_place(write, line, what):
    text = LOSS.format(name="mine", value="1.0")
    text = f"{line}\n{text}" if "SimpleNamespace" not in line else text.replace("@dmf", f"{line}\n@dmf")
    write("my.py", text)
    plugins.activate(["my.py"])
    with pytest.raises(PluginError) as caught:
        registry.find("loss", "mine")
    assert what in str(caught.value)


def test_an_untrusted_plugin_is_known_and_does_not_run(write, tmp_path):
    file = write("my.py", f"raise SystemExit\n{LOSS.format(name='mine', value='1.0')}")
    plugin = plugins.add(Plugin.at(file, untrusted=tmp_path))
    assert registry.definition("loss", "mine").defaults == {"a": 1.0}
    with raises(PluginError, path=file, hint="add --trust") as caught:
        registry.find("loss", "mine")
    assert plugin.hash in str(caught.value)


def test_errors_of_a_part_are_located(write):
    write("my.py", LOSS.format(name="mine", value="undefined"))
    plugins.activate(["my.py"])
    with raises(PluginError) as caught, failures.located_errors():
        registry.find("loss", "mine")(0, 0)
    assert str(caught.value).startswith("my.py, line 4: NameError: name 'undefined' is not defined")
    with pytest.raises(ZeroDivisionError), failures.located_errors():
        1 / 0  # noqa: B018 - none of a plugin's


def test_an_unknown_name_has_the_closest_of_all(write):
    write("my.py")
    plugins.activate(["my.py"])
    with pytest.raises(UnknownNameError, match="did you mean 'mine'"):
        registry.find("loss", "minne")


def test_installed_packages_bring_plugins(write, monkeypatch, tmp_path):
    write("installed_lab.py")
    monkeypatch.syspath_prepend(tmp_path)
    entry = SimpleNamespace(module="installed_lab", value="installed_lab", dist=SimpleNamespace(name="lab"))
    monkeypatch.setattr(
        "importlib.metadata.entry_points", lambda group: [entry] if group == "dmf.plugins" else []
    )
    plugins._installed.cache_clear()
    try:
        assert "mine" in registry.names("loss")
        entry.module = entry.value = "gone_lab"
        plugins._installed.cache_clear()
        with raises(PluginError, key="plugins", hint="install the package again"):
            registry.names("loss")
    finally:
        monkeypatch.undo()
        plugins._installed.cache_clear()


@pytest.mark.parametrize(
    ("value", "found"),
    [("my.py", ["my.py"]), ("[a.py,b.c]", ["a.py", "b.c"]), ("['a, b.py', \"c.py\"]", ["a, b.py", "c.py"]),
     (r"['it\'s.py']", ["it's.py"]), ("[]", []), ("null", []), ("", [])],
)  # fmt: skip
def test_the_value_of_plugins_on_the_command_line(value, found):
    assert plugins.written(value) == found


def test_a_decorator_before_something_else():
    with raises(PluginError, hint="put it before a function (y_true, y_pred, *, ...)"):
        decorators.loss(3)
