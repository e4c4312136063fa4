"""Parts of plugins as options of the config: what a YAML file says of those of dmf, their source says.

The keys of an option are the parameters of the function, its values their defaults, and its comments what the
docstring says of them.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from dmf_cli import conf_files
from dmf_cli.config import own_dataset, schema
from dmf_cli.config.typed import Config
from dmf_cli.errors import ConfigError, PluginError
from dmf_cli.parts import plugins
from dmf_cli.parts.definitions import Definition
from dmf_cli.parts.kinds import KINDS

# Group -> kind of the parts that it chooses from. Losses are terms of an expression.
KIND_OF_GROUP = {kind.group: name for name, kind in KINDS.items() if name not in ("loss", "metric")}


def option(group: str, name: str) -> Definition | None:
    """The part of a plugin that ``GROUP=NAME`` chooses; None: there is none of that name."""
    kind = KIND_OF_GROUP.get(group, "")
    return next((one for one in plugins.definitions(kind) if one.name == name), None)


def term(name: str) -> Definition | None:
    """The loss of a plugin with this name."""
    return next((one for one in plugins.definitions("loss") if one.name == name), None)


def activate(overrides: Sequence[str]) -> None:
    """Make the plugins of the words ``plugins=...`` known; raises ``PluginError``."""
    for word in overrides:
        key, equals, value = word.lstrip("+").partition("=")
        if key == "plugins" and equals:
            plugins.activate(plugins.written(value))


def activate_listed(given: Any) -> None:
    """The plugins of the key ``plugins`` of a composed config; those of a run are known by its folder.

    Raises:
        ConfigError: it is no list of texts.
    """
    if isinstance(given, Mapping):
        return
    listed = [given] if isinstance(given, str) else given or []
    if not isinstance(listed, list) or not all(isinstance(one, str) and one for one in listed):
        allowed = "a file or a module, or a list of them, as [my.py,mylab.losses]"
        raise ConfigError(key="plugins", value=given, allowed=allowed)
    plugins.activate(listed)
    conf_files.check_plugins()


def with_used(config: Config) -> Config:
    """``config`` with the plugins of the parts that it uses, by name: their files and the hashes of these.

    The key ``plugins`` is not there where none is used.
    """
    plain = dict(config.plain)
    before = plain.pop("plugins", None)
    known = before if isinstance(before, Mapping) else {}
    found: dict[str, Any] = {}
    waiting = [plugin for part in used(plain) if (plugin := plugins.of_part(part))]
    while waiting:
        plugin = waiting.pop(0)
        if plugin.name not in found:
            waiting += plugins.needed(plugin)
            entry = {"path": str(plugin.file), "hash": plugin.hash}
            same = known.get(plugin.name, {}).get("hash") == plugin.hash
            found[plugin.name] = known[plugin.name] if same else entry
    return Config({**plain, "plugins": found} if found else plain)


def used(config: Mapping[str, Any]) -> list[Definition]:
    """The parts of plugins that a config uses."""
    terms = [*config["loss"]["terms"], config["auxiliary"]["name"]]
    chosen = [(kind, config[group].get("name")) for group, kind in KIND_OF_GROUP.items()]
    chosen += [("loss", name) for name in terms]
    chosen += [("metric", name) for name in config["metrics"].get("own") or {}]
    wanted = set(chosen)
    return [
        one for plugin in plugins.active() for one in plugin.definitions if (one.kind, one.name) in wanted
    ]


def names(group: str) -> list[str]:
    """The parts of plugins that a group can choose, or the losses for ``loss/term``."""
    kind = "loss" if group == "loss/term" else KIND_OF_GROUP[group]
    return [one.name for one in plugins.definitions(kind)]


def keys(group: str, part: Definition) -> dict[str, Any]:
    """The keys of ``GROUP=NAME`` with their defaults."""
    if group == "dataset":
        return own_dataset.group(part)
    values = {"name": part.name, **_own(group), **part.defaults}
    if group == "weighting":
        values = {key: value for key, value in values.items() if key != "prior"}
        if "warmup" in values:
            values["warmup"] = "auto"
    if taken := [key for key in part.parameters if key in ("name", *_own(group))]:
        raise PluginError(
            f"{part.place}: {part.kind} {part.name!r} has a parameter {taken[0]!r}",
            path=part.file,
            key=taken[0],
            hint=f"{group}.{taken[0]} means something else, give it another name",
        )
    return values


def meanings(group: str, part: Definition) -> dict[str, str]:
    """Key of ``GROUP=NAME`` -> what the docstring says of it."""
    said = {name: one.meaning for name, one in part.parameters.items() if one.meaning}
    if group == "dataset":
        said = {**own_dataset.meanings(), **said}
    return {key: said.get(key, "") for key in keys(group, part)} | {"name": f"that of {part.place}"}


def _own(group: str) -> dict[str, Any]:
    """Keys of a group beside those of the function."""
    if group != "model":
        return {}
    fields = {field.name: field.default for field in dataclasses.fields(schema.Model)}
    return {key: value for key, value in fields.items() if value is not dataclasses.MISSING}
