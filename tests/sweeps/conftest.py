import os
import subprocess
import sys
from pathlib import Path

import pytest

from dmf_cli.cli.main import main
from dmf_cli.jobs import process


@pytest.fixture
def sweep(monkeypatch, tmp_path):
    """``sweep("seed=0,1")`` runs a sweep of stub jobs below ``tmp_path/out``; returns the exit code."""
    monkeypatch.setattr(process, "MODULE", "tests.sweeps.stub_child")
    monkeypatch.setattr("dmf_cli.jobs.runner.PAUSE", 0.02)
    monkeypatch.setenv("DMF_DISPLAY", "plain")
    monkeypatch.chdir(tmp_path)

    def run(*overrides):
        return main(["train", "-m", "output_root=out", COLD, *overrides])

    return run


COLD = "sweep.warm=false"  # the stub needs nothing that takes long to import
APART = """
import sys
from dmf_cli.cli.main import main
from dmf_cli.jobs import process
process.MODULE = "tests.sweeps.stub_child"
sys.argv = ["dmf", "train", "-m", "output_root=out", "sweep.warm=false", *sys.argv[1:]]
sys.exit(main())
"""


def environment():
    return {**os.environ, "DMF_DISPLAY": "plain", "PYTHONPATH": str(Path(__file__).parents[2])}


@pytest.fixture
def command(tmp_path):
    """``sweep`` in a process of its own, for launchers that leave threads and open files behind."""

    def run(*overrides):
        return subprocess.run(
            [sys.executable, "-c", APART, *overrides],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
        )

    return run


@pytest.fixture
def calls(tmp_path):
    """The seeds of the jobs that began, in their order; ``7 again`` for one that went on."""

    def read():
        file = tmp_path / "out" / "calls.txt"
        return file.read_text().splitlines() if file.exists() else []

    return read
