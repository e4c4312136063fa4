"""Where the YAML files are, in a checkout and in an installed wheel."""

import functools
import re
from pathlib import Path
from typing import Any

from dmf_cli import hints
from dmf_cli.errors import ConfigError

ROOT_CONFIG = "train"
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


def groups() -> list[str]:
    """Names of the top-level config groups: the folders of ``conf/``."""
    return sorted(p.name for p in conf_dir().iterdir() if p.is_dir() and p.name != "hydra")


def options(group: str) -> list[str]:
    """Names of the YAML files of a group; for ``loss`` and ``auxiliary`` also the loss terms."""
    found = {p.stem for p in (conf_dir() / group).glob("*.yaml")}
    return sorted(found | set(terms() if group in ("loss", "auxiliary") else ()))


def terms() -> list[str]:
    """Names of the loss terms: the YAML files of ``conf/loss/term``."""
    return sorted(p.stem for p in (conf_dir() / "loss" / "term").glob("*.yaml"))


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
