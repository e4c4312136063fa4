"""Keyword arguments say what words say, whatever is in them."""

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

import dmf_cli
from dmf_cli.api import frames, objects, words
from dmf_cli.config import composer
from dmf_cli.errors import ConfigError, RunFolderError, UnknownNameError, UsageError
from tests.raised import raises

PARSER = OverridesParser.create()
LETTERS = st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="$")
TEXTS = st.text(LETTERS, min_size=1, max_size=12)


def test_groups_keys_and_dotted_names_are_one_config():
    asked = words.of(
        {
            "loss": "0.7*dice+0.3*bce",
            "weighting": {"name": "mad", "window": 9},
            "trainer": {"epochs": np.int64(3), "jit": False},
            "optimizer.learning_rate": 1e-5,
            "backend": "jax",
            "dataset": {"image_size": (64, 48)},
            "loss.terms": {"dice": {"smooth": 1e-4}},
            "split": {"file": None},
            "run_dir": Path("my runs/it's"),
        },
        ["seed=4"],
    )
    config = composer.compose(asked)
    assert config.loss.coefficients == {"dice": 0.7, "bce": 0.3}
    assert config.loss.terms["dice"]["smooth"] == 1e-4
    assert (config.weighting.name, config.weighting.params["window"]) == ("mad", 9)
    assert (config.trainer.epochs, config.trainer.jit, config.trainer.backend) == (3, False, "jax")
    assert (config.optimizer.learning_rate, config.dataset.image_size) == (1e-5, [64, 48])
    assert (config.split.file, config.run_dir, config.seed) == (None, "my runs/it's", 4)


@given(TEXTS)
def test_any_text_arrives_as_it_is(text):
    (word,) = PARSER.parse_overrides(words.of({"run_dir": text}))
    assert (word.value(), word.is_sweep_override()) == (text, False)


@given(st.lists(TEXTS, min_size=2, max_size=3, unique=True))
def test_any_texts_can_be_swept(texts):
    (choice,) = PARSER.parse_overrides(words.of({"run_dir": texts}, swept=True))
    jobs = [f"run_dir={value}" for value in choice.sweep_string_iterator()]
    assert [word.value() for word in PARSER.parse_overrides(jobs)] == texts


def test_a_mapping_of_a_key_stays_one_and_a_tuple_is_no_choice():
    asked = words.of(
        {
            "dataset": {"name": "folder", "values": {"lesion": [1, 2]}},
            "seed": range(2),
            "loss": ["ce", "dice"],
        },
        swept=True,
    )
    assert asked == ["dataset=folder", "dataset.values={lesion:[1,2]}", "seed=0,1", "loss=ce,dice"]
    assert words.of({"dataset.image_size": [(32, 32), 64]}, swept=True) == ["dataset.image_size=[32,32],64"]


def test_what_is_searched_is_not_quoted():
    space = {"optimizer.learning_rate": "tag(log,interval(1e-4,1e-2))", "model.filters": [4, 8]}
    assert words.of(space, searched=True) == [
        "optimizer.learning_rate=tag(log,interval(1e-4,1e-2))",
        "model.filters=4,8",
    ]


@pytest.mark.parametrize(("value", "swept"), [(object(), False), ([], True)])
def test_what_no_config_can_hold_is_an_error(value, swept):
    with raises(ConfigError, key="seed"):
        words.of({"seed": value}, swept=swept)


def test_an_unknown_key_names_the_closest():
    with raises(UnknownNameError, key="losss"):
        composer.compose(words.of({"losss": "ce"}))


# --- parts and configs of a project ---


def test_each_call_has_the_plugins_that_it_is_given(tmp_path):
    """Of two projects with a file of one name, in one notebook."""
    for folder, default in (("a", 0.25), ("b", 0.75)):
        (tmp_path / folder).mkdir()
        head = "import dmf_cli\n\n\n@dmf_cli.loss\n"
        text = f"{head}def mine(y_true, y_pred, *, a={default}):\n    return a\n"
        (tmp_path / folder / "my.py").write_text(text)
        asked = words.of(objects.named({"loss": "mine"}))
        config = composer.compose([*asked, *objects.own_words(tmp_path / folder / "my.py", None)])
        assert config.loss.terms["mine"] == {"a": default}


def test_plugins_and_configs_of_the_call_and_of_the_project_are_known(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("mine", "theirs"):
        head = "import dmf_cli\n\n\n@dmf_cli.loss\n"
        (tmp_path / f"{name}.py").write_text(f"{head}def {name}(y_true, y_pred, *, a=0.5):\n    return a\n")
    (tmp_path / "dmf.toml").write_text('plugins = ["theirs.py"]\nconfig_dir = "own"\n')
    (tmp_path / "own/weighting").mkdir(parents=True)
    (tmp_path / "own/weighting/slow.yaml").write_text("defaults: [var]\nwindow: 77\n")
    asked = words.of({"loss": "mine+theirs", "weighting": "slow"})
    config = composer.compose([*asked, *objects.own_words("mine.py", None)])
    assert sorted(config.plugins) == ["mine", "theirs"]
    assert config.weighting.params["window"] == 77
    with raises(UsageError, key="--config-dir"):
        objects.own_words((), tmp_path / "no")


def test_what_type_checkers_are_told_is_what_there_is():
    stub = ast.parse(Path(dmf_cli.__file__).with_suffix(".pyi").read_text())
    named = {alias.name for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert named == {*dmf_cli.__all__, "errors"}
    assert all(callable(getattr(dmf_cli, name)) for name in named - {*dmf_cli._MODULES})


def test_the_functions_leave_the_choice_of_the_backend():
    code = (
        "import dmf_cli, sys; dmf_cli.train, dmf_cli.load; print({'keras', 'tensorflow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


# --- tables ---


def test_a_table_is_columns_of_arrays_or_a_data_frame(monkeypatch, tmp_path):
    (tmp_path / "a.csv").write_text("id,x,y\n007,1,\n008,2,3\n")
    plain = frames.read(tmp_path / "a.csv", "")
    assert plain["id"].tolist() == ["007", "008"]
    np.testing.assert_array_equal(plain["y"], [np.nan, 3.0])
    monkeypatch.setattr(frames.importlib.util, "find_spec", lambda name: name == "pandas")
    monkeypatch.setattr(frames.importlib, "import_module", lambda name: Pandas)
    assert isinstance(frames.frame({"a": [1]}), Pandas.DataFrame)


class Pandas:
    class DataFrame(dict):
        pass


def test_a_column_of_numbers_and_nothing_keeps_the_numbers():
    made = frames.of_rows(["p", "same"], [[0.5, ""], [0.25, True]])
    assert made["p"].dtype == float
    assert made["same"].tolist() == ["", True]
    assert frames.of_rows(["p"], [])["p"].shape == (0,)


def test_a_table_that_is_not_there_says_what_writes_it(tmp_path):
    with raises(RunFolderError, path=tmp_path / "no.csv", hint="train"):
        frames.read(tmp_path / "no.csv", "train first")
