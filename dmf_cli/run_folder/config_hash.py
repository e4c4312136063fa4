"""Hashes of configs: what of them says only where things are, and when two values are the same."""

import json
from collections.abc import Mapping
from typing import Any

from dmf_cli.config import dataset_schema
from dmf_cli.hashes import digest

# Top-level keys that say where a run is, what is made of its results, and what its keys are called together.
ASIDE = ("run_dir", "output_root", "report", "tracker", "sweep", "tune", "hydra", "recipe")
# Keys of groups that may be others when a run is resumed.
HIDDEN = {"split": ("file",), "trainer": ("devices", "hosts")}


def group_hashes(config: Mapping[str, Any]) -> dict[str, str]:
    """A hash of each group of a stored config, without places: ``status.json`` says what the run was."""
    found = {}
    for key, value in config.items():
        if key not in ASIDE:
            kept = value
            if isinstance(value, Mapping):
                # A dataset is known by its content, or by what it is generated from.
                hidden = dataset_schema.places(value) if key == "dataset" else HIDDEN.get(key, ())
                kept = {k: v for k, v in value.items() if k not in hidden}
            kept = contents(value) if key == "plugins" else kept
            found[key] = digest(frozen(without_null(kept)), 8)
    return found


def contents(plugins: Any) -> Any:
    """Of the plugins of a run their hashes: where their files are decides nothing."""
    if not isinstance(plugins, Mapping):
        return plugins
    return {name: one.get("hash") if isinstance(one, Mapping) else one for name, one in plugins.items()}


def frozen(value: Any) -> str:
    """``value`` as text that does not depend on the order of keys."""
    return json.dumps(value, sort_keys=True, default=str)


def without_null(value: Any) -> Any:
    """``value`` without keys that are null, every whole number as a float."""
    if isinstance(value, Mapping):
        return {str(k): without_null(v) for k, v in value.items() if v is not None}
    if isinstance(value, list | tuple):
        return [without_null(item) for item in value]
    # 1e-3 and 0.001 are one float, 1 and 1.0 are one number; an integer that no float can hold is kept.
    number = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**308
    return float(value) if number else value
