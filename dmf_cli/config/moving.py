"""Settings of a run that may differ when it is resumed or extended: places, and for the latter its length."""

from collections.abc import Mapping, Sequence
from typing import Any

from dmf_cli.config import composer
from dmf_cli.errors import ConfigError

# Where things are decides nothing: the content of images and split is compared.
PLACES = ("dataset.dir", "dataset.data_dir", "split.file", "output_root")
POLICIES = ("continue", "restart")  # of the schedule of a run that is extended


def changed(
    config: Mapping[str, Any], words: Sequence[str], allowed: Sequence[str], otherwise: str
) -> dict[str, Any]:
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
    for key, word in zip(keys, words, strict=True):
        if key not in allowed or "=" not in word:
            raise ConfigError(
                f"{word}: only {', '.join(f'{one}=' for one in allowed)} work here; {otherwise}"
            )
    checked = composer.override(composer.completed(config), words)
    found = dict(config)
    for key in keys:
        found = with_value(found, key, value_of(checked, key))
    return found


def moved(config: Mapping[str, Any], places: Mapping[str, Any]) -> dict[str, Any]:
    """``config`` with the places that another config of the same run has, as that of a sweep's job."""
    found = dict(config)
    for key in PLACES:
        value = value_of(places, key)
        if value is not None:
            found = with_value(found, key, value)
    return found


def value_of(config: Mapping[str, Any], key: str) -> Any:
    """The value under a dotted key of at most two parts; None if there is none."""
    group, _, leaf = key.rpartition(".")
    values = config.get(group, {}) if group else config
    return values.get(leaf) if isinstance(values, Mapping) else None


def with_value(config: Mapping[str, Any], key: str, value: Any) -> dict[str, Any]:
    """A copy of ``config`` with ``value`` under such a key."""
    group, _, leaf = key.rpartition(".")
    return {**config, group: {**config[group], leaf: value}} if group else {**config, leaf: value}
