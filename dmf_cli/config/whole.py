"""Whether the ``config.yaml`` of a run is all there: a file that was cut off is YAML all the same."""

from collections.abc import Mapping
from typing import Any

# What every command that reads a run relies on. Keys that came later have their defaults, see `completed`.
NEEDED = {
    "dataset": ("name", "kind", "image_size", "resize", "normalize"),
    "split": ("seed", "fractions"),
    "model": ("name",),
    "loss": ("terms", "expression", "coefficients"),
    "auxiliary": ("name",),
    "weighting": ("name",),
    "optimizer": ("name", "learning_rate"),
    "schedule": ("name",),
    "trainer": ("epochs", "batch_size", "backend", "device", "precision", "jit", "deterministic", "monitor"),
    "metrics": ("threshold", "empty"),
    "eval": ("resolution",),
}


def lacks(text: str, config: Mapping[str, Any]) -> str:
    """What is missing in the file ``text``, which says ``config``; empty if it is whole."""
    for group, keys in NEEDED.items():
        values = config.get(group)
        if values is None:
            return group
        if not isinstance(values, Mapping):
            return f"the keys of {group}"
        if missing := [key for key in keys if key not in values]:
            return f"{group}.{missing[0]}"
    if "seed" not in config:
        return "seed"
    return "" if text.endswith("\n") else "the end of its last line"
