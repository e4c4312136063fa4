"""Each setting is timed in a process of its own, which leaves nothing behind."""

import os
from types import SimpleNamespace

import pytest

from dmf_cli import machine
from dmf_cli.config.typed import Config
from dmf_cli.errors import ConfigError, RunError
from dmf_cli.planning import timing
from dmf_cli.planning.room import OutOfMemoryError
from tests.raised import raises

HELD = 200 * 2**20


def config(name: str, held: int = 0) -> Config:
    return Config({"dataset": {"name": name}, "held": held})


@pytest.fixture(scope="module")
def timer():
    with timing.Timer("tests.planning.stub_timing") as made:
        yield made


def test_the_memory_of_a_setting_is_its_own_and_imports_are_done_once(timer):
    large, small = timer(config("right", HELD)), timer(config("right"))
    assert large.memory > HELD
    assert small.memory < large.memory - HELD / 2
    assert large.start != small.start  # two processes
    assert large.compiling == small.compiling != os.getpid()  # of one that has imported
    assert large.imports == small.imports == 7.0


def test_what_is_wrong_with_a_config_is_said_and_the_next_one_is_timed(timer):
    with raises(ConfigError, key="dataset.name", value="wrong", allowed="right"):
        timer(config("wrong"))
    assert timer(config("right")).memory > 0


def test_a_process_that_is_killed_is_an_error_with_a_hint(timer):
    with raises(RunError, what="killed", hint="memory="):
        timer(config("killed"))
    assert timer(config("right")).memory > 0


def test_a_want_of_memory_is_an_error_of_its_own_and_a_killed_process_is_not(timer):
    with raises(OutOfMemoryError, what="out of memory"):
        timer(config("full"))
    with pytest.raises(RunError) as caught:
        timer(config("killed"))
    assert not isinstance(caught.value, OutOfMemoryError)


def test_where_forking_is_not_safe_each_setting_has_a_new_process(monkeypatch):
    monkeypatch.setenv("DMF_TEST_ALONE", "1")
    with timing.Timer("tests.planning.stub_timing") as alone:
        first, second = alone(config("right")), alone(config("right"))
        assert first.start != second.start
        assert first.compiling == second.compiling == os.getpid()


def test_nothing_runs_on_after_the_block():
    with timing.Timer("tests.planning.stub_timing") as made:
        pid = int(made(config("right")).compiling)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize(
    ("visible", "count"), [(None, 2), ("", 0), ("-1", 0), ("1", 1), ("0,1", 2), ("0,1,2", 2)]
)
def test_visible_gpus_are_counted_without_a_backend(visible, count, tmp_path, monkeypatch):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'GPU 0: NVIDIA H100'\necho 'GPU 1: NVIDIA H100'\n", encoding="utf-8")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert machine.gpus() == count


@pytest.mark.parametrize(
    ("backend", "platform", "gpus", "safe"),
    [
        ("tensorflow", "linux", 0, True),
        ("tensorflow", "linux", 1, False),
        ("tensorflow", "darwin", 0, False),
        ("jax", "linux", 0, False),
    ],
)
def test_only_what_has_neither_threads_nor_a_gpu_is_forked(backend, platform, gpus, safe, monkeypatch):
    monkeypatch.setattr(machine, "gpus", lambda: gpus)
    monkeypatch.setattr(timing.sys, "platform", platform)
    chosen = SimpleNamespace(trainer=SimpleNamespace(backend=backend))
    assert timing.forks(chosen) == safe
