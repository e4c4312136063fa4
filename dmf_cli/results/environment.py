"""What a run ran on: enough to understand a difference between two machines."""

import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dmf_cli

PACKAGES = (
    "tensorflow",
    "keras",
    "jax",
    "torch",
    "numpy",
    "scipy",
    "pillow",
    "hydra-core",
    "omegaconf",
    "tensorflow-datasets",
    "rich",
    "matplotlib",
)


def environment(runtime: Mapping[str, Any]) -> dict[str, Any]:
    """Versions, machine, command and ``runtime`` (backend, devices, ...) as plain data."""
    return {
        "dmf": dmf_cli.__version__,
        "commit": _commit(),
        "command": sys.argv,
        "folder": str(Path.cwd()),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "runtime": dict(runtime),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The commit of the checkout that dmf runs from; None for an installed wheel or without git."""
    root = Path(dmf_cli.__file__).parents[1]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
