"""What is asked of the machine: its GPUs, what a container allows, and what a backend keeps."""

from pathlib import Path

import pytest

from dmf_cli import machine
from dmf_cli.run_folder import environment

GIB = 2**30
TABLE = """\
+----------------------------------------------------------------+
| NVIDIA-SMI 580.1       Driver Version: 580.1   CUDA Version: 13 |
+----------------------------------------------------------------+
"""


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """``tool("exit 9")``: an nvidia-smi that does so, and no other."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")

    def write(does):
        file = tmp_path / "nvidia-smi"
        file.write_text(f"#!/bin/sh\n{does}\n")
        file.chmod(0o755)

    return write


@pytest.mark.parametrize(
    ("text", "has"),
    [
        ("processor : 0\nflags\t\t: fpu avx512f avx512_bf16 amx_tile\n", True),
        ("flags\t\t: fpu amx_bf16\nflags\t\t: fpu\n", True),
        ("flags\t\t: fpu avx2 avx512f\nbugs : amx_bf16\n", False),
        ("Features\t: fp asimd bf16\n", False),
        ("", False),
    ],
)
def test_a_processor_says_whether_it_computes_in_bfloat16(monkeypatch, text, has):
    monkeypatch.setattr(machine, "_read", lambda file: text)
    assert machine.has_bfloat16() == has


def test_the_driver_is_a_line_of_nvidias_table(tool):
    tool(f"cat <<END\n{TABLE}END")
    assert machine.nvidia_driver() == "NVIDIA-SMI 580.1 Driver Version: 580.1 CUDA Version: 13"


@pytest.mark.parametrize("does", ["exit 9", "printf '\\377'"])
def test_a_tool_that_fails_is_a_driver_all_the_same(tool, does):
    tool(does)
    assert machine.nvidia_smi("-L") == []
    assert machine.nvidia_driver() == "a driver whose nvidia-smi fails"


def test_one_function_asks_nvidias_tool(monkeypatch):
    asked = []
    monkeypatch.setattr(machine.shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(machine, "nvidia_smi", lambda *words: asked.append(words) or ["GPU 0: Thing"])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert machine.gpus() == 1
    assert environment.environment({"device": "gpu:0"})["gpus"] == ["GPU 0: Thing"]
    assert machine.nvidia_driver() == ""
    assert len(asked) == 3


@pytest.fixture
def control(tmp_path, monkeypatch):
    """``control("0::/a", {"a/cpu.max": "100000 100000"})``: control groups, and their files."""

    def made(membership, files):
        monkeypatch.setattr(machine, "_CONTROL", tmp_path / "control")
        monkeypatch.setattr(machine, "_MEMBERSHIP", tmp_path / "membership")
        (tmp_path / "membership").write_text(membership)
        for name, text in files.items():
            file = tmp_path / "control" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    monkeypatch.setenv(machine.MEMORY_SHARED, "1")
    return made


@pytest.mark.parametrize(
    ("membership", "files", "worth"),
    [
        ("0::/", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/", {"cpu.max": "max 100000\n"}, 64),
        ("0::/job/step", {"job/cpu.max": "350000 100000", "job/step/cpu.max": "max 100000"}, 4),
        ("0::/job", {"job/cpu.max": "10000 100000"}, 1),
        ("3:cpu,cpuacct:/a", {"cpu/a/cpu.cfs_quota_us": "800000", "cpu/a/cpu.cfs_period_us": "100000"}, 8),
        ("3:cpu:/outside", {"cpu/cpu.cfs_quota_us": "800000", "cpu/cpu.cfs_period_us": "100000"}, 8),
        ("3:cpu:/", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 64),
        ("", {}, 64),
    ],
)
def test_a_container_has_the_time_of_some_processors_only(control, monkeypatch, membership, files, worth):
    control(membership, files)
    monkeypatch.setattr(machine, "processors", lambda: 64)
    assert machine.processors_worth() == worth


@pytest.mark.parametrize(
    ("membership", "folder", "limit", "used", "idle"),
    [
        ("0::/", "", "memory.max", "memory.current", "inactive_file"),
        ("0::/job/step", "job", "memory.max", "memory.current", "inactive_file"),
        ("4:memory:/x", "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ],
)
def test_free_is_what_the_container_has_not_used(control, membership, folder, limit, used, idle):
    files = {limit: str(GIB), used: str(GIB // 2), "memory.stat": f"anon 5\n{idle} {GIB // 4}\n"}
    control(membership, {str(Path(folder, name)): text for name, text in files.items()})
    assert machine.free_memory() <= GIB * 3 // 4
    assert machine.memory() == GIB
    machine.share_memory(3)
    assert machine.free_memory() <= GIB // 4


def test_a_backend_keeps_the_processors_that_it_started_with(monkeypatch):
    machine.backend_processors.cache_clear()
    for now in (2, 1):
        monkeypatch.setattr(machine, "processors", lambda now=now: now)
        assert machine.backend_processors() == 2
    machine.backend_processors.cache_clear()


@pytest.mark.parametrize("count", [None, 1])
def test_after_a_while_on_some_processors_a_process_has_all_that_it_had(count):
    before = machine.processor_numbers()
    with machine.on_processors(count):
        assert machine.processors() == (count or len(before))
    assert machine.processor_numbers() == before
