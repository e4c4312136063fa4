"""A loss and a network of one's own in the commands, and what of a run's code is run by whom."""

import json
import shutil
import sys

import pytest
import yaml

from dmf_cli import config as configs
from dmf_cli.cli import _plugins, completion
from dmf_cli.cli.main import main
from dmf_cli.errors import PluginError, RunFolderError
from dmf_cli.parts import plugins
from dmf_cli.run_folder import identity, run_plugins, stored_config
from tests.raised import raises

MINE = '''
import keras
from keras import ops
import dmf_cli


@dmf_cli.loss
def mine(y_true, y_pred, *, alpha=0.3):
    """How far the probabilities are off.

    Args:
        alpha: a factor.
    """
    return alpha * ops.mean(ops.abs(y_true - y_pred))


class Scale(keras.layers.Layer):
    def call(self, x):
        return 2.0 * x


@dmf_cli.model
def net(input_shape, classes, *, filters: int = 4):
    """One convolution, scaled."""
    inputs = keras.Input(input_shape)
    x = Scale()(keras.layers.Conv2D(filters, 3, padding="same", activation="relu")(inputs))
    return keras.Model(inputs, keras.layers.Conv2D(classes, 1, activation="softmax", dtype="float32")(x))
'''
TINY = (
    "dataset.count=24", "dataset.size=32", "dataset.image_size=32", "trainer.epochs=2",
    "split.leak_free=false", "split.similarity=null", "weighting.warmup=1", "report=false",
)  # fmt: skip
OWN = ("loss=mine+ce", "loss.terms.mine.alpha=0.5", "model=net")


def call(*words):
    """A command as another process would run it: it knows no plugin that it is not given."""
    with plugins.isolated():
        code = main([str(word) for word in words])
    return code


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    (folder / "my.py").write_text(MINE)
    words = ("train", f"plugins={folder / 'my.py'}", *OWN, *TINY, f"run_dir={folder / 'run'}")
    assert call(*words) == 0
    return folder


