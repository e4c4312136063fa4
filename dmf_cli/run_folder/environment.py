"""What a run ran on: enough to understand a difference between two machines. Imports nothing heavy."""

import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dmf_cli
from dmf_cli import machine

PACKAGES = (
    "tensorflow", "keras", "jax", "jaxlib", "torch", "numpy", "scipy", "pillow", "hydra-core", "omegaconf",
    "tensorflow-datasets", "rich", "matplotlib",
)  # fmt: skip
# Settings from outside that change what is computed, or how fast.
VARIABLES = (
    "CUDA_VISIBLE_DEVICES", "JAX_PLATFORMS", "KERAS_BACKEND", "OMP_NUM_THREADS", "TF_CUDNN_DETERMINISTIC",
    "TF_DETERMINISTIC_OPS", "TF_ENABLE_ONEDNN_OPTS", "TF_FORCE_GPU_ALLOW_GROWTH", "TF_XLA_FLAGS", "XLA_FLAGS",
)  # fmt: skip
SECONDS = 10  # that git may take


def environment(runtime: Mapping[str, Any]) -> dict[str, Any]:
    """Versions, machine, command line and ``runtime`` (backend, devices, ...) as plain data for JSON.

    What cannot be found out is None; this never raises. Memory is in bytes.
    """
    on_gpu, name = str(runtime.get("device", "")).startswith("gpu"), Path(sys.argv[0]).name
    return {
        "dmf": dmf_cli.__version__,
        "commit": _commit(),
        "command": shlex.join(["dmf" if name == "__main__.py" else name, *sys.argv[1:]]),  # python -m dmf_cli
        "folder": _folder(),
        "runtime": dict(runtime),
        "gpus": _gpus() if on_gpu else [],
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": machine.backend_processors(),
        "memory": machine.memory(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "variables": {name: os.environ[name] for name in VARIABLES if name in os.environ},
    }


def _folder() -> str | None:
    try:
        return str(Path.cwd())
    except OSError:  # deleted while the process runs
        return None


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
    return _output(["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"])


def _gpus() -> list[str]:
    """Name, memory and driver of each GPU of the machine, also of those that are hidden."""
    return machine.nvidia_smi("--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")


def _processor() -> str:
    """``platform.processor`` is empty or just ``x86_64`` on Linux."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _output(command: Sequence[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
