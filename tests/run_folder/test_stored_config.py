"""A config.yaml that was cut off is YAML all the same, and no run."""

import copy

import pytest
import yaml

from dmf_cli import config
from dmf_cli.cli.main import main
from dmf_cli.config import stored
from dmf_cli.config.typed import Config
from dmf_cli.errors import ConfigError, RunFolderError
from dmf_cli.run_folder import stored_config
from dmf_cli.run_folder.config_hash import group_hashes
from tests.keys import keys_of
from tests.raised import raises

TEXT = config.to_yaml(config.compose(["loss=dice"]))
LINES = TEXT.splitlines(keepends=True)


@pytest.mark.parametrize("kept", range(1, len(LINES)))
def test_a_config_that_lacks_lines_is_told_in_one_line(tmp_path, kept):
    (tmp_path / "config.yaml").write_text("".join(LINES[:kept]))
    with pytest.raises(RunFolderError, match=r"config\.yaml (is not whole \(.* is missing\)|cannot be read)"):
        stored_config.load_run(tmp_path)


def test_a_config_that_lacks_a_part_of_its_last_line(tmp_path):
    (tmp_path / "config.yaml").write_text(TEXT[:-3])
    with raises(RunFolderError, reason="the end of its last line is missing"):
        stored_config.load_run(tmp_path)
    (tmp_path / "config.yaml").write_text(TEXT)
    assert stored_config.load_run(tmp_path).plain["eval"]["resolution"] == "original"


@pytest.mark.parametrize(
    "words",
    [
        ["predict", "RUN", "RUN"],
        ["replay", "RUN", "weighting=var"],
        ["eval", "RUN"],
        ["export", "RUN"],
        ["resume", "RUN"],
        ["compare", "RUN"],
        ["report", "RUN"],
    ],
)
def test_every_command_that_reads_a_run_says_so(tmp_path, capsys, words):
    (tmp_path / "config.yaml").write_text("".join(LINES[: len(LINES) // 2]))
    (tmp_path / "status.json").write_text('{"state": "completed"}')
    rows = "".join(f"{step},1,0.5,0,0,0.5,1\n" for step in range(1, 200))
    (tmp_path / "steps.csv").write_text(f"step,epoch,loss,gamma,aux,loss.dice,weight.dice\n{rows}")
    code = main([str(tmp_path) if word == "RUN" else word for word in words])
    out, err = capsys.readouterr()
    said = [line for line in err.splitlines() if "config.yaml is not whole" in line]
    assert len(said) == 1
    assert "unexpected" not in err + out
    # A report shows what is there, and says what is not; a comparison has nothing left to compare.
    assert (code, words[0]) in [(0, "report"), (2, words[0])]


WRONG = ("word", -1.5, [], {}, [{"a": 1}], None, True, 10**400, {1: {2: 3}})


def refused(values):
    """What is said of the config of a run; empty where all of it can be used."""
    try:
        stored.check(values)
        read = Config(values)
        assert all([read.trainer, read.split, read.model, read.loss, read.metrics, read.optimizer])
        assert all([read.dataset, read.schedule, read.augment, read.weighting, read.predict, read.root])
    except ConfigError as error:
        return str(error)
    assert isinstance(read.augment.name, str)
    return ""


@pytest.mark.parametrize("wrong", WRONG, ids=[str(number) for number in range(len(WRONG))])
def test_a_value_of_a_wrong_kind_is_one_line_whatever_its_key(wrong):
    """Runs of an earlier version do not say what their config was, so that an edited one is not known."""
    whole = config.compose(["loss=dice+bce", "augment=affine", "schedule=plateau", "metrics=full"]).plain
    for path in [path for path in keys_of(whole) if len(path) > 1]:
        changed = copy.deepcopy(whole)
        node = changed
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = wrong
        assert "\n" not in refused(changed)
        group_hashes(changed)


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("split.folds", "x", "split.folds is 'x': give a whole number"),
        ("trainer.epochs", "many", "trainer.epochs is 'many'"),
        ("model.filters", [1], "model.filters is [1]"),
        ("loss.terms.dice", 5, "loss.terms.dice"),
        ("weighting.name", 5, "weighting.name is 5: give a text"),
        ("dataset.image_size", "big", "dataset.image_size is 'big'"),
        ("dataset.kind", {}, "unknown dataset.kind"),
        ("optimizer", "adam", "the keys of optimizer is missing"),
        ("plugins", ["x"], "plugins is ['x']"),
    ],
)
def test_the_line_names_file_key_and_value(tmp_path, key, value, says):
    changed = yaml.safe_load(TEXT)
    *above, last = key.split(".")
    node = changed
    for group in above:
        node = node[group]
    node[last] = value
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(changed))
    with pytest.raises((ConfigError, RunFolderError)) as caught:
        stored_config.load_run(tmp_path)
    assert str(caught.value).startswith(str(tmp_path / "config.yaml"))
    assert says in str(caught.value)


def test_a_number_that_is_out_of_range_today_is_read_all_the_same(tmp_path):
    changed = yaml.safe_load(TEXT)
    changed["trainer"]["epochs"] = 10**12
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(changed))
    assert stored_config.load_run(tmp_path).trainer.epochs == 10**12


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("name: phantom", 'name: "${oc.env:HOME}"', "an interpolation"),
        ("name: phantom", r'name: "\x24{oc.env:HOME}"', "an interpolation"),
        ("name: phantom", "name: ${seed}", "an interpolation"),
        ("name: phantom", r'name: "phantom\nimport os"', "which holds a control character"),
        ("name: phantom", r'name: "\e[2Jphantom"', "which holds a control character"),
        ("seed: 0", r'"se\red": 0', "which holds a control character"),
    ],
)
def test_a_value_is_taken_as_it_stands_and_has_no_control_characters(tmp_path, before, after, reason):
    assert f"{before}\n" in TEXT
    (tmp_path / "config.yaml").write_text(TEXT.replace(f"{before}\n", f"{after}\n", 1))
    with raises(RunFolderError, path=tmp_path / "config.yaml", what=reason) as caught:
        stored_config.load_run(tmp_path)
    assert str(caught.value).isprintable()


def test_no_new_run_has_control_characters_in_its_config():
    with raises(ConfigError, key="output_root", reason="which holds a control character"):
        config.compose(['output_root="a\nb"'])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("filters: 12", "filtres: 12"),
        ("name: unet", "name: os.system"),
    ],
)
def test_whoever_goes_by_the_config_of_a_run_checks_its_values(tmp_path, before, after):
    assert f"{before}\n" in TEXT
    (tmp_path / "config.yaml").write_text(TEXT.replace(f"{before}\n", f"{after}\n", 1))
    stored_config.load_run(tmp_path)
    with raises(RunFolderError, what=f"{tmp_path / 'config.yaml'}: "):
        stored_config.load_checked(tmp_path)
    (tmp_path / "config.yaml").write_text(TEXT)
    assert stored_config.load_checked(tmp_path) == stored_config.load_run(tmp_path)
