"""The config of a run as an object."""

import pytest

from dmf_cli import config
from dmf_cli.config.typed import Config
from dmf_cli.errors import ConfigError


def test_a_group_is_an_object_and_a_list_a_tuple():
    made = Config(config.compose(["optimizer=sgd", "trainer.epochs=3"]))
    assert (made.trainer.epochs, made.epochs, made.seed) == (3, 3, 0)
    assert made.optimizer.nesterov is False
    assert made.changed("trainer", epochs=5).trainer.epochs == 5


@pytest.mark.parametrize(
    ("group", "changes", "says"),
    [
        ("trainer", {"later": 1}, "unknown key 'trainer.later'"),
        ("trainer", {"epohcs": 1}, "did you mean 'epochs'"),
        ("optimizer", {"name": "lion"}, "unknown optimizer.name 'lion'"),
    ],
)
def test_what_a_later_version_wrote_is_one_line(group, changes, says):
    plain = config.compose()
    with pytest.raises(ConfigError, match=says):
        getattr(Config({**plain, group: {**plain[group], **changes}}), group)


def test_a_key_that_an_earlier_version_lacks_is_named_unless_it_has_a_default():
    plain = config.compose()
    early = {key: value for key, value in plain["trainer"].items() if key not in ("cache", "oversample")}
    assert Config({**plain, "trainer": early}).trainer.oversample == 0
    with pytest.raises(ConfigError, match=r"trainer\.patience is missing"):
        _ = Config({**plain, "trainer": {k: v for k, v in early.items() if k != "patience"}}).trainer
