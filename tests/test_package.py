"""What is shipped: the wheel, the lock and the oldest versions."""

import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import dmf_cli

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# --- the wheel ---


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--wheel-dir", folder)
    run(sys.executable, "-m", "pip", "wheel", *options, ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts folder of an environment outside the checkout; other packages come from this one."""
    folder = tmp_path_factory.mktemp("outside")
    venv.create(folder / "env", with_pip=False)
    python = folder / "env" / "bin" / "python"
    run(
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--no-deps",
        "--no-index",
        "--quiet",
        wheel,
    )
    # The .pth files found by way of a .pth file are not read: so not the one of an editable dmf either.
    (site,) = (folder / "env" / "lib").glob("python*/site-packages")
    (site / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python.parent


def test_the_wheel_has_the_package_with_its_configs_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    ours = {f"dmf_cli/{p.relative_to(ROOT)}" for p in (ROOT / "conf").rglob("*.yaml")}
    assert "dmf_cli/conf/train.yaml" in ours <= names
    files = [p for pattern in ("*.py", "templates/*") for p in (ROOT / "dmf_cli").rglob(pattern)]
    assert {p.relative_to(ROOT).as_posix() for p in files if p.is_file()} <= names
    version = dmf_cli.__version__
    assert {name.split("/")[0] for name in names} == {"dmf_cli", f"dmf_cli-{version}.dist-info"}
    assert f"dmf_cli-{version}.dist-info/licenses/LICENSE" in names
    assert not [name for name in names if "test" in Path(name).name or name.endswith(".pyc")]


def test_an_installed_wheel_is_the_same_dmf(installed: Path, tmp_path: Path) -> None:
    where = run(installed / "python", "-c", "import dmf_cli; print(dmf_cli.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parent)
    here = Path(sysconfig.get_path("scripts")) / "dmf"
    for arguments in (("--help",), ("train", "--cfg", "job", "loss=dice:0.7+bce:0.3", "seed=3")):
        there = run(installed / "dmf", *arguments, cwd=tmp_path)
        assert there == run(here, *arguments, cwd=tmp_path)
        assert there
    assert not list(tmp_path.iterdir())


# --- the lock ---


def lock() -> dict[str, str]:
    lines = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if line[0] != "#"]
    pins = [re.fullmatch(r"([a-z0-9-]+)==([\w.]+)", line) for line in lines]
    assert all(pins), "the lock has a line that is no NAME==VERSION: write it again with `make lock`"
    return {pin[1]: pin[2] for pin in pins if pin}


def requirements(extra: str | None = None) -> Iterator[Requirement]:
    optional = PROJECT["optional-dependencies"]
    for text in optional[extra] if extra else PROJECT["dependencies"]:
        requirement = Requirement(text)
        if requirement.name == PROJECT["name"]:
            for other in requirement.extras:
                yield from requirements(other)
        else:
            yield requirement


def test_the_lock_pins_every_requirement_within_its_bounds() -> None:
    pins = lock()
    for requirement in (*requirements(), *requirements("dev")):
        assert pins[canonicalize_name(requirement.name)] in requirement.specifier, requirement
    assert not {"tensorflow-cpu", "torch", "dmf-cli"} & set(pins)


def test_lower_bounds_are_the_oldest_versions_tested() -> None:
    text = (ROOT / "requirements-oldest.txt").read_text()
    oldest = {
        canonicalize_name(name): version
        for name, version in re.findall(r"^([\w-]+)==(.+)$", text, re.MULTILINE)
    }
    for requirement in requirements():
        (lower,) = [s.version for s in requirement.specifier if s.operator == ">="]
        version = oldest[canonicalize_name(requirement.name)]
        assert (version + ".").startswith(lower + ".") or version == lower, requirement
