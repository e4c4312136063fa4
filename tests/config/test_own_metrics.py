"""``metrics=full+mine``: metrics of plugins as words, keys and values of the config."""

import pytest

from dmf_cli import config
from dmf_cli.cli import completion
from dmf_cli.cli import list as listing
from dmf_cli.config import keys, own_metrics
from dmf_cli.config.schema import FullMetrics
from dmf_cli.errors import ConfigError, PluginError, UnknownNameError
from dmf_cli.parts import plugins
from dmf_cli.run_folder.identity import run_id
from tests.raised import raises

SOURCE = '''
import dmf_cli


@dmf_cli.metric(better="low")
def mine(truth, prediction, *, spacing=None, tolerance: float = 2.0):
    """Difference of the areas.

    Args:
        tolerance: pixels that do not count.

    Source: a book.
    """


@dmf_cli.metric(better="high")
def other(counts):
    """Another."""
'''


@pytest.fixture(autouse=True)
def lab(tmp_path):
    file = tmp_path / "lab.py"
    file.write_text(SOURCE)
    with plugins.isolated():
        plugins.activate([str(file)])
        yield file


def own(*words):
    return config.compose(words).plain["metrics"].get("own")


def test_an_expression_chooses_them_with_their_defaults():
    found = config.compose(["metrics=full+mine+other", "metrics.own.mine.tolerance=3", "metrics.bins=9"])
    assert isinstance(found.metrics, FullMetrics)
    assert found.metrics.bins == 9
    assert found.metrics.own == {"mine": {"tolerance": 3}, "other": {}}
    assert found.plain["metrics"]["name"] == "full"
    assert own("metrics=other+default") == {"other": {}}  # in any order
    assert config.override(found, ["metrics.own.mine.tolerance=4"]).metrics.own["mine"] == {"tolerance": 4}


def test_a_run_without_any_is_what_it_was():
    plain = config.compose()
    assert "own" not in plain.plain["metrics"]
    assert plain.metrics.own == {}
    assert run_id(plain) != run_id(config.compose(["metrics=default+mine"]))


def test_the_plugin_is_in_the_config_only_where_its_metric_is(lab):
    assert list(config.compose(["metrics=default+mine"]).plain["plugins"]) == ["lab"]
    assert "plugins" not in config.compose().plain


@pytest.mark.parametrize(
    ("words", "kind", "fields"),
    [
        (["metrics=default+mien"], UnknownNameError, {"key": "metric", "value": "mien", "hint": ""}),
        (["metrics=mine"], ConfigError, {"hint": "write metrics=default+mine"}),
        (["metrics=default+full+mine"], ConfigError, {"hint": "write metrics=default+mine"}),
        (["metrics=full+mine+mine"], ConfigError, {"what": "twice", "hint": "write metrics=full+mine"}),
        (["metrics=default+"], ConfigError, {"what": "lacks a name beside a +"}),
        (["metrics=default+hd95"], ConfigError, {"what": "'hd95' of dmf", "hint": "dmf list metrics"}),
        (["metrics.own.mine.tolerance=3"], ConfigError, {"hint": "as metrics=default+mine"}),
        (
            ["metrics=full+other", "metrics.own.mine.tolerance=3"],
            ConfigError,
            {"hint": "metrics=default+mine"},
        ),
        (
            ["metrics=full+mine", "metrics.own.mine.tolrance=3"],
            UnknownNameError,
            {"key": "metrics.own.mine.tolrance", "value": "tolrance"},
        ),
        (
            ["metrics=full+mine", "metrics.own.mine.spacing=3"],
            UnknownNameError,
            {"key": "metrics.own.mine.spacing"},
        ),
        (
            ["metrics=full+mine", "metrics.own.mine.tolerance=x"],
            ConfigError,
            {"key": "metrics.own.mine.tolerance", "value": "x"},
        ),
        (["metrics=full+mine", "metrics.own.mine=null"], ConfigError, {"key": "metrics.own.mine"}),
        (["+metrics.own=3"], ConfigError, {"key": "metrics.own", "value": 3}),
    ],
)
def test_a_wrong_word_is_one_line(words, kind, fields):
    with raises(kind, **fields) as caught:
        config.compose(words)
    assert "\n" not in str(caught.value)


def test_without_a_plugin_the_message_says_how_to_give_one():
    with plugins.isolated():
        plugins._active.clear()
        with raises(UnknownNameError, hint="plugins=my.py"):
            config.compose(["metrics=default+mine"])


@pytest.mark.parametrize("name", ["counts", "lesions", "hd95_mm", "full"])
def test_a_name_of_the_tables_is_taken(tmp_path, name):
    file = tmp_path / "more.py"
    file.write_text(
        f"import dmf_cli\n\n\n@dmf_cli.metric(better='low')\ndef {name}(truth, prediction):\n    pass\n"
    )
    plugins.activate([str(file)])
    with raises(PluginError, key="metric", value=name, what="more.py, line 5"):
        config.compose([f"metrics=default+{name}"])


def test_help_completion_and_the_list_know_them():
    choices = {**keys.default_choices(), "metrics": "full+mine"}
    assert keys.meanings(choices)["metrics.own.mine.tolerance"] == "(float) pixels that do not count"
    assert "metrics.bins" in keys.meanings(choices)
    assert completion.complete("dmf train metrics=full+m") == ["metrics=full+mine"]
    assert completion.complete("dmf train metrics=full+mine+") == ["metrics=full+mine+other"]
    assert "metrics.own.mine.tolerance=" in completion.complete(
        "dmf train metrics=full+mine metrics.own.mine."
    )
    assert completion.complete("dmf compare outputs --metric mi") == ["mine"]
    assert ("mine", "Difference of the areas", "a book") in listing.rows("metrics")
    assert own_metrics.parse("default") == ("default", ())
