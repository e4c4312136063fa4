"""What has to be the same for a run to repeat bitwise: versions, processor, device, settings from outside."""

import dataclasses
from collections.abc import Mapping
from typing import Any

# The others of ``environment.json`` draw, print and compose: no number depends on them.
PACKAGES = (
    "tensorflow",
    "keras",
    "jax",
    "jaxlib",
    "torch",
    "numpy",
    "scipy",
    "pillow",
    "tensorflow-datasets",
)
FACTS = ("dmf", "python", "processor", "commit", "cores")
DECISIVE = ("dmf", "processor", "cores", *PACKAGES, "device", "devices", "variables")


@dataclasses.dataclass(frozen=True)
class Conditions:
    """Under which a run is trained again.

    Args:
        bitwise: whether nothing may differ: a CPU, with the same versions of what computes.
        changed: ``keras: 3.15.1 here, 3.14.0 there`` for each fact that is another one.
    """

    bitwise: bool
    changed: tuple[str, ...]


def compared(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> Conditions:
    """The conditions, from the ``environment.json`` of a run and what it would be now."""
    before, after = _facts(recorded), _facts(now)
    changed = [name for name in after if before.get(name) != after[name]]
    same = not set(changed) & set(DECISIVE) and after["device"] == "cpu"
    said = tuple(f"{name}: {after[name]} here, {before.get(name)} there" for name in changed)
    return Conditions(same, said)


def _facts(environment: Mapping[str, Any]) -> dict[str, str]:
    packages, runtime = _mapping(environment.get("packages")), _mapping(environment.get("runtime"))
    variables = sorted(_mapping(environment.get("variables")).items())
    return {
        **{name: str(environment.get(name)) for name in FACTS},
        **{name: str(packages.get(name)) for name in PACKAGES},
        "device": str(runtime.get("device")),
        "devices": str(runtime.get("shared", 1)),
        # Of these the config decides; they say the same of every run of it.
        "variables": " ".join(f"{name}={value}" for name, value in variables if name != "KERAS_BACKEND"),
    }


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
