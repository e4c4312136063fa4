import json
import subprocess
import sys

import pytest

from dmf_cli.run_folder import environment as module
from dmf_cli.run_folder.environment import environment

RUNTIME = {
    "backend": "tensorflow",
    "device": "cpu",
    "devices": ("cpu:0",),
    "precision": "float32",
    "jit": False,
}


def test_it_tells_two_machines_apart_and_is_plain_data(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/dmf", "train", "loss=0.7*dice+0.3*bce"])
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    facts = json.loads(json.dumps(environment(RUNTIME)))
    assert facts["runtime"] == {**RUNTIME, "devices": ["cpu:0"]}
    assert facts["command"] == "dmf train 'loss=0.7*dice+0.3*bce'"
    assert facts["variables"]["OMP_NUM_THREADS"] == "3"
    assert facts["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"keras", "numpy", "tensorflow", "hydra-core"} <= facts["packages"].keys()
    assert facts["cores"] >= 1
    assert facts["memory"] > 2**28
    assert facts["gpus"] == []


def test_the_command_of_a_module_is_that_of_the_script(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/somewhere/dmf_cli/__main__.py", "train", "loss=bce"])
    assert environment({})["command"] == "dmf train loss=bce"


def test_graphics_cards_are_listed_when_one_is_used(monkeypatch, tmp_path):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA H200, 143771 MiB, 580.1'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert environment({"device": "gpu:0"})["gpus"] == ["NVIDIA H200, 143771 MiB, 580.1"]
    tool.write_text("#!/bin/sh\nexit 9\n")
    assert environment({"device": "gpu:0"})["gpus"] == []


@pytest.mark.parametrize("error", [FileNotFoundError(), subprocess.TimeoutExpired("git", 1)])
def test_a_missing_or_hanging_git_is_no_reason_to_fail(monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(module.subprocess, "run", fail)
    assert environment({"device": "gpu:0"})["commit"] is None


def test_it_imports_nothing_heavy():
    program = """
import sys
from dmf_cli.run_folder.environment import environment
environment({})
print({"keras", "tensorflow", "jax", "torch", "numpy", "matplotlib", "rich"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
