"""What is started takes no code from the working folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dmf_cli
from dmf_cli.jobs import process

PACKAGE = Path(dmf_cli.__file__).parent
PLANTED = "open('ran', 'w').close()\n"


def test_no_other_place_starts_python():
    started = {
        str(file.relative_to(PACKAGE))
        for file in PACKAGE.rglob("*.py")
        if re.search(r"\[\s*sys\.executable", file.read_text(encoding="utf-8"))
    }
    assert started == {"jobs/process.py"}


@pytest.mark.parametrize(
    "command", [process.python("dmf_cli", "no"), [sys.executable, "-m", "dmf_cli", "no"]]
)
def test_modules_of_the_working_folder_are_not_run(command, tmp_path):
    (tmp_path / "difflib.py").write_text(PLANTED, encoding="utf-8")  # what dmf imports to say what was meant
    env = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: unknown command 'no'")
    assert not (tmp_path / "ran").exists()
