"""Which settings of a run are not the defaults: what was asked for, in the words of the command line."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from dmf_cli.comparison.loading import flat
from dmf_cli.errors import DmfError

ASIDE = ("run_dir", "output_root", "loss.expression", "loss.coefficients", "loss.terms")


@dataclasses.dataclass(frozen=True)
class Difference:
    """One setting: its key, its value, and what it is by default ("" where there is no default)."""

    key: str
    value: str
    default: str


def differences(config: Mapping[str, Any]) -> list[Difference] | None:
    """Groups with another option first, then the keys that differ from the option's own values.

    None if the defaults of this version cannot be composed for the options of this run.
    """
    from dmf_cli import conf_files
    from dmf_cli.config import composer, keys

    chosen = _choices(config)
    known = {
        group: option for group, option in chosen.items() if _exists(group, option, conf_files.options(group))
    }
    try:
        raw = composer.compose_raw([f"{group}={option}" for group, option in known.items()])
        default = flat(composer.finish(raw, missing=True).plain)
    except DmfError:
        return None
    usual = keys.default_choices()
    changed = [
        Difference(group, option, usual[group])
        for group, option in chosen.items()
        if group in usual and option != usual[group]
    ]
    for key, value in flat(config).items():
        term = key.startswith("loss.terms.")
        if key.endswith(".name") or (not term and any(key == a or key.startswith(f"{a}.") for a in ASIDE)):
            continue
        before = _text(default.get(key, ""))
        if _text(value) != before:
            changed.append(Difference(key, _text(value), "required" if before == "???" else before))
    return changed


def _choices(config: Mapping[str, Any]) -> dict[str, str]:
    """Group -> option, as far as the groups say their name."""
    chosen = {}
    for group, values in config.items():
        if isinstance(values, Mapping):
            name = values.get("expression") if group == "loss" else values.get("name")
            if isinstance(name, str):
                chosen[group] = name
    return chosen


def _exists(group: str, option: str, options: Any) -> bool:
    return group == "loss" or option in options


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:g}"
    return json.dumps(value, default=str)
