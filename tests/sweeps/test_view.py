"""What a sweep shows, on terminals of all sizes."""

import io
import time
import types

import pytest
from rich.console import Console

from dmf_cli import config as configs
from dmf_cli.sweeps import view
from dmf_cli.sweeps.board import Board, JobRow
from dmf_cli.sweeps.display import SweepDisplay
from dmf_cli.sweeps.jobs import SweepJob

CONFIG = configs.compose(["trainer.monitor=val_foreground_dice", "output_root=out"])


def job(number, **label):
    return SweepJob(
        number, (), CONFIG, f"id{number}", {key.replace("__", "."): v for key, v in label.items()}
    )


def rows(count=12):
    made = [
        JobRow(job(n, loss="cbdice+bce", trainer__batch_size="16", seed=str(n))) for n in range(1, count + 1)
    ]
    made[0].__dict__.update(state="completed", epoch=20, epochs=20, best=0.5, score=0.25, seconds=100.0)
    made[1].__dict__.update(state="failed", message="a loss became NaN")
    made[2].__dict__.update(state="running", epoch=5, epochs=20, best=0.4, seconds=25.0, eta=75.0)
    made[3].__dict__.update(state="running", epoch=20, epochs=20, best=0.45, seconds=99.0)
    made[-1].__dict__.update(state="same", message="same run as job 1")
    return made


def lines(what, width):
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(what)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_the_whole_table():
    header, *body = lines(view.table(rows()), 120)
    assert header.split() == [
        "job", "loss", "batch_size", "seed", "state", "epoch", "val", "Dice", "test", "Dice", "time", "left"
    ]  # fmt: skip
    assert body[0].split() == [
        "1", "cbdice+bce", "16", "1", "done", "20/20", "0.5000", "0.2500", "1:40", "min"
    ]  # fmt: skip
    assert body[1].split() == ["2", "cbdice+bce", "16", "2", "failed"]
    assert body[2].split()[4:] == ["running", "5/20", "0.4000", "25", "s", "1:15", "min"]
    assert "scoring" in body[3]
    assert body[-1].endswith("same run as job 1")


@pytest.mark.parametrize("width", [40, 50, 60, 80, 100])
def test_a_narrow_terminal_shortens_what_the_user_knows_first(width):
    found = lines(view.table(rows(), width=width), width)
    assert len(found) == 13
    assert all(len(line) <= width for line in found)
    assert "running" in found[3]
    if width >= 50:
        assert {"5/20", "0.4000"} <= set(found[3].split())


def test_what_is_under_way_and_what_failed_is_shown_where_not_all_fits():
    shown = lines(view.table(rows(), room=6), 120)[1:]
    assert [line.split()[0] for line in shown] == ["2", "3", "4", "5", "6"]
    assert view.left_out(rows(), 6) == "+ 1 done, 5 waiting, 1 duplicate"
    assert view.left_out(rows(), 12) == ""


def test_totals_and_lines():
    made = rows()
    assert (
        str(view.totals(made, 125.0, 600.0))
        == "1 of 11 done, 2 running, 1 failed | 2:05 min | about 10:00 min left"
    )
    assert view.line(made[0], 12) == (
        "job 1/12 (loss=cbdice+bce trainer.batch_size=16 seed=1): done, best val Dice 0.5000, "
        "test Dice 0.2500, 1:40 min"
    )
    assert view.line(made[1], 12).endswith("failed, a loss became NaN")


@pytest.mark.parametrize(("width", "height"), [(100, 30), (50, 8), (20, 4)])
def test_the_live_part_never_exceeds_the_terminal(monkeypatch, tmp_path, width, height):
    monkeypatch.chdir(tmp_path)
    board = Board([made.job for made in rows()])
    board.rows = rows()
    board.note = "stopping: running jobs save their state"
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)
    found = lines(SweepDisplay(board, "live", console).panel(), width)
    assert len(found) < height
    assert all(len(line) <= width for line in found)
    if width > 40:
        assert "1 of 11 done" in found[0]
        assert found[-1] == board.note


def test_live_tells_a_failure_above_the_table_and_leaves_the_table(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dmf_cli.sweeps.display.LOOK", 0.01)
    board = Board([job(1, seed="0"), job(2, seed="1")])
    console = Console(file=io.StringIO(), width=100, height=20, force_terminal=True, color_system=None)
    with SweepDisplay(board, "live", console).following():
        board.set(board.rows[0].job, "loading")
        board.set(board.rows[0].job, "failed", "a loss became NaN")
        time.sleep(0.1)
    text = console.file.getvalue()
    assert text.count("error: job 1 (seed=0): a loss became NaN") == 1
    assert "0 of 2 done, 1 failed" in text.splitlines()[-1]


def test_quiet_says_nothing_but_failures(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    board = Board([job(1, seed="0")])
    with SweepDisplay(board, "quiet").following():
        board.set(board.rows[0].job, "failed", "why")
    assert capsys.readouterr() == ("", "error: job 1 (seed=0): why\n")


def test_seconds_left(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    board = Board([job(n) for n in range(4)])
    board.workers = 2
    assert board.seconds_left() is None
    board.rows[0].__dict__.update(state="completed", seconds=60.0)
    board.rows[1].__dict__.update(state="running", eta=20.0)
    assert board.seconds_left() == pytest.approx((20 + 2 * 60) / 2)


def test_the_score_of_several_classes_is_their_mean(tmp_path):
    import json

    from dmf_cli.sweeps import board

    (tmp_path / "metrics").mkdir()
    for figures, score in (
        ({"foreground": {"dice": {"mean": 0.5}}}, 0.5),
        ({"foreground": {"dice": {"mean": 0.5}}, "mean": {"dice": {"mean": 0.25}}}, 0.25),
        ({"foreground": {"dice": {"mean": 0.5}}, "mean": {"dice": {"mean": None}}}, None),
    ):
        (tmp_path / "metrics/test_summary.json").write_text(json.dumps(figures))
        assert board._score(tmp_path) == score
    several = configs.compose(["dataset.task=type"])
    rows = [types.SimpleNamespace(job=types.SimpleNamespace(config=several))]
    assert view._monitor(rows) == "val mean Dice"
