"""``trainer.hosts``: from the command line, as two processes of this machine."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dmf_cli import config as configs
from dmf_cli import hosts
from dmf_cli.errors import ConfigError, RunError
from tests.raised import raises
from tests.test_host_links import free
from tests.training.test_devices import QUICK, check_alike

ROOT = Path(__file__).parents[2]
TRAIN = ["trainer.hosts=2", "trainer.backend=jax", "trainer.devices=all", "trainer.device=cpu"]


def both(folder: Path, kind: str) -> list[subprocess.CompletedProcess[str]]:
    """What became of hosts_run.py on each of two hosts."""
    address, processes = free(), []
    for number in ("0", "1"):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder / f"tmp{number}")}
        environment |= {hosts.NUMBER: number, hosts.COORDINATOR: address, "KERAS_BACKEND": "jax"}
        environment |= {"JAX_COMPILATION_CACHE_DIR": str(folder.parent / "compiled"), **QUICK}
        (folder / f"tmp{number}").mkdir()
        words = [sys.executable, "-P", "-m", "tests.training.hosts_run", str(folder), kind]
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        processes.append(subprocess.Popen(words, cwd=ROOT, env=environment, **pipes))
    written = [one.communicate() for one in processes]
    return [
        subprocess.CompletedProcess(one.args, one.returncode, *texts)
        for one, texts in zip(processes, written, strict=True)
    ]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder with the runs of two hosts, and of the first one alone."""
    folder = tmp_path_factory.mktemp("hosts")
    for done in both(folder, "trained"):
        assert done.returncode == 0, done.stderr[-3000:]
    return folder


def said(folder: Path, name: str, number: int, kind: str = "trained") -> tuple[int, str]:
    code, line = json.loads((folder / f"{kind}{number}.json").read_text())[name]
    return code, line


def test_two_hosts_equal_one(runs: Path) -> None:
    assert [said(runs, "two", number)[0] for number in (0, 1)] == [0, 0]
    assert said(runs, "one", 0)[0] == 0
    check_alike(runs / "one", runs / "two", 1e-5)
    identities = {json.loads((runs / name / "status.json").read_text())["id"] for name in ("one", "two")}
    assert len(identities) == 1
    environment = json.loads((runs / "two/environment.json").read_text())
    assert environment["runtime"]["shared"] == 2


def test_hosts_that_train_different_runs_say_so_and_write_nothing(runs: Path) -> None:
    for number in (0, 1):
        code, line = said(runs, "unlike", number)
        assert (code, "do not train the same run" in line) == (2, True), line
    assert not (runs / "unlike").exists()


def test_the_others_leave_nothing_behind(runs: Path) -> None:
    made = {path.name for path in runs.iterdir() if path.is_dir()}
    assert made == {"one", "two", "stopped", "fewer", "tmp0", "tmp1"}
    assert not list((runs / "tmp1").iterdir())


def test_one_host_that_is_asked_stops_both_and_nothing_is_lost(runs: Path) -> None:
    assert [said(runs, "stopped", number)[0] for number in (0, 1)] == [130, 130]
    assert [said(runs, "resumed", number)[0] for number in (0, 1)] == [0, 0]
    check_alike(runs / "two", runs / "stopped", 0)


def test_one_host_continues_a_run_of_two(runs: Path) -> None:
    assert said(runs, "resumed on one", 0)[0] == 0
    check_alike(runs / "two", runs / "fewer", 1e-5)
    assert "hosts: 1\n" in (runs / "fewer/config.yaml").read_text()


def test_a_host_that_dies_ends_the_others_and_the_run_can_be_resumed(tmp_path: Path) -> None:
    alive, dead = both(tmp_path, "dying")
    assert (alive.returncode, dead.returncode) == (0, -9), alive.stderr[-3000:]
    code, line = said(tmp_path, "bereft", 0, "dying")
    assert (code, "another host" in line) == (1, True), line
    assert said(tmp_path, "resumed", 0, "dying")[0] == 0
    assert json.loads((tmp_path / "bereft/status.json").read_text())["state"] == "completed"