@pytest.fixture
def run(folder, tmp_path, monkeypatch):
    """A copy of the run, in a folder in which nothing says where its plugin is."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(folder / "run", tmp_path / "run")
    return tmp_path / "run"


def test_the_run_has_the_source_and_its_hash(folder):
    assert (folder / "run/plugins/my/my.py").read_text() == MINE
    config = yaml.safe_load((folder / "run/config.yaml").read_text())
    (plugin,) = plugins.activate([str(folder / "my.py")])
    assert config["plugins"] == {"my": {"path": str(folder / "my.py"), "hash": plugin.hash}}
    assert config["loss"]["terms"]["mine"] == {"alpha": 0.5}
    assert config["model"] == {"name": "net", "head": "softmax", "weights": None, "filters": 4}


def test_the_id_is_of_the_content_and_not_of_the_place(folder, tmp_path):
    def id_of(text, place):
        (tmp_path / place).mkdir()
        (tmp_path / place / "my.py").write_text(text)
        with plugins.isolated():
            return identity.run_id(configs.compose([f"plugins={tmp_path / place}/my.py", "loss=mine+ce"]))

    first = id_of(MINE, "a")
    assert id_of(MINE, "b") == first
    assert id_of(MINE.replace("ops.abs", "ops.square"), "c") != first


def test_a_plugin_that_is_not_used_changes_nothing(folder):
    plain = configs.compose(["loss=dice"])
    given = configs.compose([f"plugins={folder / 'my.py'}", "loss=dice"])
    assert given == plain
    assert "plugins" not in given.plain
    assert identity.run_id(given) == identity.run_id(plain)


@pytest.mark.parametrize("how", ["--trust", "plugins={}"])
def test_eval_and_export_with_code_that_the_user_named(folder, run, how):
    word = how.format(folder / "my.py")
    assert call("eval", run, word) == 0
    assert call("export", run, word) == 0


@pytest.mark.parametrize("command", [("eval",), ("export",), ("predict", ".")])
def test_code_of_a_run_folder_is_not_run_unasked(run, command, capsys, monkeypatch):
    if command[0] == "predict":
        (run.parent / "a.png").write_bytes((run / "predictions/test.png").read_bytes())
    (run / "plugins/my/my.py").write_text(MINE + "\nraise SystemExit('it was run')\n")
    plugin = plugins.Plugin.at(run / "plugins/my/my.py")
    text = (run / "config.yaml").read_text()
    said = yaml.safe_load(text)["plugins"]["my"]["hash"]
    (run / "config.yaml").write_text(text.replace(said, plugin.hash))
    status = json.loads((run / "status.json").read_text())
    del status["config"]
    (run / "status.json").write_text(json.dumps(status))
    assert call(command[0], run, *command[1:]) == 2
    error = capsys.readouterr().err
    assert plugin.hash in error
    assert "plugins/my/my.py" in error
    assert "--trust" in error
    assert "it was run" not in error


def test_a_changed_plugin_is_reported(folder, run, capsys, tmp_path):
    (tmp_path / "my.py").write_text(MINE + "# changed\n")
    for command in ("eval", "resume"):
        assert call(command, run, "plugins=my.py") == 2
        error = capsys.readouterr().err
        assert "my.py has changed since run was trained (hash" in error.replace(str(tmp_path) + "/", "")
    assert call("eval", run, "plugins=my.py", "--trust") == 0, "the copy is as it was"


def test_a_copy_that_was_edited_or_is_a_link_is_refused(run, tmp_path):
    config = stored_config.load_run(run)
    copy = run / "plugins/my/my.py"
    copy.write_text(MINE + "# edited\n")
    with raises(PluginError, path=copy, reason="was changed since the run was trained"):
        run_plugins.use(run, config, trust=True)
    copy.unlink()
    with raises(PluginError, path=copy, hint="put it back"):
        run_plugins.use(run, config, trust=True)
    (tmp_path / "elsewhere.py").write_text(MINE)
    copy.symlink_to(tmp_path / "elsewhere.py")
    with raises(RunFolderError, path=copy, reason="is a symbolic link"):
        run_plugins.use(run, config, trust=True)


@pytest.mark.parametrize(
    "entry", [[], "my.py", {"../x": {"hash": "1"}}, {"my": 3}, {"a/b": {"path": "x", "hash": "1"}}]
)
def test_a_damaged_list_of_plugins(run, entry):
    config = stored_config.load_run(run).with_root(plugins=entry)
    if not entry:
        return run_plugins.use(run, config)
    with raises(RunFolderError, path=run / "config.yaml", reason="damaged list of plugins"):
        run_plugins.use(run, config)


def test_compare_and_report_run_no_code(folder, run, tmp_path, capsys):
    shutil.copytree(run, tmp_path / "other")
    assert call("report", run) == 0
    assert call("compare", run, tmp_path / "other") in (0, 2)  # two copies of one run are no comparison
    assert plugins.PREFIX + "my" not in sys.modules
    assert "error: unexpected" not in capsys.readouterr().err


def test_a_network_with_layers_of_nobody_known(folder, capsys, tmp_path):
    words = ("train", *TINY, f"model.weights={folder / 'run'}", f"run_dir={tmp_path / 'new'}")
    assert call(*words) == 1
    assert "has layers that are not known here (Scale): give the file" in capsys.readouterr().err


def test_the_settings_of_a_project_are_words_of_every_command(folder, tmp_path, monkeypatch):
    (tmp_path / "configs/model").mkdir(parents=True)
    (tmp_path / "configs/model/small.yaml").write_text("defaults: [net, _self_]\nfilters: 2\n")
    (tmp_path / "my.py").write_text(MINE)
    (tmp_path / "dmf.toml").write_text('plugins = ["my.py"]\nconfig_dir = "configs"\n')
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    words = _plugins.applied("train", ["loss=mine", "model=small"])
    assert words == [
        "loss=mine", "model=small", f"plugins=[{tmp_path / 'my.py'}]", "--config-dir",
        str(tmp_path / "configs"),
    ]  # fmt: skip
    assert completion.complete("dmf train model=sm") == ["model=small"]
    assert _plugins.applied("predict", ["run", "a.png"]) == ["run", "a.png"]
    assert _plugins.applied("compare", ["a", "b"]) == ["a", "b"]
    both = _plugins.applied("train", ["plugins=../my.py", "-cd", "x"])
    assert both == ["-cd", "x", f"plugins=[{tmp_path / 'my.py'}]"]


def test_it_is_listed_helped_and_completed(folder, capsys):
    word = f"plugins={folder / 'my.py'}"
    assert call("list", "losses", word) == 0
    assert "mine           How far the probabilities are off" in capsys.readouterr().out
    assert call("train", word, *OWN, "--help") == 0
    text = capsys.readouterr().out
    assert "loss.terms.mine.alpha" in text
    assert "(float) a factor" in text
    assert "that of my.py, line " in text
    with plugins.isolated():
        assert completion.complete(f"dmf train {word} loss=ce+mi") == ["loss=ce+mine"]
        assert completion.complete(f"dmf train {word} model=ne") == ["model=net"]
        assert completion.complete(f"dmf train {word} loss=mine loss.terms.mine.") == [
            "loss.terms.mine.alpha="
        ]


def test_a_wrong_value_of_a_parameter_is_one_line(folder):
    from dmf_cli.errors import ConfigError, UnknownNameError

    word = f"plugins={folder / 'my.py'}"
    with raises(ConfigError, key="loss.terms.mine.alpha", value="much"):
        configs.compose([word, "loss=mine", "loss.terms.mine.alpha=much"])
    with raises(UnknownNameError, key="loss.terms.mine.alpa"):
        configs.compose([word, "loss=mine", "loss.terms.mine.alpa=1"])
    with raises(PluginError, key="plugins", value="3"):
        configs.compose(["plugins=3"])
