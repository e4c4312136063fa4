"""Loss expressions, auxiliary losses and parts of plugins as Hydra options that need no YAML file.

``loss=cbdice+bce`` becomes a defaults list over ``conf/loss/term/*.yaml``, so that every term keeps its
own parameters (``loss.terms.cbdice.absent=max``); ``auxiliary=cbdice`` is ``conf/auxiliary/none.yaml``
with a name and the parameters of that term. ``model=mine`` has the defaults of the function of that name, and
``metrics=full+mine`` is ``metrics=full`` with the defaults of that metric.
"""

import contextlib
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf
from yaml import YAMLError

from dmf_cli import bounded, conf_files, expression
from dmf_cli.config import loader, own_metrics, plugin_options
from dmf_cli.errors import ConfigError

GROUPS = (*loader.EXPRESSIONS, "loss/term", own_metrics.GROUP, *plugin_options.KIND_OF_GROUP)


class ExpressionSource(ConfigSource):
    """Answers for ``loss/EXPRESSION``, ``auxiliary/TERM``, parts of plugins; the rest are files."""

    @staticmethod
    def scheme() -> str:
        """Part of Hydra's interface."""
        return "dmf"

    def available(self) -> bool:
        """Part of Hydra's interface."""
        return True

    def is_group(self, config_path: str) -> bool:
        """Part of Hydra's interface."""
        return config_path.strip("/") in GROUPS

    def is_config(self, config_path: str) -> bool:
        """Only what parses: for the rest Hydra reports a missing option, which we explain better."""
        return _defaults(config_path) is not None

    def load_config(self, config_path: str) -> ConfigResult:
        """Part of Hydra's interface, which passes the argument by this name."""
        config = _defaults(config_path)
        if config is None:
            raise ConfigLoadError(f"Config not found : {config_path}")
        return ConfigResult(
            config=OmegaConf.create(config),
            path=f"{self.scheme()}://",
            provider=self.provider,
            header={"package": None},
        )

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        """Single terms only: sums are endless, and ``glob(*)`` would run whatever is listed here."""
        group = config_path.strip("/")
        if results_filter not in (None, ObjectType.CONFIG) or group not in GROUPS:
            return []
        if group == own_metrics.GROUP:
            return []
        return conf_files.terms() if group in loader.EXPRESSIONS else plugin_options.names(group)


class ExpressionSearchPath(SearchPathPlugin):
    """Puts the source behind the YAML files, so that a file of the same name wins."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Part of Hydra's interface."""
        search_path.append(provider="dmf", path="dmf://")


_load = FileConfigSource.load_config


def _load_bounded(self: FileConfigSource, config_path: str) -> ConfigResult:
    """Hydra's own way to load a YAML file, of none that would take for ever."""
    file = Path(self.path, self._normalize_file_name(config_path))
    if file.exists() and not file.is_relative_to(conf_files.conf_dir()):
        try:
            with contextlib.suppress(YAMLError):  # it is said where the file is loaded
                bounded.read_yaml_text(file)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise ConfigError(path=file, reason="cannot be read", hint=reason) from None
    return _load(self, config_path)


def register() -> None:
    """Make Hydra know the source, and compose by our rules; safe to call again."""
    loader.install()
    Plugins.instance().register(ExpressionSource)
    Plugins.instance().register(ExpressionSearchPath)
    # Not a class of its own: the workers of a launcher register Hydra's again, and refuse a second one. It is
    # that of the registry, for Hydra loads its plugins by itself, and there may be two classes of this name.
    known: Any = SourcesRegistry.instance().types[FileConfigSource.scheme()]
    known.load_config = _load_bounded


def _defaults(config_path: str) -> dict[str, Any] | None:
    """The config at ``config_path``, or None if it is not ours."""
    group, _, name = config_path.partition("/")
    if group in plugin_options.KIND_OF_GROUP:
        part = plugin_options.option(group, name)
        return plugin_options.keys(group, part) if part else None
    if group == own_metrics.GROUP:
        return own_metrics.option(name)
    known = conf_files.terms()
    if own := plugin_options.term(name.removeprefix("term/")) if name.startswith("term/") else None:
        return own.defaults
    if group == "auxiliary" and name in known:
        return {"defaults": ["none", f"/loss/term/{name}@params", "_self_"], "name": name}
    if group != "loss":
        return None
    try:
        parsed = expression.parse(name, known)
    except ConfigError:
        return None
    return {
        "defaults": [*(f"term/{term}@terms.{term}" for term in parsed.terms), "_self_"],
        "expression": str(parsed),
        "coefficients": dict(parsed.coefficients),
    }
