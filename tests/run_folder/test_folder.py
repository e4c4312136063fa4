import errno
import json
import logging
import math
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dmf_cli.errors import RunFolderError
from dmf_cli.files import disk_errors
from dmf_cli.run_folder import headline
from dmf_cli.run_folder.folder import RunFolder, write_atomic

ROW = {"epoch": 1, "step": 4, "loss": 0.5, "loss.bce": 0.25, "val_foreground_dice": math.nan}


@pytest.fixture
def run(tmp_path):
    """A claimed run that can be opened."""
    run = RunFolder.claim(tmp_path / "run")
    run.write_config("seed: 0\n")
    run.write_status("running")
    return run


def refused(call, *words):
    """The one line that ``call`` is refused with; holds all ``words``."""
    with pytest.raises(RunFolderError) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text
    assert [word for word in words if word not in text] == []
    return text


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


# Whole files


def test_a_file_is_replaced_whole_with_the_rights_that_the_user_gives(tmp_path):
    file = tmp_path / "a.txt"
    write_atomic(file, "é")
    write_atomic(file, b"\x00\xff")
    assert file.read_bytes() == b"\x00\xff"
    (tmp_path / "plain").touch()
    assert file.stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert files(tmp_path) == ["a.txt", "plain"]


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "disk is full"), (errno.EROFS, "read-only"), (errno.EACCES, "no permission")],
)
def test_a_file_that_cannot_be_written_keeps_what_was_there(tmp_path, monkeypatch, number, words):
    file = tmp_path / "a.txt"
    write_atomic(file, "before")

    def fail(*_):
        raise OSError(number, "refused")

    monkeypatch.setattr(os, "fsync", fail)
    refused(lambda: write_atomic(file, "after"), str(file), words)
    assert file.read_text() == "before"
    assert files(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.ENOENT])
def test_advice_about_a_run_is_given_where_this_process_trains_one(tmp_path, number):
    """Not by `dmf data check -o DIR`, nor by `dmf eval` of a run that is over."""

    def said(file):
        with pytest.raises(RunFolderError) as caught, disk_errors(file):
            raise OSError(number, "refused")
        return str(caught.value)

    run = RunFolder.claim(tmp_path / "run")
    run.write_status("running")
    about = re.compile(r"run_dir|start the run again|while it is running")
    assert about.search(said(run.epochs_file))
    assert about.search(said(run.metrics / "test_summary.json"))
    assert not about.search(said(tmp_path / "check.json"))
    run.last_checkpoint.touch()  # from here on there is something to resume
    space = number in (errno.ENOSPC, errno.EDQUOT)
    assert ("`dmf resume` the run" in said(run.status_file)) == space
    assert "start the run again" not in said(run.status_file)
    run.write_status("completed")
    assert not about.search(said(run.metrics / "val_summary.json"))


def test_an_interrupt_while_writing_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "a.txt", "text")
    assert files(tmp_path) == []