@pytest.mark.parametrize(
    ("words", "number", "address", "fields"),
    [
        (["trainer.backend=torch"], "0", "here:1", {"key": "trainer.hosts", "hint": "trainer.backend=jax"}),
        (["trainer.devices=2"], "0", "here:1", {"key": "trainer.hosts", "hint": "trainer.devices=all"}),
        (["trainer.precision=auto"], "0", "here:1", {"key": "trainer.precision", "value": "auto"}),
        ([], "2", "here:1", {"key": hosts.NUMBER, "value": "2", "allowed": "0 to 1"}),
        ([], "first", "here:1", {"key": hosts.NUMBER, "value": "first"}),
        ([], "0", None, {"key": hosts.COORDINATOR, "allowed": "HOST:PORT"}),
        ([], "0", "here", {"key": hosts.COORDINATOR, "value": "here"}),
        ([], "0", "here:0", {"key": hosts.COORDINATOR, "value": "here:0"}),
        ([], "0", "here:70000", {"key": hosts.COORDINATOR, "value": "here:70000"}),
        ([], None, None, {"key": "trainer.hosts", "hint": hosts.NUMBER}),
    ],
)
def test_hosts_that_cannot_meet(
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    number: str | None,
    address: str | None,
    fields: dict[str, Any],
) -> None:
    for name, value in ((hosts.NUMBER, number), (hosts.COORDINATOR, address)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    with raises(ConfigError, **fields):
        hosts.join(configs.compose([*TRAIN, *words]).trainer)


def test_two_hosts_on_one_machine_would_use_the_same_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(hosts.NUMBER, raising=False)
    monkeypatch.setattr(hosts.machine, "gpus", lambda: 4)
    trainer = configs.compose([word for word in TRAIN if "device=" not in word]).trainer
    monkeypatch.setenv("SLURM_STEP_TASKS_PER_NODE", "4(x2)")
    with raises(ConfigError, key="SLURM_STEP_TASKS_PER_NODE", value="4(x2)", hint="--ntasks-per-node=1"):
        hosts.join(trainer)
    monkeypatch.setenv("SLURM_STEP_TASKS_PER_NODE", "1(x2)")
    with raises(ConfigError, key="trainer.hosts", hint=hosts.NUMBER):  # the next thing that is missing
        hosts.join(trainer)


def test_a_scheduler_says_who_the_hosts_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(hosts.NUMBER, raising=False)
    monkeypatch.delenv(hosts.COORDINATOR, raising=False)
    slurm = {"JOB_ID": "7", "STEP_NODELIST": "gpu[04-06]", "NTASKS": "2", "PROCID": "1", "LOCALID": "0"}
    for name, value in {**slurm, "STEP_NUM_NODES": "2", "NNODES": "2"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    trainer = configs.compose(TRAIN).trainer
    address, number = hosts._place(trainer)
    assert (address.partition(":")[0], number) == ("gpu04", 1)
    with raises(ConfigError, key="trainer.hosts", value=3, reason="and 2 were started"):
        hosts._place(configs.compose([*TRAIN, "trainer.hosts=3"]).trainer)


def test_the_end_of_another_host_explains_an_error_of_jax(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    monkeypatch.setattr(hosts, "_links", SimpleNamespace(ended=ended, close=lambda stop: ended.clear()))
    with pytest.raises(ValueError, match="of its own"), hosts.together():
        raise ValueError("of its own")
    for error in (RuntimeError("gloo"), ValueError("by Keras")):
        ended.set()
        monkeypatch.setattr(hosts, "_links", SimpleNamespace(ended=ended, close=lambda stop: ended.clear()))
        with pytest.raises(RunError, match="another host"), hosts.together():
            raise error
    ended.set()
    monkeypatch.setattr(hosts, "_links", SimpleNamespace(ended=ended, close=lambda stop: ended.clear()))
    with raises(ConfigError, key="loss"), hosts.together():
        raise ConfigError(key="loss", value=1, reason="which is what this host has found by itself")


def test_several_hosts_train_one_run_only() -> None:
    from dmf_cli.sweeps import jobs

    with raises(ConfigError, key="trainer.hosts", hint="trainer.hosts=1"):
        jobs.plan([*TRAIN, "seed=0,1"])
