"""Every key of every option with values that make no sense: one line each, and nothing absurd is accepted."""

import copy
import math
import typing

import pytest

from dmf_cli import conf_files, config
from dmf_cli.config import checks, composer, dataset_schema, fields, lengths, schema
from dmf_cli.datasets import KINDS
from dmf_cli.datasets.sources.phantom.scan import TASKS
from dmf_cli.errors import ConfigError, DmfError
from dmf_cli.parameters import bounds
from dmf_cli.parts.definitions import of_package
from tests.keys import keys_of

VALUES = ([], {}, None, "", -1, 10**20, 1e20, math.nan, [math.nan], [1, [2]], {"a": []}, True)
NEVER = (10**20, 1e20, "", [1, [2]])  # whatever the key
SCHEMA = (schema.Root, dataset_schema.Published, schema.Model, schema.Weighting, *schema.PLAIN.values())
SCHEMA += (
    *dataset_schema.DATASETS.values(),
    *(kind for kinds in schema.NAMED.values() for kind in kinds.values()),
)
MEANT = {"dataset": ["folder", "table", "tfds"], "metrics": ["full"], "tracker": ["mlflow", "tensorboard"]}
GIVEN = {"folder": ["dataset.dir=/x"], "table": ["dataset.table=/x.csv"], "tfds": ["dataset.name=x"]}

MEANINGLESS = [
    (["dataset.image_size=[1,1]"], r"image_size is \[1, 1\]: give sides of 8 pixels or more"),
    (["dataset.patch=4"], "patch is 4: give sides of 8 pixels or more"),
    (["schedule=plateau", "schedule.min_lr=1e30"], r"min_lr is 1e\+30: give .* 1,000 at most"),
    (["schedule=plateau", "schedule.min_lr=0.5"], "and optimizer.learning_rate is .*: give .* at most"),
    (["metrics=full", "metrics.tolerance=1e300"], "give a number of 0 or above, 16,384 at most"),
    (["model.filters=100000"], "give a whole number from 1 to 4096"),
    (["weighting=var", "weighting.window=12345678901234"], "from 2 to 1000000"),
    (["loss.coefficients.bce=1e300"], r"bce is 1e\+300: give a number from 1e-09 to 1000000"),
    (["loss.coefficients.bce=1e-300"], "give a number from 1e-09 to 1000000"),
    (["trainer.patience=12345678901234"], "of 1 or above, or null, 1,000,000 at most"),
    (["loss=dice", "loss.terms.dice.class_weights=[1,1e8]"], "0 or above, or null, 1,000,000 at"),
    (["loss=cldice", "loss.terms.cldice.iterations=100000"], "of 0 or above, 100 at most"),
    (["weighting=stch", "weighting.ideal=1e9"], "ideal is 1000000000.0: give a number, or a list"),
    (["~loss.terms.bce", "~loss.terms.cbdice"], "the loss has no terms"),
    (["dataset.count=1e20"], r"dataset.count is 1e\+20: give a whole number from 3 to 1000000"),
]  # fmt: skip
LISTS = [
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
    (["tracker=tensorboard", "tracker.every=100000000000000000000"], "0 or above, 1,000,000 at most"),
    (["dataset=folder", "dataset.dir="], r"dataset.dir is '': give a text \(it is empty: a variable"),
]  # fmt: skip


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
    for path in [path for path in keys_of(base) if path[0] == group or option == "unet"]:
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


def numbers(hint):
    """The annotations of numbers in ``hint``."""
    arguments = [one for one in typing.get_args(hint) if one is not Ellipsis]
    if hint in (int, float) or (arguments and arguments[0] in (int, float) and hasattr(hint, "__metadata__")):
        yield hint
    elif typing.get_origin(hint) is not typing.Literal:
        yield from (number for one in arguments for number in numbers(one))


def keys():
    """Name of a key -> its annotation, of every key of a config and every parameter of a part."""
    for kind in SCHEMA:
        yield from ((f"{kind.__name__}.{key}", hint) for key, hint in fields.of_class(kind).items())
    for kind in ("loss", "strategy", "model", "augmentation"):
        for name, part in of_package(kind).items():
            yield from ((f"{name}.{key}", hint) for key, hint in part.hints.items())


def test_every_number_of_a_config_has_a_range_with_two_ends():
    found = [(key, number) for key, hint in keys() for number in numbers(hint)]
    assert len(found) > 200
    for key, number in found:
        sides = bounds(number)
        assert {"ge", "gt"} & sides.keys(), f"{key} has no lower end"
        assert {"le", "lt"} & sides.keys(), f"{key} has no upper end"
        assert max(map(abs, sides.values())) <= 2**32, key


@pytest.mark.parametrize(("words", "says"), MEANINGLESS)
def test_what_means_nothing_is_refused_before_anything_is_made(words, says):
    with pytest.raises(ConfigError, match=says):
        config.compose(words)


@pytest.mark.parametrize(
    "group", ["augment", "metrics", "optimizer", "schedule", "tracker", "model", "weighting"]
)
@pytest.mark.parametrize("value", ["[]", "{}", "[a]", "null", "5"])
def test_a_name_that_is_no_name_is_one_line(group, value):
    with pytest.raises(ConfigError, match=rf"{group}"):
        config.compose([f"{group}.name={value}"])


@pytest.mark.parametrize(("words", "says"), LISTS)
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
    assert set(dataset_schema.DATASETS) == set(KINDS)


def test_a_sweep_does_not_begin_with_a_wrong_job():
    from dmf_cli.sweeps.jobs import plan

    words = ["loss=ce", "loss.terms.ce.class_weights=[1,2],[1,2,3]"]
    assert len(composer.sweep(words).jobs) == 2
    with pytest.raises(ConfigError, match="give 2 numbers"):
        plan(words)
