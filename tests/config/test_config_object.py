"""The config of a run as an object."""

import dataclasses

import pytest

from dmf_cli import config
from dmf_cli.config import dataset_schema
from dmf_cli.config.typed import Config
from dmf_cli.errors import ConfigError, UnknownNameError
from tests.raised import raises


def test_a_group_is_an_object_and_a_list_a_tuple():
    made = config.compose(["optimizer=sgd", "trainer.epochs=3"])
    assert (made.trainer.epochs, made.epochs, made.seed) == (3, 3, 0)
    assert made.optimizer.nesterov is False
    assert made.split.fractions == (0.7, 0.15, 0.15)
    assert made.changed("trainer", epochs=5).trainer.epochs == 5


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ([], dataset_schema.Phantom),
        (["dataset=busi"], dataset_schema.Published),
        (["dataset=folder", "dataset.dir=x"], dataset_schema.OwnFolder),
        (["dataset=oxford_pets"], dataset_schema.Tfds),
    ],
)
def test_a_dataset_is_the_object_of_its_kind_with_all_that_its_group_says(words, kind):
    made = config.compose(words)
    assert type(made.dataset) is kind
    assert dataclasses.asdict(made.dataset) == made.plain["dataset"]


@pytest.mark.parametrize(
    ("group", "changes", "key"),
    [
        ("trainer", {"later": 1}, "trainer.later"),
        ("trainer", {"epohcs": 1}, "trainer.epohcs"),
        ("optimizer", {"name": "lion"}, "optimizer.name"),
        ("dataset", {"kind": "zip"}, "dataset.kind"),
    ],
)
def test_what_a_later_version_wrote_is_one_line(group, changes, key):
    with raises(UnknownNameError, key=key):
        getattr(config.compose().changed(group, **changes), group)


def test_a_key_that_an_earlier_version_lacks_is_named_unless_it_has_a_default():
    made = config.compose()
    early = {k: v for k, v in made.plain["trainer"].items() if k not in ("cache", "oversample")}
    assert made.with_group("trainer", early).trainer.oversample == 0
    del early["patience"]
    with raises(ConfigError, key="trainer.patience", reason="is missing"):
        _ = made.with_group("trainer", early).trainer


def test_a_split_of_the_first_version_is_a_plain_random_one():
    first = {"seed": 42, "fractions": [0.7, 0.15, 0.15], "stratify": True, "file": None}
    split = Config({"split": first}).split
    assert (split.leak_free, split.folds, split.fold) == (False, None, 0)
