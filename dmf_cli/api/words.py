"""Keyword arguments as words of a command: ``trainer={"epochs": 3}`` is ``trainer.epochs=3``."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dmf_cli import conf_files
from dmf_cli.errors import ConfigError

SHORT = {"backend": "trainer.backend"}
NESTED = re.compile(r"loss\.(terms|coefficients)|loss\.terms\.\w+|auxiliary\.params")  # mappings of keys
_PLAIN = re.compile(r"[A-Za-z_/][\w.+*:/-]*", re.ASCII)  # needs no quotes, unless it is one of these words
_WORDS = ("true", "false", "null", "nan", "inf")
_EXPRESSION = re.compile(r"[\w.+*:/-]+", re.ASCII)
_INTERVAL = re.compile(r"(?:tag|interval|range|choice|int|float)\(.*\)")  # of a search


def of(
    settings: Mapping[str, Any], overrides: Sequence[str] = (), *, swept: bool = False, searched: bool = False
) -> list[str]:
    """The words that say the same as ``settings``, and then ``overrides``.

    Args:
        settings: groups and keys. A group is the name of an option, or a mapping of its keys in which
            ``name`` is the option; a dotted name is a key of a group.
        overrides: words as on the command line.
        swept: a list (or a ``range``) is a choice of values; a tuple stays one value.
        searched: the same, and texts such as ``interval(0.1,1)`` are what Hydra makes of them.

    Raises:
        ConfigError: a value that no config can hold.

    Example:
        >>> of({"loss": "dice+ce", "trainer": {"epochs": 3}, "dataset.dir": "my images"})
        ['loss=dice+ce', 'trainer.epochs=3', "dataset.dir='my images'"]
        >>> of({"seed": range(3), "dataset.image_size": (64, 64)}, swept=True)
        ['seed=0,1,2', 'dataset.image_size=[64,64]']
    """
    made = []
    for key, value in _flat(settings):
        if searched and isinstance(value, str) and _INTERVAL.fullmatch(value):
            word = value
        elif (swept or searched) and isinstance(value, list | range):
            word = _choices(key, value)
        else:
            word = text(key, value)
        made.append(f"{key}={word}")
    return [*made, *overrides]


def _flat(settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Dotted keys and values; the option of a group before its keys."""
    groups = conf_files.groups()
    for key, value in settings.items():
        name = SHORT.get(key, key)
        if not isinstance(value, Mapping) or not (name in groups or NESTED.fullmatch(name)):
            yield name, value
            continue
        keys = dict(value)
        if name in groups and "name" in keys:
            yield name, keys.pop("name")
        yield from _flat({f"{name}.{leaf}": one for leaf, one in keys.items()})


def _choices(key: str, values: Sequence[Any]) -> str:
    if not len(values):
        raise ConfigError(key=key, value=values, reason="and has no value", allowed="at least one")
    return ",".join(text(key, value) for value in values)


def text(key: str, value: Any) -> str:
    """A value as Hydra reads it back."""
    value = value.item() if hasattr(value, "dtype") and getattr(value, "ndim", 1) == 0 else value
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return "nan" if math.isnan(value) else repr(value)
    if isinstance(value, str | Path):
        return _quoted(str(value), _EXPRESSION if key in conf_files.groups() else _PLAIN)
    if isinstance(value, list | tuple | range):
        return f"[{','.join(text(key, one) for one in value)}]"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{text(key, name)}:{text(key, one)}" for name, one in value.items()) + "}"
    raise ConfigError(
        key=key, value=value, allowed="a text, a number, true or false, None, a list or a mapping of these"
    )


def _quoted(text: str, plain: re.Pattern[str]) -> str:
    """``text`` in quotes where Hydra would read something else than its letters."""
    if plain.fullmatch(text) and text.lower() not in _WORDS:
        return text
    escaped = re.sub(r"(\\*)'", r"\1\1\\'", text)
    return "'" + re.sub(r"(\\+)$", r"\1\1", escaped) + "'"
