"""``trainer.devices``: from the command line, on two virtual devices of the CPU."""

import csv
import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dmf_cli import config as configs
from dmf_cli import devices, runtime
from dmf_cli.errors import ConfigError
from tests.quick_xla import XLA_FLAGS
from tests.raised import raises

ROOT = Path(__file__).parents[2]
BACKENDS = [
    pytest.param("tensorflow", marks=pytest.mark.replicas),
    pytest.param("jax", marks=pytest.mark.replicas),
]
# Half of the time with JAX is its compilers'; its runs on two devices compile the same programs.
QUICK = {
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    "XLA_FLAGS": XLA_FLAGS,
}
Runs = Callable[[str], Path]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Backend -> the folder with the runs of devices_run.py."""

    @functools.cache
    def made(backend: str) -> Path:
        folder = tmp_path_factory.mktemp(backend)
        environment = {**os.environ, **QUICK, "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled")}
        environment["PYTHONPATH"] = str(ROOT)
        environment.pop("KERAS_BACKEND", None)
        words = [sys.executable, "-P", "-m", "tests.training.devices_run", backend, str(folder)]
        done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return folder

    return made


def said(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "said.json").read_text())


def table(file: Path, *, without: tuple[str, ...] = ("seconds",)) -> tuple[list[str], np.ndarray]:
    """The columns of a table and its numbers; NaN where a cell is empty."""
    with file.open(newline="") as rows:
        found = list(csv.DictReader(rows))
    columns = [name for name in found[0] if name not in without]
    return columns, np.array([[float(row[name] or "nan") for name in columns] for row in found])


def check_alike(one: Path, other: Path, tolerance: float) -> None:
    for name in ("steps.csv", "epochs.csv", "insight.csv"):
        (columns, a), (others, b) = table(one / name), table(other / name)
        assert columns == others
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance, err_msg=name)
    a, b = (json.loads((run / "metrics/test_summary.json").read_text()) for run in (one, other))
    assert b["foreground"]["dice"]["mean"] == pytest.approx(a["foreground"]["dice"]["mean"], abs=tolerance)


@pytest.mark.parametrize("backend", BACKENDS)
def test_two_devices_equal_one(runs: Runs, backend: str) -> None:
    folder = runs(backend)
    assert said(folder)["two"][0] == said(folder)["one"][0] == 0
    check_alike(folder / "one", folder / "two", 1e-4)
    environments = [json.loads((folder / n / "environment.json").read_text()) for n in ("one", "two")]
    assert [one["runtime"]["shared"] for one in environments] == [1, 2]
    identities = {json.loads((folder / n / "status.json").read_text())["id"] for n in ("one", "two")}
    assert len(identities) == 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_interruption_changes_nothing(runs: Runs, backend: str) -> None:
    folder = runs(backend)
    assert [said(folder)[name][0] for name in ("stopped", "resumed")] == [130, 0]
    check_alike(folder / "two", folder / "stopped", 0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_fewer_devices_continue_a_run(runs: Runs, backend: str) -> None:
    folder = runs(backend)
    assert said(folder)["resumed on one"][0] == 0
    check_alike(folder / "two", folder / "fewer", 1e-4)
    assert "devices: 1\n" in (folder / "fewer/config.yaml").read_text()


@pytest.mark.parametrize("backend", BACKENDS)
def test_its_network_is_applied_on_one_device(runs: Runs, backend: str) -> None:
    folder = runs(backend)
    assert said(folder)["eval"][0] == 0
    assert (folder / "two/metrics/val_summary.json").is_file()


@pytest.mark.parametrize("backend", BACKENDS)
def test_devices_that_are_not_there_and_batches_that_cannot_be_shared(runs: Runs, backend: str) -> None:
    folder = runs(backend)
    for name, key in (("many", "trainer.devices"), ("unequal", "trainer.batch_size")):
        code, line = said(folder)[name]
        assert (code, key in line) == (2, True), line


@pytest.mark.parametrize(
    ("words", "fields"),
    [
        (
            ["trainer.devices=2", "trainer.backend=torch"],
            {"key": "trainer.devices", "hint": "trainer.backend=tensorflow"},
        ),
        (
            ["trainer.devices=all", "trainer.device=gpu:0"],
            {"key": "trainer.devices", "hint": "trainer.device=gpu"},
        ),
        (["trainer.devices=5"], {"key": "trainer.devices", "value": 5, "allowed": "1 to 4"}),
        (
            ["trainer.devices=2", "trainer.batch_size=7"],
            {"key": "trainer.batch_size", "value": 7, "hint": "use 6 or 8"},
        ),
    ],
)
def test_what_gpus_cannot_share(
    monkeypatch: pytest.MonkeyPatch, words: list[str], fields: dict[str, Any]
) -> None:
    monkeypatch.setattr(devices, "visible", lambda backend, kind: [f"{kind}:{i}" for i in range(4)])
    trainer = configs.compose(words).trainer
    with raises(ConfigError, **fields):
        devices.count(trainer, "gpu")


def test_all_are_those_that_are_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "visible", lambda backend, kind: [f"{kind}:{i}" for i in range(4)])
    assert devices.count(configs.compose(["trainer.devices=all"]).trainer, "gpu") == 4
    monkeypatch.setattr(devices, "visible", lambda backend, kind: ["gpu:0"])
    assert devices.count(configs.compose(["trainer.devices=all"]).trainer, "gpu") == 1


def test_what_only_applies_a_network_uses_one_device() -> None:
    trainer = configs.compose(["trainer.devices=64", "trainer.device=cpu"]).trainer
    assert runtime.start(trainer).shared == 1


def test_replicas_of_tensorflow_are_not_compiled_by_xla() -> None:
    assert runtime._jit("auto", "tensorflow", "gpu:0", deterministic=False, shared=1)
    assert not runtime._jit("auto", "tensorflow", "gpu:0", deterministic=False, shared=2)
    assert runtime._jit("auto", "jax", "gpu:0", deterministic=False, shared=2)
    with raises(ConfigError, key="trainer.jit", hint="trainer.backend=jax"):
        runtime._jit(True, "tensorflow", "gpu:0", deterministic=False, shared=2)