@pytest.mark.mount
def test_a_disk_that_is_really_full_costs_no_row_and_no_file(tmp_path):
    program = """
import contextlib
import sys
from pathlib import Path
from dmf_cli.errors import RunFolderError
from dmf_cli.run_folder.folder import RunFolder
run = RunFolder.claim(Path(sys.argv[1]) / "run")
run.append_epoch({"epoch": 1, "loss": 0.5})
run.write_status("running", message="kept")
row = {f"column{i}": 0.123456789 for i in range(20_000)}
for write, what in ((run.append_steps, [{"step": 0, "epoch": 1, **row}]), (run.write_config, "x" * 200_000)):
    try:
        write(what)
    except RunFolderError as error:
        print(error)
print(sorted(p.name for p in run.path.iterdir() if p.is_file()), run.steps_file.stat().st_size)
print(run.read_epochs(), run.read_status()["state"])
with (run.path / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
    while file.write(bytes(1024)):
        pass
run.end("failed", message="cannot write epochs.csv")
print(run.read_status()["state"], run.read_status()["message"])
"""
    script = f"mount -t tmpfs -o size=128k none {tmp_path} && exec {sys.executable} -c '{program}' {tmp_path}"
    done = subprocess.run(["unshare", "--mount", "sh", "-c", script], capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert len(lines) == 5, done.stderr
    assert all("disk is full" in line for line in lines[:2])
    assert lines[2] == "['epochs.csv', 'status.json', 'steps.csv', 'train.log'] 0"
    assert lines[3] == "{'epoch': [1.0], 'loss': [0.5]} running"
    assert lines[4] == "failed cannot write epochs.csv"


@pytest.mark.parametrize(("message", "kept"), [("the disk is full", True), ("x" * 100_000, False)])
def test_a_run_that_ends_on_a_full_disk_says_so_in_the_room_that_its_status_has(
    run, monkeypatch, message, kept
):
    before = run.status_file.stat().st_ino
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: None if os.fstat(descriptor).st_ino == before else full()
    )
    run.end("failed", message=message)
    status = json.loads(run.status_file.read_text())
    assert (status["state"], status.get("message") == message) == ("failed", kept)
    assert run.status_file.stat().st_ino == before
    run.path.rename(run.path.with_name("gone"))
    run.end("failed")  # nor does it hide the error that ended the run


# Claiming


def test_claims_of_the_same_second_get_folders_of_their_own(tmp_path):
    root = tmp_path / "outputs"
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda _: RunFolder.claim(root=root, slug="phantom_unet/ü var"), range(24)))
    assert len({run.path for run in runs}) == 24
    relative = runs[0].path.relative_to(root)
    assert len(relative.parts) == 2
    assert relative.name[8:].startswith("_phantom_unet-var")
    assert all(run.plots.is_dir() and run.checkpoints.is_dir() for run in runs)


def test_two_claims_of_one_path_never_both_succeed(tmp_path):
    def claim(_):
        try:
            return RunFolder.claim(tmp_path / "a" / "b")
        except RunFolderError:
            return None

    with ThreadPoolExecutor(8) as pool:
        assert sum(run is not None for run in pool.map(claim, range(8))) == 1


def test_what_exists_is_never_taken(tmp_path, run):
    refused(lambda: RunFolder.claim(run.path), str(run.path), "is a run already", "dmf resume")
    for make in (Path.mkdir, Path.touch, lambda path: path.symlink_to("nowhere")):
        path = tmp_path / "there"
        make(path)
        refused(lambda path=path: RunFolder.claim(path), str(path), "exists already", "does not exist")
        path.rmdir() if path.is_dir() else path.unlink()


def test_a_failed_claim_leaves_nothing_behind(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    refused(lambda: RunFolder.claim(tmp_path / "file" / "run"), "part of the path is a file")
    refused(lambda: RunFolder.claim(tmp_path / "deep" / "er" / ("x" * 300)), "too long")
    original = Path.mkdir

    def fail(self, *args, **kwargs):
        if self.name == "plots":
            full()
        original(self, *args, **kwargs)

    monkeypatch.setattr(Path, "mkdir", fail)
    refused(lambda: RunFolder.claim(root=tmp_path / "outputs"), "disk is full")
    refused(lambda: RunFolder.claim(tmp_path / "new" / "run"), "disk is full")
    assert files(tmp_path) == ["file"]


def test_where_no_folder_can_be_made_another_is_asked_for(tmp_path, monkeypatch):
    def fail(self, *args, **kwargs):  # as in /proc
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(self))

    monkeypatch.setattr(Path, "mkdir", fail)
    says = ("no folder can be made there: set run_dir=... or output_root=...",)
    refused(lambda: RunFolder.claim(tmp_path / "run"), str(tmp_path / "run"), *says)
    refused(lambda: RunFolder.claim(root=tmp_path / "outputs"), str(tmp_path / "outputs"), *says)


