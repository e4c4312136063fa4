"""What a loss of power leaves of the files of a run, on the harshest file system: only what was flushed."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dmf_cli.files import write_atomic
from dmf_cli.run_folder import cases, checkpoint_file, csv_log
from dmf_cli.run_folder.folder import RunFolder
from tests.faults import points

EXAMPLE = cases.Example("a", "best", 0.5, *(np.zeros((2, 2), "uint8") for _ in range(3)))


def left(folder: Path, work: Callable[[], object]) -> dict[str, int]:
    """The files in ``folder`` after ``work()`` and a loss of power, each with its size."""
    with points.recorded(folder, folder.with_name("points")) as found:
        work()
    last = [point.folder for point in found if point.kind == "power"][-1]
    kept = {str(file.relative_to(last)): file.stat().st_size for file in last.rglob("*") if file.is_file()}
    shutil.rmtree(folder.with_name("points"))
    return kept


@pytest.fixture
def disk(tmp_path):
    (tmp_path / "disk").mkdir()
    return tmp_path / "disk"


def test_a_new_run_is_still_in_the_folders_that_were_made_for_it(disk):
    def work():
        run = RunFolder.claim(root=disk / "outputs")
        run.write_config("seed: 1\n")
        run.release()

    (config,) = [name for name in left(disk, work) if name.endswith("config.yaml")]
    assert (disk / config).is_file()


@pytest.mark.parametrize("rows", [1, 2])
def test_rows_outlive_it_also_the_first_ones_of_a_file(disk, rows):
    def work():
        for epoch in range(rows):
            csv_log.append(disk / "steps.csv", ["epoch"], [{"epoch": epoch}])

    assert left(disk, work) == {"steps.csv": len("epoch\n") + rows * len("1\n")}


@pytest.mark.parametrize("linked", [True, False])
def test_the_checkpoint_before_the_last_is_whole_too(disk, monkeypatch, linked):
    def refuse(*_):
        raise OSError("no links here")

    def work():
        for epoch in (1, 2, 3):
            checkpoint_file.write(disk / "last.npz", {"a": np.zeros(9)}, {"epoch": epoch}, keep=2)

    if not linked:
        monkeypatch.setattr(os, "link", refuse)
    kept = left(disk, work)
    assert set(kept) == {"last.npz", "last.1.npz"}
    assert kept["last.npz"] == kept["last.1.npz"]


def test_the_pictures_of_a_run_are_in_its_folder(disk):
    def work():
        write_atomic(disk / "test.png", "")
        cases.write(disk / "test_cases", [EXAMPLE])

    assert "test_cases/cases.json" in left(disk, work)
