"""Options that came after the first runs, with the values that leave a run as it was before them.

Ids leave such an option out where it is off, and comparisons add it to a config that has no such key: one
table for both, so that two runs with one id are one setting.
"""

from collections.abc import Mapping
from typing import Any

from dmf_cli.parts.definitions import of_package

OFF: dict[str, dict[str, Any]] = {
    "trainer": {"foreground": 0.0, "deep_supervision": 0, "oversample": 0.0, "on_diverge": "stop"},
    "optimizer": {"ema": 0.0, "encoder_rate": 1.0, "frozen": 0.0},
    "dataset": {"patch": None},
}
# Of the package's own parts with such a parameter: one of a user's may always have had it.
OF_PARTS: dict[str, tuple[str, dict[str, Any]]] = {
    "augment": ("augmentation", {"cutmix": 0.0}),
    "model": ("model", {"activation": "relu"}),
}
OF_SGD = {"weight_decay": 0.0}


def of(names: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Group -> its later options that are off by these values, for a config.

    Args:
        names: ``augment``, ``model``, ``optimizer`` -> what the config calls them.
    """
    found = {group: dict(options) for group, options in OFF.items()}
    for group, (kind, options) in OF_PARTS.items():
        part = of_package(kind).get(str(names.get(group)))
        known = part.parameters if part else {}
        found[group] = {key: value for key, value in options.items() if key in known}
    if names.get("optimizer") == "sgd":
        found["optimizer"] |= OF_SGD
    return found


def completed(leaves: Mapping[str, Any]) -> dict[str, Any]:
    """The leaves of a config with every later option; what is off is written in one way."""
    names = {group: leaves.get(f"{group}.name") for group in (*OF_PARTS, "optimizer")}
    found = dict(leaves)
    for group, options in of(names).items():
        for key, value in options.items():
            if found.get(f"{group}.{key}", value) == value:
                found[f"{group}.{key}"] = value
    return found
