"""A training that is killed, or whose disk fails, at some of the moments that ``scripts/faults.py`` tries."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from dmf_cli import files
from dmf_cli.errors import RunFolderError
from dmf_cli.run_folder.folder import RunFolder
from dmf_cli.training import trainer
from tests.faults import crashes, disks, points, runs, surroundings, truth
from tests.raised import raises
from tests.undrawn import undrawn

ROOT = Path(__file__).resolve().parents[2]
SHORT = "trainer.epochs=2"


def some(found):
    """The best network waits for its place, the status for the checkpoint; half a checkpoint; no power."""
    kill, torn, power = (
        [point for point in found if point.kind == kind] for kind in ("kill", "torn", "power")
    )
    waiting = [point for point in kill if truth.waits(point.folder)]
    behind = [point for point in kill if not truth.waits(point.folder) and is_behind(point.folder)]
    halves = [point for point in torn if "checkpoints/.last.npz" in point.before]
    inside = [point for point in power if truth.position(point.folder)[1]]
    return [waiting[-1], behind[-1], halves[-1], inside[-1]]


def is_behind(folder):
    """The status has not heard of the epoch of the checkpoint."""
    return RunFolder(folder).read_status().get("epoch", 0) < truth.position(folder)[0]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The run that nothing disturbs; the others use its network, which is compiled already."""
    place = tmp_path_factory.mktemp("faults")
    with undrawn(), runs.one_network():
        assert crashes.of_training(place, some, SHORT).problems == []
        yield place / "whole"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path


def test_a_run_that_is_killed_while_it_is_resumed_loses_nothing(place, whole):
    tally = crashes.of_resuming(place, whole, lambda found: [], SHORT)
    assert tally.tried > 50
    assert tally.problems == []


@pytest.mark.parametrize(
    ("name", "number", "once"),
    [
        ("ENOSPC", 12, False),  # in the log, which says nothing, then in a checkpoint
        ("ENOSPC", 23, True),  # in the best network
        ("EROFS", 150, False),
    ],
)
def test_a_disk_that_fails_is_one_true_line_and_the_run_is_finished_later(place, whole, name, number, once):
    tally = disks.errors(place, whole, name, [number], SHORT, once=once)
    assert tally.tried == 1
    assert tally.problems == []


def test_a_folder_that_is_moved_while_the_run_is_scored_is_not_made_again(place, whole):
    tally = disks.gone(place, whole, ["unlink prediction.json"], SHORT)
    assert tally.tried == 1
    assert tally.problems == []


def test_a_clock_that_jumps_changes_nothing(place, whole):
    assert surroundings.clock(place, whole, 1, 0, SHORT).problems == []


def test_a_run_at_work_is_not_resumed(place, whole, monkeypatch):
    def epoch(self, row):
        with raises(RunFolderError, reason="is in use"):
            trainer.resume(place / "run")

    monkeypatch.setattr(trainer.Display, "epoch", epoch)
    end = runs.command(runs.train(place / "run", SHORT))
    monkeypatch.undo()
    assert end.code == 0
    assert truth.differences(whole, place / "run") == []


def test_a_status_that_is_not_written_whole_is_found(place, monkeypatch):
    run = RunFolder.claim(place / "run")
    monkeypatch.setattr(files, "write_atomic", lambda path, content: path.write_text(content))
    monkeypatch.setattr("dmf_cli.run_folder.folder.write_atomic", files.write_atomic)
    with points.recorded(run.path, place / "points") as found:
        run.write_status("running")
    assert ["status.json is torn"] in [truth.lies(point.folder) for point in found]


def test_points_are_drawn_once_each():
    found = [points.Point(Path(), "", "kill", number) for number in range(9)]
    chosen = [point.seen for point in crashes.at_random(4, seed=0)(found)]
    assert len(set(chosen)) == 4
    assert crashes.at_random(99, seed=0)(found) == found


@pytest.mark.mount
def test_a_disk_that_is_really_full_loses_nothing(tmp_path):
    """Its own process: the disk is mounted where no other process sees it."""
    script = [
        sys.executable,
        "scripts/faults.py",
        "--parts",
        "full",
        "--every",
        "6",
        "--folder",
        str(tmp_path),
    ]
    done = subprocess.run(["unshare", "--mount", *script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    tried, *problems = map(int, re.findall(r"disk really full" + r" +(\d+)" * 4, done.stdout)[0])
    assert tried >= 2
    assert problems == [0, 0, 0]
