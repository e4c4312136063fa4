"""Metrics of users in the config: ``metrics=full+mine`` is ``metrics=full`` and ``own: {mine: {...}}``.

A group without any has no key ``own``, so that configs and ids are what they were without plugins.
"""

from collections.abc import Mapping
from typing import Any

from dmf_cli import conf_files
from dmf_cli.config.types import check_values
from dmf_cli.errors import ConfigError, PluginError, UnknownNameError
from dmf_cli.parts import plugins
from dmf_cli.parts.definitions import Definition, of_package
from dmf_cli.parts.kinds import FILLED

GROUP, KEY = "metrics", "own"
COLUMNS = ("counts", "lesions", "lesions_found")  # of tables, beside the metrics


def known() -> dict[str, Definition]:
    """Name -> metric, of all active plugins.

    Raises:
        PluginError: the name of one is that of a column, or of an option of the group.
    """
    found = {one.name: one for one in plugins.definitions("metric")}
    taken = {*COLUMNS, *conf_files.options(GROUP), *(f"{name}_mm" for name in of_package("metric"))}
    for name, one in found.items():
        if name in taken:
            raise PluginError(
                f"{one.place}: the name {name!r} means something else in the tables of scores",
                path=one.file,
                key="metric",
                value=name,
                hint="give your metric another name",
            )
    return found


def parse(text: str) -> tuple[str, tuple[str, ...]]:
    """``full+mine`` as ``("full", ("mine",))``; an option of the group alone has no metrics of its own.

    Raises:
        ConfigError: not one option of the group with metrics of plugins, each once.
    """
    known()  # whose names are checked before they are looked up
    names, options = [part.strip() for part in text.split("+")], conf_files.options(GROUP)
    bases, own = ([n for n in names if (n in options) == wanted] for wanted in (True, False))
    for name in own:
        _check_name(name, text)
    if len(bases) != 1 or len(set(own)) < len(own):
        twice = next((name for name in own if own.count(name) > 1), "")
        several = " and ".join(bases) + ", of which one is enough"
        what = f"{twice!r} twice" if twice else several if bases else f"none of {', '.join(options)}"
        whole = "+".join(dict.fromkeys([*(bases[:1] or ["default"]), *own]))
        raise ConfigError(f"{GROUP}={text} has {what}", key=GROUP, value=text, hint=f"write {GROUP}={whole}")
    return bases[0], tuple(own)


def is_own(key: str) -> bool:
    """Whether ``key`` is a parameter of a metric of a plugin."""
    return key.startswith(f"{GROUP}.{KEY}.") and key.split(".")[2] in known()


def option(text: str) -> dict[str, Any] | None:
    """The config of the option ``text``; None: it is none, or has no metrics of users."""
    try:
        base, own = parse(text)
    except ConfigError:
        return None
    return {"defaults": [base, "_self_"], KEY: {name: defaults(name) for name in own}} if own else None


def defaults(name: str) -> dict[str, Any]:
    """The parameters of a metric as it has them."""
    return {key: value for key, value in known()[name].defaults.items() if key not in FILLED}


def hints(names: tuple[str, ...]) -> dict[str, Any]:
    """Dotted key -> annotation, of the parameters of these metrics."""
    return {f"{GROUP}.{KEY}.{name}.{key}": hint for name in names for key, hint in _hints(name).items()}


def meanings(names: tuple[str, ...]) -> dict[str, str]:
    """Dotted key -> what the docstring says of it."""
    return {
        f"{GROUP}.{KEY}.{name}.{key}": known()[name].parameters[key].meaning
        for name in names
        for key in _hints(name)
    }


def check(own: Any) -> None:
    """Whether ``metrics.own`` of a config says metrics of plugins and their parameters.

    Raises:
        ConfigError: it does not.
    """
    where = f"{GROUP}.{KEY}"
    if not isinstance(own, Mapping):
        raise ConfigError(key=where, value=own, hint=f"choose your metrics as {GROUP}=default+NAME")
    for name, params in own.items():
        _check_name(str(name), str(name))
        if not isinstance(params, Mapping):
            raise ConfigError(
                key=f"{where}.{name}", value=params, allowed=f"its keys, as {where}.{name}.KEY=VALUE"
            )
        check_values(params, _hints(str(name)), f"{where}.{name}.", complete=True)


def _hints(name: str) -> dict[str, Any]:
    return {key: hint for key, hint in known()[name].hints.items() if key not in FILLED}


def _check_name(name: str, text: str) -> None:
    if name in known():
        return
    if name in of_package("metric"):
        hint = f"omit it: `dmf list metrics` says which of its own {GROUP}=default and {GROUP}=full have"
        raise ConfigError(f"{GROUP}={text} names {name!r} of dmf", key=GROUP, value=text, hint=hint)
    if not name:
        hint = f"write {GROUP}=default+NAME, with the name of a metric of your plugin"
        raise ConfigError(f"{GROUP}={text} lacks a name beside a +", key=GROUP, value=text, hint=hint)
    hint = "" if known() else "no plugin has a metric: name its file, as plugins=my.py"
    raise UnknownNameError("metric", name, [*known(), *conf_files.options(GROUP)], hint)
