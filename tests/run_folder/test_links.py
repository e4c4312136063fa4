"""No file of a run is opened, made, replaced or deleted through a symbolic link: it may be anybody's."""

import os

import pytest

from dmf_cli import config as configs
from dmf_cli.cli.main import main
from dmf_cli.comparison import loading
from dmf_cli.errors import RunFolderError
from dmf_cli.run_folder import cases, csv_log, index, places, stored_config
from dmf_cli.run_folder.folder import RunFolder
from tests.raised import raises
from tests.run_folder.test_edited import COMMANDS, write

ENTRIES = [
    *(
        "train.log",
        "config.yaml",
        "status.json",
        "epochs.csv",
        "predictions/test_cases",
        "checkpoints/best.keras",
    ),
    *("plugins", "metrics"),
]


@pytest.fixture(scope="module")
def config():
    return configs.compose(["loss=dice"])


@pytest.fixture
def run(config, tmp_path):
    """A completed run, beside what is not of it."""
    run = write(tmp_path / "run", config)
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/01_image.png").write_text("a picture")
    return run


def link(run, name, to):
    """Make ``name`` in ``run`` a link; what was there is what it points to."""
    place = run / name
    if place.exists():
        place.replace(to)
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(to)
    return place


@pytest.mark.parametrize("name", ENTRIES)
@pytest.mark.parametrize(
    "enter", [RunFolder.open, stored_config.load_run, lambda path: loading.load(path, "foreground.dice")]
)
def test_no_way_into_a_run_follows_a_link(enter, name, run, tmp_path):
    place = link(run, name, tmp_path / "elsewhere")
    with raises(RunFolderError, path=place, reason="is a symbolic link"):
        enter(run)
    assert not (tmp_path / "elsewhere/metrics").exists()


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - {"sweep"}))
def test_every_command_refuses_a_run_with_a_link_in_one_line(
    command, run, config, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    target = tmp_path / "start.pth"  # Python runs its lines that begin with "import"
    link(run, "train.log", target)
    write(tmp_path / "other", config)
    named = {"RUN2": tmp_path / "other", "RUN": run, "NEW": tmp_path / "new"}
    words = COMMANDS[command]
    for name, place in named.items():
        words = [f"{word.removesuffix(name)}{place}" if word.endswith(name) else word for word in words]
    assert main(words) != 0
    out, err = capsys.readouterr()
    assert len([line for line in err.splitlines() if "train.log is a symbolic link" in line]) == 1
    assert "unexpected" not in err + out
    assert not target.exists()


def test_a_run_may_be_named_by_a_link(run, tmp_path):
    (tmp_path / "latest").symlink_to(run)
    assert RunFolder.open(tmp_path / "latest").read_status()["state"] == "completed"


def test_a_pipe_is_no_file_of_a_run(run):
    os.mkfifo(run / "steps.pipe")
    with raises(RunFolderError, reason="is neither a file nor a folder"):
        RunFolder.open(run)


@pytest.mark.parametrize(("files", "levels"), [(20, 16), (1000, 3)])
def test_a_run_without_an_end_is_not_walked_through(run, monkeypatch, files, levels):
    monkeypatch.setattr(places, "FILES", files)
    monkeypatch.setattr(places, "LEVELS", levels)
    places.check_files(run)
    (run / "a/b/c/d").mkdir(parents=True)
    for number in range(20):
        (run / f"a/b/c/d/{number}").touch()
    with raises(RunFolderError, path=run, reason="as no run does"):
        RunFolder.open(run)


def test_a_comparison_walks_through_a_run_once(run, monkeypatch):
    walked = []
    check = places.check_files
    monkeypatch.setattr(places, "check_files", lambda path, **how: (walked.append(path), check(path, **how)))
    with pytest.raises(RunFolderError):
        loading.load(run, "foreground.dice")
    assert walked == [run]


def test_files_that_are_made_do_not_follow_a_link(tmp_path):
    run = RunFolder.claim(tmp_path / "run")
    run.release()
    run.log.unlink()
    for file in (run.log, run.epochs_file):
        file.symlink_to(tmp_path / "elsewhere")
    for make in (
        run.hold,
        run.logging().__enter__,
        lambda: csv_log.append(run.epochs_file, ["a"], [{"a": 1}]),
    ):
        with raises(RunFolderError, hint="it is a symbolic link"):
            make()
    assert not (tmp_path / "elsewhere").exists()


def test_pictures_of_others_are_not_removed(run, tmp_path):
    theirs = tmp_path / "theirs"
    with raises(RunFolderError, reason="is a symbolic link"):
        cases.write(link(run, "predictions/test_cases", theirs), [])
    (theirs / "2023_holiday.png").write_text("a picture")
    cases.write(theirs, [])  # only what it has written itself
    assert sorted(file.name for file in theirs.iterdir()) == ["2023_holiday.png", "cases.json"]


def test_an_index_reads_nothing_through_a_link(run, tmp_path):
    link(run, "train.log", tmp_path / "log")
    entry = index.read(run)
    entry.status["state"] = "running"
    assert entry.state == "broken"
    link(run, "status.json", tmp_path / "status")
    assert index.Index(tmp_path).refresh() == []
    assert places.is_run(run)
