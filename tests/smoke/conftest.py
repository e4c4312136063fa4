"""The wheel, built and installed outside the checkout once for all workers; other packages are those here."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")
ALONE = ("--no-deps", "--no-index", "--quiet")


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the wheel is installed into."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "smoke"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            wheels = folder / "wheels"
            subprocess.run(
                [*PIP, "wheel", *ALONE, "--no-build-isolation", "--wheel-dir", wheels, ROOT], check=True
            )
            (wheel,) = wheels.glob("*.whl")
            subprocess.run([*PIP, "install", *ALONE, "--target", folder / "site", wheel], check=True)
            (folder / "done").touch()
    return folder / "site"


@pytest.fixture(scope="session")
def environment(installed: Path) -> dict[str, str]:
    """Of a process that finds the wheel before the checkout, on a terminal of 80 columns."""
    return {
        **os.environ,
        "PYTHONPATH": str(installed),
        "COLUMNS": "80",
        "DMF_DISPLAY": "plain",
        "TF_NUM_INTRAOP_THREADS": "1",
        "TF_NUM_INTEROP_THREADS": "1",
    }


@pytest.fixture
def dmf(installed: Path, environment: dict[str, str], tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """``dmf(*words)``: a process of the installed script, outside the checkout."""

    def start(*words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-P", str(installed / "bin" / "dmf"), *words],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.fixture
def drive(environment: dict[str, str], tmp_path: Path) -> Callable[..., list[dict]]:
    """``drive(commands, *options)``: what each did, all in one process of the installed package, with options
    of the driver; none may be odd.
    """

    def run(commands: Sequence[Sequence[str]], *options: str) -> list[dict]:
        asked, given = tmp_path / "commands.json", tmp_path / "results.json"
        asked.write_text(json.dumps(commands))
        driver = Path(__file__).with_name("driver.py")
        done = subprocess.run(
            [sys.executable, "-P", str(driver), str(asked), str(given), *options],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        found = json.loads(given.read_text())
        for one in found:
            print(f"{one['seconds']:6.1f} s  dmf {' '.join(one['words'])}")
        odd = [one for one in found if "Traceback" in one["err"] or "unexpected " in one["err"]]
        assert odd == []
        return found

    return run
