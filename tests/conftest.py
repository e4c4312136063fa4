"""Tests run alike everywhere: a private cache, no settings of the user's, and no test that cannot run.

A test whose marker names something that is missing here is deselected, not skipped: the header says
what is missing, and the summary counts what was left out.
"""

import functools
import gc
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import numpy as np
import pytest

from dmf_cli.parts import plugins
from tests import layers

# Repeatable, and never red because a machine was busy.
hypothesis.settings.register_profile("dmf", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("dmf")


def _mounts() -> bool:
    """Whether this process may mount a file system in a name space of its own."""
    command = ["unshare", "--mount", "true"]
    return bool(shutil.which("unshare")) and subprocess.run(command, capture_output=True).returncode == 0


def _busi() -> bool:
    given = os.environ.get("DMF_BUSI_DIR")
    if given and not Path(given).is_dir():
        raise pytest.UsageError(f"DMF_BUSI_DIR={given}: no such folder; unset it, or name the BUSI folder")
    return bool(given)


def _keras(major: int, minor: int) -> bool:
    """Whether Keras is here, and of this version or newer: the environment of the Ray tests has none."""
    try:
        version = importlib.metadata.version("keras")
    except importlib.metadata.PackageNotFoundError:
        return False
    return tuple(map(int, version.split(".")[:2])) >= (major, minor)


def _onnx() -> bool:
    """Whether networks can be written as ONNX: Keras does it from 3.8 on."""
    here = all(importlib.util.find_spec(name) is not None for name in ("tf2onnx", "onnxruntime"))
    return here and _keras(3, 8)


# marker -> (whether the thing is here, what to say when it is not)
NEEDS: dict[str, tuple[Callable[[], bool], str]] = {
    "busi": (_busi, "DMF_BUSI_DIR is not set"),
    "chromium": (lambda: any(map(shutil.which, ("chromium", "google-chrome"))), "no Chromium"),
    "hub": (lambda: importlib.util.find_spec("keras_hub") is not None, "keras-hub is not installed"),
    "latex": (lambda: bool(shutil.which("pdflatex")), "no pdflatex"),
    "mount": (_mounts, "no right to mount"),
    "onnx": (_onnx, "no tf2onnx, no onnxruntime, or no Keras from 3.8 on"),
    "mlflow": (lambda: importlib.util.find_spec("mlflow") is not None, "MLflow is not installed"),
    "replicas": (lambda: _keras(3, 10), "no Keras, or older than 3.10"),
    "ray": (lambda: importlib.util.find_spec("ray") is not None, "Ray is not installed"),
    "torch": (lambda: importlib.util.find_spec("torch") is not None, "PyTorch is not installed"),
}


@functools.cache
def missing() -> dict[str, str]:
    """Markers that cannot run here, each with the reason."""
    return {marker: reason for marker, (here, reason) in NEEDS.items() if not here()}


def pytest_configure(config: pytest.Config) -> None:
    layers.configure(config)
    if hasattr(config, "workerinput"):
        return  # a worker of pytest-xdist inherits all this from the main process
    config.stash[_home] = tempfile.TemporaryDirectory(prefix="dmf-tests-")
    private = config.stash[_home].name
    for name in ("DMF_DEBUG", "FORCE_COLOR", "HYDRA_FULL_ERROR"):
        os.environ.pop(name, None)
    os.environ |= {
        "DMF_CACHE": f"{private}/cache",
        "KERAS_HOME": f"{private}/keras",
        "MPLBACKEND": "Agg",
        "NO_COLOR": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, "1")  # each core has a worker: more threads only wait for each other


def pytest_collection_finish() -> None:
    """What is imported by now stays, and graphs make many objects: without this, an eighth of the time of the
    tests that train goes into looking for garbage.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def pytest_unconfigure(config: pytest.Config) -> None:
    if _home in config.stash:
        config.stash[_home].cleanup()


def pytest_report_header() -> list[str]:
    reasons = [f"{marker} ({reason})" for marker, reason in missing().items()]
    return [f"deselected markers: {', '.join(reasons) or 'none'}"]


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return layers.ignored(collection_path, config) or None  # None: the others are asked


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    layers.mark(items)
    left_out = [item for item in items if any(marker.name in missing() for marker in item.iter_markers())]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """absl, which TensorFlow brings, writes to the stderr of the moment in which it was imported: a file of
    pytest's. Whoever configures logging, as Hydra does, makes it close that file, and with it all output.
    """
    if absl := sys.modules.get("absl.logging"):
        absl.get_absl_handler().python_handler.stream = sys.__stderr__


def _gradient(function: Callable, x: np.ndarray) -> tuple[float, np.ndarray]:
    """``function(x)`` and its gradient with respect to ``x``, in the dtype of ``x``."""
    import keras

    from dmf_cli.ops.backend import values_and_gradients

    (value,), gradients = values_and_gradients([function], keras.ops.convert_to_tensor(x))
    (gradient,) = gradients()
    value = keras.ops.convert_to_numpy(value)
    return float(value), keras.ops.convert_to_numpy(gradient)


@pytest.fixture(autouse=True)
def _own_plugins() -> Iterator[None]:
    """No test knows the parts of another one."""
    with plugins.isolated():
        yield


@pytest.fixture(scope="session")
def gradient() -> Callable:
    return _gradient


_home: pytest.StashKey[tempfile.TemporaryDirectory[str]] = pytest.StashKey()
