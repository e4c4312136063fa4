import json

import pytest

from dmf_cli import machine
from dmf_cli.cli import doctor
from dmf_cli.cli.main import main

SEEN = {"keras": "3", "version": "2", "gpus": ["gpu:0"], "cuda": "12.5"}
BLIND = {**SEEN, "gpus": []}


@pytest.fixture
def quick(monkeypatch):
    """A doctor that need not import a backend."""
    monkeypatch.setattr(doctor, "probe", lambda backend: SEEN)
    monkeypatch.setattr(machine, "nvidia_driver", lambda: "Driver Version: 1")


def test_a_sound_machine(quick, capsys):
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "ready: dmf train"
    assert any(line.startswith("ok") and "tensorflow 2 with keras 3" in line for line in lines)


def test_a_problem_says_what_to_do_and_is_code_1(quick, monkeypatch, capsys):
    monkeypatch.setattr(doctor, "probe", lambda backend: {"error": "no module"})
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "PROBLEM" in out
    assert "-> pip install" in out
    assert out.splitlines()[-1] == "1 problem(s): backend"


def test_json_is_for_programs(quick, capsys):
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    names = {check["name"] for check in found}
    assert {"python", "keras", "configs", "outputs", "cache", "backend", "devices", "terminal"} <= names
    assert all(check["do"] for check in found if check["state"] != "ok")


@pytest.mark.parametrize(
    ("found", "driver", "visible", "state"),
    [
        (SEEN, "driver", None, "ok"),
        (BLIND, "", None, "ok"),
        (BLIND, "driver", "-1", "note"),
        (BLIND, "driver", "", "note"),
        (BLIND, "driver", None, "PROBLEM"),
        (BLIND, "driver", "0", "PROBLEM"),
    ],
)
def test_devices_are_compared_with_the_driver(found, driver, visible, state):
    check = doctor.devices("tensorflow", found, driver, visible)
    assert check.state == state
    assert bool(check.do) == (state != "ok")


def test_several_gpus_can_train_one_network():
    several = {**SEEN, "gpus": ["gpu:0", "gpu:1"]}
    found = {backend: doctor.devices(backend, several, "driver", None) for backend in ("jax", "torch")}
    assert "trainer.devices" in found["jax"].found
    assert "trainer.devices" not in found["torch"].found
    assert "trainer.devices" not in doctor.devices("jax", SEEN, "driver", None).found


def test_a_machine_without_a_gpu_is_no_reason_to_install_jax_again():
    found = doctor.probe("jax")
    assert "error" not in found
    assert found["keras"]


def test_the_packages_are_those_that_dmf_itself_asks_for(monkeypatch):
    needed = ["keras>=3.4.1", "hydra-core<1.4,>=1.3.2", "no.such-one[more]>=1; python_version > '3'", "rich"]
    extras = ['optuna<5,>=4.0; extra == "tune"']
    monkeypatch.setattr(doctor.metadata, "requires", lambda name: [*needed, *extras])
    found = {check.name: check.state for check in doctor.packages()}
    assert found == {"keras": "ok", "hydra-core": "ok", "no.such-one": "PROBLEM", "rich": "ok"}


@pytest.mark.parametrize(
    ("version", "state"),
    [("3.4.1", "note"), ("3.13.1", "note"), ("3.13.2", "ok"), ("3.15.1", "ok"), ("4.0.0rc1", "ok")],
)
def test_a_keras_that_runs_code_of_hostile_files(version, state):
    check = doctor.without_holes(doctor.Check("keras", "ok", version))
    assert (check.state, bool(check.do)) == (state, state == "note")
    assert check.found.startswith(version)
    assert doctor.without_holes(doctor.Check("rich", "ok", version)).state == "ok"


def test_dmf_that_is_not_installed(monkeypatch):
    monkeypatch.setattr(doctor, "DISTRIBUTION", "no-such-distribution")
    (check,) = doctor.packages()
    assert check.state == "PROBLEM"
    assert check.do.startswith("pip install . ")


def test_missing_packages():
    assert doctor.package("no-such-package", required=True).state == "PROBLEM"
    assert doctor.package("no-such-package", required=False).state == "note"


def test_a_folder_that_cannot_be_written(monkeypatch, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setattr(machine, "writable", lambda folder: "Permission denied")
    check = doctor.folder_check("cache", file)
    assert (check.state, check.do) == ("PROBLEM", "set DMF_CACHE=PATH")


def test_a_folder_that_is_not_there_yet_counts_by_its_parent(tmp_path):
    assert machine.writable(tmp_path / "a" / "b") == ""
    assert list(tmp_path.iterdir()) == []
    assert machine.free_space(tmp_path / "a") > 0


def test_the_cache_that_is_looked_at_is_the_one_of_the_datasets(quick, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DMF_CACHE", "~/mine")
    assert main(["doctor"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.split()[1:2] == ["cache"]]
    assert f"{tmp_path}/mine (" in line


@pytest.mark.parametrize(("size", "state"), [(None, "note"), (2**30, "note"), (2**34, "ok")])
def test_memory(monkeypatch, size, state):
    monkeypatch.setattr(machine, "memory", lambda: size)
    assert doctor.memory().state == state


def test_a_backend_that_does_not_import_is_reported(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a stranger's, whose modules are not for us
    (tmp_path / "no_such_backend.py").write_text("open('ran', 'w').close()\n", encoding="utf-8")
    assert "No module named 'no_such_backend'" in doctor.probe("no_such_backend")["error"]
    assert not (tmp_path / "ran").exists()
