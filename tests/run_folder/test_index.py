"""Runs found by their id, and what may be done with them."""

import json
import os
import socket

import pytest

from dmf_cli.run_folder.folder import RunFolder
from dmf_cli.run_folder.index import DEPTH, Index


@pytest.fixture
def make(tmp_path):
    """A run folder with this status."""

    def run(name, checkpoint=True, **status):
        folder = tmp_path / name
        (folder / "checkpoints").mkdir(parents=True)
        (folder / "config.yaml").write_text("seed: 0\n")
        (folder / "status.json").write_text(json.dumps({"id": "x", **status}))
        if checkpoint:
            (folder / "checkpoints" / "last.npz").write_text("")
        return folder

    return run


def the_only(root):
    (entry,) = Index(root).refresh()
    return entry


def ended_pid():
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


@pytest.mark.parametrize(
    ("status", "checkpoint", "state"),
    [
        ({"state": "completed"}, True, "completed"),
        ({"state": "failed"}, True, "resumable"),
        ({"state": "interrupted"}, True, "resumable"),
        ({"state": "failed"}, False, "broken"),
        ({}, False, "broken"),
        ({"state": "running", "host": "elsewhere", "pid": 1}, True, "resumable"),  # nobody holds its log
    ],
)
def test_states(make, tmp_path, status, checkpoint, state):
    make("a", checkpoint, **status)
    assert the_only(tmp_path).state == state


def test_a_run_whose_process_is_gone_is_not_running(make, tmp_path):
    make("a", state="running", host=socket.gethostname(), pid=ended_pid())
    assert (the_only(tmp_path).state, the_only(tmp_path).said) == ("resumable", "broke off")


def test_a_run_at_work(tmp_path):
    run = RunFolder.claim(tmp_path / "a")
    run.write_config("seed: 0\n")
    run.write_status("running", id="x")
    assert (the_only(tmp_path).state, the_only(tmp_path).said) == ("running", "is running")
    run.release()
    assert the_only(tmp_path).state == "broken"


def test_the_best_run_of_an_id_counts(make, tmp_path):
    make("b/early", state="failed", epoch=2)
    make("b/late", state="failed", epoch=7)
    make("c", checkpoint=False, state="failed", epoch=9)
    index = Index(tmp_path)
    assert index.by_id()["x"].path.name == "late"
    done = make("d", state="completed", epoch=1)
    assert index.by_id()["x"].path == done


def test_a_status_that_cannot_be_read_is_no_status(make, tmp_path):
    (make("a") / "status.json").write_text("{")
    assert the_only(tmp_path).id == ""
    assert Index(tmp_path).by_id() == {}


def test_where_runs_are_looked_for(make, tmp_path):
    make("/".join("abcd"[:DEPTH]))
    make("/".join("abcdef"[: DEPTH + 1]) + "/too/deep")
    make(".hidden/run")
    assert [entry.path.name for entry in Index(tmp_path).refresh()] == ["d"]
    assert Index(tmp_path / "nowhere").refresh() == []


def test_a_status_that_changes_is_read_again(make, tmp_path):
    folder = make("a", state="running")
    index = Index(tmp_path)
    index.refresh()
    (folder / "status.json").write_text(json.dumps({"state": "completed", "id": "x"}))
    os.utime(folder / "status.json", ns=(1, 1))
    assert index.by_id()["x"].state == "completed"
