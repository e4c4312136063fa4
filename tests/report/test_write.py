"""Where a report is written, and what happens where it cannot be."""

import shutil
import subprocess
import sys

import pytest

from dmf_cli import report
from tests.report.parsed import refused


def test_wrong_paths_are_one_line(finished, tmp_path, capsys):
    path = finished()
    (tmp_path / "empty").mkdir()
    assert "no run in" in refused(capsys, tmp_path / "empty")
    assert "does not exist" in refused(capsys, tmp_path / "gone")
    assert "is a part of a run" in refused(capsys, path / "metrics")
    assert "is a folder: give a file" in refused(capsys, path, "-o", tmp_path / "empty")
    assert "give another file with -o FILE" in refused(capsys, path, "-o", tmp_path / "no/such/file.html")
    (path / "status.json").unlink()
    assert "no status.json" in refused(capsys, path)


def test_a_folder_that_may_not_be_written_to(finished, tmp_path, capsys, monkeypatch):
    path = finished()

    def full(*_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("dmf_cli.files.os.fsync", full)
    assert "(Read-only file system): give another file with -o FILE" in refused(capsys, path)
    assert not (path / "report.html").exists()


def test_a_report_that_fails_is_a_line_of_the_log(finished, monkeypatch, caplog):
    path = finished()
    monkeypatch.setattr("dmf_cli.report.run_page.context", lambda facts: 1 / 0)
    report.after_run(path)
    (line,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert line == f"no report (ZeroDivisionError: division by zero); `dmf report {path}` tries again"


def test_a_report_imports_no_framework(finished):
    path = finished()
    code = (
        "import sys; from dmf_cli.cli.main import main; main(['report', sys.argv[1]]);"
        "print([m for m in ('tensorflow', 'keras', 'jax', 'torch', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("texts", [("", ""), ("hello", "hello"), ("a: [1", "{}")])
def test_a_folder_that_is_no_run_is_left_as_it_is(tmp_path, capsys, texts):
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, text in zip(("config.yaml", "status.json"), texts, strict=True):
        (folder / name).write_text(text)
    assert "is not a run folder" in refused(capsys, folder)
    assert "is not a run folder" in refused(capsys, tmp_path)
    assert sorted(file.name for file in folder.iterdir()) == ["config.yaml", "status.json"]


def test_a_report_makes_no_folder(finished):
    path = finished()
    shutil.rmtree(path / "checkpoints", ignore_errors=True)
    assert report.write([path]).file.is_file()
    assert not (path / "checkpoints").exists()
