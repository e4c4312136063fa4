"""Values as they stand in a config: no control characters (see
:mod:`dmf_cli.escapes`) and, in the config of a run, no ``${...}``.

A name reaches logs, terminals, tables and the names of folders. A line break in one would make a line of its
own there, and an escape sequence would hide what is said around it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from dmf_cli import escapes
from dmf_cli.errors import ConfigError

INTERPOLATION = "${"


def check(values: Any, *, resolved: bool = False) -> None:
    """Raise ``ConfigError`` for the first key or value with a control character.

    Args:
        values: plain data; the keys of a config.
        resolved: it is of a run, whose interpolations are resolved: another would read the environment or
            files of whoever opens the run.
    """
    for key, text in _texts(values, ""):
        if escapes.hides(text):
            reason = "which holds a control character"
            raise ConfigError(key=escapes.visible(key), value=text[:60], reason=reason, hint="remove it")
        if resolved and INTERPOLATION in text:
            reason = "an interpolation, and the config of a run has none"
            raise ConfigError(key=key, value=text[:60], reason=reason, hint="write the value itself")


def _texts(value: Any, key: str) -> Iterator[tuple[str, str]]:
    """Every text in ``value``, those of its keys too, with the dotted key of where it is."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            inner = f"{key}.{name}" if key else str(name)
            yield from ((inner, str(name)), *_texts(item, inner))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item, key)
