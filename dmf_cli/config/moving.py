"""Settings of a run that may differ when it is resumed or extended: places, and for the latter its length."""

from collections.abc import Mapping, Sequence
from typing import Any

from dmf_cli.config import composer, dataset_schema
from dmf_cli.config.typed import Config
from dmf_cli.errors import ConfigError

# Where things are decides nothing: the content of images and split is compared. On how many devices the same
# steps are computed decides no more than their rounding.
PLACES = ("dataset.dir", "dataset.data_dir", "split.file", "output_root", "trainer.devices", "trainer.hosts")
TABLE = "dataset.table"  # of `kind: table` a place too; of folders a mapping, which says who is who
POLICIES = ("continue", "restart")  # of the schedule of a run that is extended


def changed(config: Config, words: Sequence[str], allowed: Sequence[str], otherwise: str) -> Config:
    """``config`` of a run with ``KEY=VALUE`` for keys among ``allowed``; every other value is as it was.

    Args:
        config: of the run, as it is stored.
        words: of the command line.
        allowed: dotted keys.
        otherwise: what to do for another key, for the error.

    Raises:
        ConfigError: another key, or a wrong value.
    """
    keys = [word.partition("=")[0] for word in words]
    allowed = [*allowed, *_table(config)]
    for key, word in zip(keys, words, strict=True):
        if key not in allowed or "=" not in word:
            raise ConfigError(
                f"{word} cannot be used here",
                key=word.partition("=")[0],
                hint=f"only {', '.join(f'{one}=' for one in allowed)} can; {otherwise}",
            )
    checked = composer.override(composer.completed(config), words)
    for key in keys:
        config = with_value(config, key, value_of(checked, key))
    return config


def resumed(config: Config, words: Sequence[str]) -> Config | None:
    """``config`` of a run that is resumed with the :data:`PLACES` that ``words`` give; None for no words.

    Raises:
        ConfigError: another key, or a wrong value.
    """
    otherwise = "other settings make another run: dmf train, or dmf extend for more epochs"
    return changed(config, words, PLACES, otherwise) if words else None


def moved(config: Config, places: Config) -> Config:
    """``config`` with the places that another config of the same run has, as that of a sweep's job."""
    for key in (*PLACES, *_table(config)):
        value = value_of(places, key)
        if value is not None:
            config = with_value(config, key, value)
    return config


def _table(config: Config) -> list[str]:
    return [TABLE] if "table" in dataset_schema.places(config.plain["dataset"]) else []


def value_of(config: Config, key: str) -> Any:
    """The value under a dotted key of at most two parts; None if there is none."""
    group, _, leaf = key.rpartition(".")
    values = config.plain.get(group, {}) if group else config.plain
    return values.get(leaf) if isinstance(values, Mapping) else None


def with_value(config: Config, key: str, value: Any) -> Config:
    """A copy of ``config`` with ``value`` under such a key."""
    group, _, leaf = key.rpartition(".")
    return config.changed(group, **{leaf: value}) if group else config.with_root(**{leaf: value})
