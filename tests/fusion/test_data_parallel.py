"""Two replicas that share a batch do what one device does with the whole of it, in processes of their own."""

import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from dmf_cli.errors import ConfigError
from dmf_cli.ops.backend import replicas
from tests.raised import raises

TESTS = Path(__file__).parents[1]

# The first ones are pooled over the batch; Lovasz sorts all of its pixels.
CASES = {
    "tensorflow": ("cbdice+ce:lr_annealing", "bce+iou+ce:var", "gdice+lovasz:var"),
    "jax": ("cbdice+ce:var", "dice+ce:lr_annealing"),
}
ENVIRONMENT = {
    "CUDA_VISIBLE_DEVICES": "-1",
    "JAX_PLATFORMS": "cpu",
    "PYTHONPATH": str(TESTS.parent),
    "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Any]]:
    """Backend -> case -> what one device and two devices recorded."""

    @functools.cache
    def run(backend: str) -> Any:
        out = tmp_path_factory.mktemp("parallel") / f"{backend}.json"
        command = [sys.executable, str(TESTS / "fusion/parallel_run.py"), str(out), *CASES[backend]]
        env = {**os.environ, **ENVIRONMENT, "KERAS_BACKEND": backend}
        done = subprocess.run(command, env=env, cwd=TESTS.parent, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(Path(out).read_text())

    return run


def table(rows: list[dict[str, float]]) -> np.ndarray:
    return np.array([list(row.values()) for row in rows])


def cases_of_both() -> list[Any]:
    marks = {"tensorflow": pytest.mark.replicas, "jax": ()}
    return [pytest.param(b, case, marks=marks[b]) for b, cases in CASES.items() for case in cases]


@pytest.mark.parametrize(("backend", "case"), cases_of_both())
def test_two_replicas_equal_one_device(found: Any, backend: str, case: str) -> None:
    one, two = found(backend)[case]["one"], found(backend)[case]["two"]
    close = {"rtol": 0, "atol": 1e-5}
    for kind in ("steps", "insight"):
        assert [list(row) for row in one[kind]] == [list(row) for row in two[kind]]
        np.testing.assert_allclose(table(one[kind]), table(two[kind]), **close)
    weights = np.array([[v for k, v in row.items() if k.startswith("weight.")] for row in one["steps"]])
    assert np.abs(np.diff(weights[2:], axis=0)).max() > 1e-3  # there is something to agree about
    for kind in ("logs", "validation", "memory"):
        assert one[kind].keys() == two[kind].keys()
        for key, value in one[kind].items():
            np.testing.assert_allclose(np.asarray(value), two[kind][key], **close, err_msg=f"{kind} {key}")
    assert len(one["variables"]) == 8  # the moving mean and variance too
    for a, b in zip(one["variables"], two["variables"], strict=True):
        np.testing.assert_allclose(np.asarray(a), b, **close)


def test_keras_that_does_not_bring_replicas_together_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keras, "__version__", "3.9.2")
    monkeypatch.setattr(tf.distribute.MirroredStrategy, "num_replicas_in_sync", 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    assert replicas() == 1
    with raises(ConfigError, key="keras", value="3.9.2", hint="use Keras 3.10 or newer"):
        strategy.run(replicas)