def test_an_abandoned_run_leaves_only_what_others_made(tmp_path):
    first, second = (RunFolder.claim(root=tmp_path / "outputs", slug=name) for name in "ab")
    second.abandon()
    assert first.path.is_dir()
    first.abandon()
    assert files(tmp_path) == []


def test_a_home_folder_is_understood(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert RunFolder.claim("~/run").path == tmp_path / "run"
    assert RunFolder.claim(root="~/outputs").path.is_relative_to(tmp_path / "outputs")


# Opening


def test_opening_what_is_no_run_names_the_one_that_was_meant(tmp_path, monkeypatch, run):
    monkeypatch.chdir(tmp_path)
    assert RunFolder.open("run").path == Path("run")
    refused(lambda: RunFolder.open("rum"), "rum does not exist", "did you mean run?")
    refused(lambda: RunFolder.open("run/plots"), "part of a run", "give the run folder run")
    refused(lambda: RunFolder.open("run/train.log"), "part of a run")
    (tmp_path / "something").mkdir()
    refused(lambda: RunFolder.open("something"), "no config.yaml and status.json", "the latest run is run")
    (tmp_path / "file").touch()
    refused(lambda: RunFolder.open(tmp_path / "file"), "is a file")


def test_opening_makes_lost_subfolders_again(run):
    run.plots.rmdir()
    assert RunFolder.open(run.path).plots.is_dir()


def test_opening_without_any_run_says_where_to_look(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(lambda: RunFolder.open("nothing"), "nothing does not exist", "`dmf train` printed")


# Status, one process at a time


def test_status_keeps_its_start_and_forgets_the_end_when_the_run_goes_on(run):
    run.write_status("running", epochs=5)
    started = run.read_status()["started"]
    run.write_status("failed", message="the loss is NaN", epoch=2)
    status = json.loads(run.status_file.read_text())
    assert (status["state"], status["epochs"], status["epoch"]) == ("failed", 5, 2)
    assert status["pid"] == os.getpid()
    assert status["ended"] >= status["started"] == started
    run.write_status("running")
    assert not {"ended", "message"} & run.read_status().keys()
    run.status_file.write_text("{half")
    assert run.read_status() == {}
    with pytest.raises(ValueError, match="allowed are running, completed"):
        run.write_status("done")


def test_no_second_process_writes_to_a_run_that_is_under_way(run):
    second = RunFolder.open(run.path)
    for write in (lambda: second.truncate_after(0), lambda: second.logging().__enter__()):
        refused(write, "in use by process", str(os.getpid()))
    with run.logging():
        pass
    second.truncate_after(0)  # the first is done


def test_the_log_goes_to_the_file_inside_the_block_only(run):
    logger = logging.getLogger("dmf")
    before = logger.level, logger.propagate, list(logger.handlers)
    with run.logging():
        logger.info("inside é")
    logger.warning("outside")
    text = run.log.read_text(encoding="utf-8")
    assert "INFO inside é" in text
    assert "outside" not in text
    assert (logger.level, logger.propagate, list(logger.handlers)) == before


# Rows


def test_rows_come_back_as_columns_in_the_promised_order(run):
    run.append_epoch(ROW)
    run.append_epoch({**ROW, "epoch": 2, "loss": 1 / 3})
    run.append_steps(
        [{"step": 0, "loss.a": 1.0, "weight.a": 0.5, "aux": 0.0, "gamma": 5.0, "loss": 2.0, "epoch": 1}]
    )
    run.append_steps([])
    assert run.steps_file.read_text() == "step,epoch,loss,gamma,aux,loss.a,weight.a\n0,1,2,5,0,1,0.5\n"
    epochs = run.read_epochs()
    assert list(epochs) == list(ROW)
    assert epochs["epoch"] == [1, 2]
    assert epochs["loss"] == pytest.approx([0.5, 1 / 3], rel=1e-8)
    assert all(map(math.isnan, epochs["val_foreground_dice"]))


def test_a_later_row_follows_the_header_whatever_its_own_order(run):
    run.append_epoch({"epoch": 1, "loss": 0.5})
    run.append_epoch({"loss": 0.25, "new": 1.0, "epoch": 2})
    assert run.read_epochs() == {"epoch": [1, 2], "loss": [0.5, 0.25]}


def test_a_row_that_was_cut_off_is_ignored_and_dropped_on_resume(run):
    for epoch in (1, 2):
        run.append_epoch({"epoch": epoch, "loss": 0.5})
    whole = run.epochs_file.read_text()
    for torn in ("3,0.", "3\n", "\0\0\0\0\n"):
        run.epochs_file.write_text(whole + torn)
        assert run.read_epochs() == {"epoch": [1, 2], "loss": [0.5, 0.5]}
        run.truncate_after(9)
        assert run.epochs_file.read_text() == whole
    run.epochs_file.write_text("epo")
    assert run.read_epochs() == {}
    run.truncate_after(9)
    run.append_epoch({"epoch": 1, "loss": 1.0})
    assert run.read_epochs() == {"epoch": [1], "loss": [1.0]}


def test_a_damaged_row_in_the_middle_is_told(run):
    run.epochs_file.write_text("epoch,loss\n1,x\n2,0.5\n")
    refused(run.read_epochs, "epochs.csv, line 2 is damaged", "1,x")


def test_resuming_drops_what_came_after_the_checkpoint(run):
    for epoch in (1, 2, 3):
        run.append_steps([{"step": 2 * epoch + i, "epoch": epoch, "loss": 0.1} for i in (0, 1)])
        run.append_epoch({"epoch": epoch, "loss": 0.1})
    (run.checkpoints / ".last.npz.77-0.tmp").touch()
    run.unfinished_model(3).touch()
    (run.predictions / "test_cases").mkdir()
    (run.predictions / "test_cases" / ".01_image.png.77-1.tmp").touch()
    run.truncate_after(2)
    assert run.read_epochs()["epoch"] == [1, 2]
    assert run.read_steps()["step"] == [2, 3, 4, 5]
    assert [*run.checkpoints.iterdir(), *run.predictions.glob("*/*")] == []
    run.truncate_after(0)
    assert run.read_epochs() == {}
    run.append_epoch({"loss": 0.3, "epoch": 1})
    assert run.epochs_file.read_text() == "epoch,loss\n1,0.3\n"


def test_no_part_of_a_row_stays_when_the_disk_is_full(run, monkeypatch):
    run.append_epoch({"epoch": 1, "loss": 0.5})
    write = os.write

    def some(descriptor, data):
        if len(data) < 5:
            full()
        return write(descriptor, data[:3])

    monkeypatch.setattr(os, "write", some)
    refused(lambda: run.append_epoch({"epoch": 2, "loss": 0.123}), "epochs.csv", "disk is full")
    assert run.epochs_file.read_text() == "epoch,loss\n1,0.5\n"


def test_a_run_that_was_moved_away_is_told(run):
    run.path.rename(run.path.with_name("moved"))
    refused(lambda: run.append_epoch(ROW), "epochs.csv", "folder is gone")
    refused(lambda: run.write_status("running"), "folder is gone")


def test_names_of_columns_may_hold_a_comma_and_a_quote(tmp_path):
    """Classes are called as their owners like, such as "cyst, simple"."""
    run = RunFolder.claim(tmp_path / "run")
    column = headline.class_column('cyst,\n"simple"')
    for epoch in (1, 2):
        run.append_epoch({"epoch": epoch, column: 0.5})
    run.truncate_after(1)
    assert run.read_epochs() == {"epoch": [1], 'val_dice.cyst, "simple"': [0.5]}
