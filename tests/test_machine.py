"""What is asked of the machine."""

import pytest

from dmf_cli import machine
from dmf_cli.run_folder import environment

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
