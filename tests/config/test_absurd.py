"""Every key of every option with values that make no sense: one line each, and nothing absurd is accepted."""

import copy
import math

import pytest

from dmf_cli import conf_files, config
from dmf_cli.config import checks, composer, lengths, schema
from dmf_cli.datasets import KINDS
from dmf_cli.datasets.sources.phantom.scan import TASKS
from dmf_cli.errors import ConfigError, DmfError

VALUES = ([], {}, None, "", -1, 10**20, 1e20, math.nan, [math.nan], [1, [2]], {"a": []}, True)
NEVER = (10**20, 1e20, "", [1, [2]])  # whatever the key
MEANT = {"dataset": ["folder", "table", "tfds"], "metrics": ["full"], "tracker": ["mlflow", "tensorboard"]}
GIVEN = {"folder": ["dataset.dir=/x"], "table": ["dataset.table=/x.csv"], "tfds": ["dataset.name=x"]}


def leaves(node, prefix=()):
    for key, value in node.items():
        yield (*prefix, key)
        if isinstance(value, dict):
            yield from leaves(value, (*prefix, key))


def refused(values):
    """What is said of a config; empty if nothing is wrong with it."""
    try:
        checks.validate(values)
    except DmfError as error:
        return str(error)
    return ""


def options():
    """Each option of each group; sums of losses are of single terms."""
    for group in conf_files.groups():
        if group != "experiment":
            yield from ((group, option) for option in conf_files.options(group))


@pytest.mark.parametrize(("group", "option"), list(options()))
def test_no_key_takes_what_makes_no_sense(group, option):
    base = config.compose([f"{group}={option}", *GIVEN.get(option, [])]).plain
    for path in [path for path in leaves(base) if path[0] == group or option == "unet"]:
        for value in VALUES:
            changed = copy.deepcopy(base)
            node = changed
            for key in path[:-1]:
                node = node[key]
            node[path[-1]] = value
            said = refused(changed)
            # Values of a label map are held against the classes when the images are opened.
            if value in NEVER and path[:2] != ("dataset", "values"):
                assert said, f"{'.'.join(path)}={value!r} is accepted"
            assert "\n" not in said


@pytest.mark.parametrize(
    "group", ["augment", "metrics", "optimizer", "schedule", "tracker", "model", "weighting"]
)
@pytest.mark.parametrize("value", ["[]", "{}", "[a]", "null", "5"])
def test_a_name_that_is_no_name_is_one_line(group, value):
    with pytest.raises(ConfigError, match=rf"{group}"):
        config.compose([f"{group}.name={value}"])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["loss=dice", "loss.terms.dice.class_weights=[1]"], "give 2 numbers, one a class"),
        (["loss=ce+dice", "loss.terms.ce.class_weights=[1,2,3]"], "ce.class_weights is .*give 2 numbers"),
        (["dataset.task=type", "loss=ce", "loss.terms.ce.class_weights=[1,2]"], "give 3 numbers"),
        (["model.head=sigmoid", "loss=dice", "loss.terms.dice.class_weights=[1,2]"], "give 1 number,"),
        (["model.head=sigmoid", "loss=bce", "loss.terms.bce.class_weights=[1]"], "give 2 numbers"),
        (["auxiliary=lovasz", "auxiliary.params.class_weights=[1,2,3]"], "auxiliary.params.class_weights"),
        (["loss=dice", "loss.terms.dice.class_weights=[0,0]"], "at least one number above 0"),
        (["loss=dice", "loss.terms.dice.class_weights=[-1,1]"], "a list, each a number of 0 or above"),
        (["dataset=folder", "dataset.dir=/x", "dataset.classes=[a,b,c]", "loss=ce",
          "loss.terms.ce.class_weights=[1,2]"], "give 3 numbers"),
        (["weighting=stch", "weighting.ideal=[0.1]"], r"give one number, or 2, one a term \(cbdice, bce\)"),
        (["weighting=lr_annealing", "weighting.reference_term=2"], "give 0 to 1"),
        (["weighting.floor=0.6"], "give at most 0.5"),
        (["weighting.ceiling=0.4"], "give at least 0.5"),
        (["~dataset.image_size"], "dataset.image_size is missing"),
        (["dataset.kind=fodler"], "did you mean 'folder'"),
        (["trainer.epochs=100000000000000000000"], "from 1 to 1000000, or auto$"),
        (["tracker=tensorboard", "tracker.every=100000000000000000000"], "0 or above, 1,000,000,000 at most"),
        (["dataset=folder", "dataset.dir="], r"dataset.dir is '': give a text \(it is empty: a variable"),
    ],
)  # fmt: skip
def test_lists_fit_classes_and_terms_when_the_config_is_composed(words, says):
    with pytest.raises(ConfigError, match=says):
        config.compose(words)


def test_lists_that_fit_are_accepted():
    config.compose(
        ["loss=ce+dice", "loss.terms.ce.class_weights=[1,2]", "loss.terms.dice.class_weights=[0,1]"]
    )
    config.compose(["dataset=tfds", "dataset.name=x", "loss=ce", "loss.terms.ce.class_weights=[1,2]"])
    config.compose(["model.head=sigmoid", "loss=dice", "loss.terms.dice.class_weights=[1]"])
    config.compose(["weighting.floor=0.5", "weighting.ceiling=0.5", "seed=4294967295"])


def test_what_is_known_of_datasets_here_is_what_they_are():
    assert {task: len(names) for task, names in TASKS.items()} == lengths.TASKS
    assert set(schema.DATASETS) == set(KINDS)


def test_a_sweep_does_not_begin_with_a_wrong_job():
    from dmf_cli.sweeps.jobs import plan

    words = ["loss=ce", "loss.terms.ce.class_weights=[1,2],[1,2,3]"]
    assert len(composer.sweep(words).jobs) == 2
    with pytest.raises(ConfigError, match="give 2 numbers"):
        plan(words)
