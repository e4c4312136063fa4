"""Where the YAML files are, in a checkout and in an installed wheel."""

import functools
import os
import re
from pathlib import Path
from typing import Any

from dmf_cli import hints
from dmf_cli.errors import ConfigError, UsageError
from dmf_cli.parts import plugins
from dmf_cli.parts.definitions import name_taken
from dmf_cli.parts.kinds import KINDS

ROOT_CONFIG = "train"
PRESETS = ("recipe", "experiment")  # groups whose options set keys of other groups
_BASE = re.compile(r"^  - (?!_self_)(\w+)\s*$", re.MULTILINE)
# Option of hydra/launcher -> the extra that brings its plugin.
LAUNCHERS = {
    "joblib": "joblib",
    "submitit_local": "submitit",
    "submitit_slurm": "submitit",
    "ray": "ray",
    "ray_aws": "ray",
}


@functools.cache
def conf_dir() -> Path:
    """The absolute path of ``conf/``: inside the package in a wheel, beside it in a checkout.

    Raises:
        ConfigError: neither is there (a broken installation).
    """
    package = Path(__file__).resolve().parent
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / f"{ROOT_CONFIG}.yaml").is_file():
            return folder
    raise ConfigError(
        f"no conf/ folder in {package} or beside it", hint=f"install dmf again, {hints.install()}"
    )


def own_configs(folder: str | Path | None) -> list[str]:
    """``--config-dir`` as an override for what is composed.

    Raises:
        UsageError: it is no folder.
    """
    if folder is None:
        return []
    place = Path(os.path.realpath(Path(folder).expanduser()))
    if not place.is_dir():
        wanted = "the one that holds your YAML files, in folders named as the groups"
        raise UsageError(
            key="--config-dir", path=place, value=Path(folder), reason="which is no folder", allowed=wanted
        )
    return [f"hydra.searchpath=['file://{place}']"]


def groups() -> list[str]:
    """Names of the top-level config groups: the folders of ``conf/``."""
    return sorted(p.name for p in conf_dir().iterdir() if p.is_dir() and p.name != "hydra")


def options(group: str) -> list[str]:
    """Names of the YAML files of a group, and of what plugins add to it; for ``loss`` and ``auxiliary`` also
    the loss terms.
    """
    names = {p.stem for p in (conf_dir() / group).glob("*.yaml")}
    if group in ("loss", "auxiliary"):
        return sorted(names.union(terms()))
    kinds = [name for name, kind in KINDS.items() if kind.group == group and name != "metric"]
    return _with_plugins(names, *kinds)


def terms() -> list[str]:
    """Names of the loss terms: the YAML files of ``conf/loss/term``, and the losses of plugins."""
    return _with_plugins({p.stem for p in (conf_dir() / "loss" / "term").glob("*.yaml")}, "loss")


def _with_plugins(names: set[str], *kinds: str) -> list[str]:
    """``names`` of YAML files and of parts of plugins; raises ``PluginError`` for one that is both."""
    added = [one for kind in kinds for one in plugins.definitions(kind)]
    for one in added:
        if one.name in names:
            raise name_taken(one, f"{KINDS[one.kind].group}={one.name} is there already, in dmf")
    return sorted(names.union(one.name for one in added))


def check_plugins() -> None:
    """Whether no part of a plugin has the name of a YAML file, which would be chosen in its place.

    Raises:
        PluginError: one has.
    """
    for group in {kind.group for kind in KINDS.values()} if plugins.active() else ():
        options(group)


def lineage(group: str, option: str) -> list[str]:
    """``option`` of a group after the options that it builds on by its defaults list, the first base first.

    Only what a file of ours names: a loss term, or an option of the user, builds on nothing.
    """
    file = conf_dir() / group / f"{option}.yaml"
    bases = _BASE.findall(file.read_text(encoding="utf-8")) if file.is_file() else []
    return [name for base in bases for name in lineage(group, base)] + [option]


def preset(group: str, option: str) -> tuple[str, dict[str, Any]]:
    """The option that a preset builds on, and the keys that it changes."""
    import yaml

    base, *others = lineage(group, option)
    changed: dict[str, Any] = {}
    for name in others:
        text = (conf_dir() / group / f"{name}.yaml").read_text(encoding="utf-8")
        changed |= {key: value for key, value in yaml.safe_load(text).items() if key != "defaults"}
    return base, changed
