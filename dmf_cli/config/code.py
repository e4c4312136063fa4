"""No config names code that Hydra would run: ``_target_`` is for Hydra's launchers and sweepers only.

Asked in :class:`dmf_cli.config.loader.Loader`, before Hydra acts on anything: a folder of ``--config-dir``
may come from anybody, and its YAML files set Hydra's own keys too.
"""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from dmf_cli import bounded
from dmf_cli.config import hydra_settings
from dmf_cli.errors import ConfigError

TARGET = "_target_"
CALLS = (TARGET, "()")  # keys whose value Hydra or Python's logging imports and calls
PLUGINS = ("hydra_plugins.", "hydra._internal.core_plugins.")  # Hydra itself says which of them there are
MADE = ("launcher", "sweeper")  # what Hydra makes an object of, with all that is in it


def check(config: Any) -> None:
    """Refuse a composed OmegaConf ``config``, with its node ``hydra``, that names code.

    Raises:
        ConfigError: it does.
    """
    from omegaconf import OmegaConf

    hydra_settings.check(config.hydra, keys=hydra_settings.RUN_CODE)
    plain: Any = OmegaConf.to_container(config, resolve=False)
    for key, name, value in _called(plain, ""):
        own = name == TARGET and key in [f"hydra.{made}" for made in MADE]
        if not own or not str(value).startswith(PLUGINS):
            raise _refused(f"{key}.{name}", value)
    for made in MADE:
        if isinstance(config.hydra[made], Mapping):
            _check_references(config.hydra[made], f"hydra.{made}")


def references(plain: Any) -> int:
    """How many ``${...}`` are in a config that is not resolved, or in words for it."""
    return str(plain).count("${")


def check_references(count: int) -> None:
    """Whether ``count`` of them can be resolved in little time: each may stand for many others.

    Raises:
        ConfigError: there are too many.
    """
    if count > bounded.REFERENCES:
        hint = f"{bounded.REFERENCES} at most, for each may stand for many others: write values"
        raise ConfigError(f"the config has ${{...}} in {count} places", value=count, hint=hint)


def _called(node: Any, place: str) -> Iterator[tuple[str, str, Any]]:
    """Where something is called: the dotted key of the mapping, the key in it, and its value."""
    if isinstance(node, list):
        node = dict(enumerate(node))
    for key, value in node.items() if isinstance(node, Mapping) else ():
        if key in CALLS:
            yield place, str(key), value
        yield from _called(value, f"{place}.{key}".lstrip("."))


def _check_references(node: Any, place: str) -> None:
    """No ``${...}`` stands for a mapping: resolvers such as ``oc.create`` make ones that nobody has seen."""
    from omegaconf import Container, OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    for key in range(len(node)) if OmegaConf.is_list(node) else node:
        value: Any = None
        with contextlib.suppress(OmegaConfBaseException):  # what cannot be resolved stands for nothing
            value = node[key]
        if OmegaConf.is_interpolation(node, key) and isinstance(value, Container):
            plain: Any = OmegaConf.to_container(node, resolve=False)
            raise _refused(f"{place}.{key}", plain[key])
        if isinstance(value, Container):
            _check_references(value, f"{place}.{key}")


def _refused(key: str, value: Any) -> ConfigError:
    reason = "and no config names code that is run"
    hint = "remove it; a part of your own is a plugin, as plugins=my.py"
    return ConfigError(key=key, value=value, reason=reason, hint=hint)
