import io
import logging
import math
import subprocess
import sys
from types import SimpleNamespace

import pytest
from rich.console import Console

from dmf_cli import interrupts
from dmf_cli.terminal import run_display, run_view
from dmf_cli.terminal.console import SafeConsole
from dmf_cli.terminal.run_display import Display

RUN = {
    "run": "outputs/2026-01-31/12-00-00_phantom_unet_cbdice+bce_var",
    "runtime": SimpleNamespace(
        backend="tensorflow",
        device="gpu:0",
        devices=("gpu:0", "gpu:1"),
        precision="float32",
        jit=True,
        deterministic=False,
    ),
    "dataset": "phantom",
    "images": {"train": 140, "val": 30, "test": 31},
    "model": "unet",
    "parameters": 1941234,
    "terms": ("cbdice", "bce"),
    "weighting": "var",
    "auxiliary": "cbdice",
    "epochs": 4,
    "steps": 9,
    "batch_size": 16,
    "monitor": "val_foreground_dice",
}


def row_of(epoch, terms=("bce", "cbdice"), **fields):
    row = {
        "epoch": epoch,
        "step": 9 * epoch,
        "seconds": 12.0,
        "learning_rate": 1e-3,
        "loss": 0.4123,
        "gamma": 4.5,
        "aux": 0.25,
    }
    for i, term in enumerate(terms):
        row |= {
            f"loss.{term}": 0.1 + i,
            f"weight.{term}": 0.25,
            f"share.{term}": 0.1 * (i + 1),
            f"val_loss.{term}": 1.0,
        }
    return {
        **row,
        "val_objective": 0.31,
        "val_foreground_dice": 0.8123,
        "best": 0.8345,
        "best_epoch": 1,
        **fields,
    }


def terminal(mode="live", width=80, height=24, file=None, **options):
    console = SafeConsole(
        file=file or io.StringIO(), force_terminal=mode == "live", width=width, height=height, **options
    )
    return Display(mode, console)


def drive(shown, epochs=4, steps=9, terms=("bce", "cbdice")):
    for epoch in range(1, epochs + 1):
        for step in range(steps):
            shown.batch(step, steps)
        shown.epoch(row_of(epoch, terms))


def panel(shown):
    """What the live part shows, as lines of plain text."""
    console = shown.console
    plain = Console(file=io.StringIO(), width=console.width, height=console.height, color_system=None)
    plain.print(shown._panel())
    return plain.file.getvalue().splitlines()


def test_plain_lines_one_an_epoch_with_everything_in_it():
    shown = terminal("plain")
    shown.start(RUN)
    drive(shown)
    shown.phase("scoring the test split")
    shown.finish(None, "outputs/x")
    lines = shown.console.file.getvalue().splitlines()
    epochs = [line for line in lines if line.startswith("epoch ")]
    assert epochs[0] == (
        "epoch 1/4 | loss 0.4123 | cbdice 1.1000*0.250 bce 0.1000*0.250 | gamma 4.500 aux 0.2500 | "
        "val Dice 0.8123 | val objective 0.3100 | best 0.8345 @1 | 12 s, 36 s left"
    )
    assert len(epochs) == 4
    assert epochs[-1].endswith("| 12 s")
    assert lines[-3:] == ["scoring the test split", "", "results   outputs/x"]
    assert "\x1b" not in shown.console.file.getvalue()


def test_the_start_says_what_runs_on_what():
    shown = terminal("plain")
    shown.start(RUN)
    shown.stop()
    text = shown.console.file.getvalue()
    for said in (
        RUN["run"],
        "tensorflow on gpu:0 (1 more not used), float32, jit on",
        "phantom: 140 train, 30 val, 31 test images",
        "unet, 1,941,234 parameters",
        "cbdice + bce, weighting var",
        "cbdice, fading",
        "4 epochs of 9 steps, batch size 16; best by val_foreground_dice",
    ):
        assert said in text


def test_the_start_says_that_a_precision_was_tried():
    shown = terminal("plain")
    shown.start({**RUN, "runtime": SimpleNamespace(**vars(RUN["runtime"]), trial=object())})
    shown.stop()
    assert "float32 (auto), jit on" in shown.console.file.getvalue()


def test_a_resumed_run_says_where_it_resumes():
    shown = terminal("plain")
    shown.start({**RUN, "first_epoch": 2})
    assert "from epoch 3" in shown.console.file.getvalue()
    assert shown.progress.done == 2
    shown.stop()


@pytest.mark.parametrize(("epoch", "said"), [(1, "/runs/one, 1 epoch"), (20, "/runs/one, 20 epochs")])
def test_a_run_that_extends_another_names_it_and_its_epochs(epoch, said):
    assert ("extends", said) in run_view.banner({"parent": ("/runs/one", epoch)})


def test_a_start_that_knows_little_is_no_error():
    shown = terminal("plain")
    shown.start({})
    shown.epoch({"epoch": 1})
    shown.finish(None, "x")
    assert "epoch 1/0" in shown.console.file.getvalue()


def test_the_live_panel_has_terms_weights_shares_and_the_best():
    shown = terminal()
    shown.start(RUN)
    drive(shown, epochs=2)
    shown.batch(4, 9)
    lines = panel(shown)
    shown.finish(None, "outputs/x")
    text = "\n".join(lines)
    assert lines[0].startswith("epoch 3/4")
    assert lines[0].rstrip().endswith("left")
    assert lines[1].startswith("step  5/9")
    assert [line.split()[:4] for line in lines if line.startswith(("cbdice", "bce"))] == [
        ["cbdice", "1.1000", "0.250", "67"],
        ["bce", "0.1000", "0.250", "33"],
    ]
    assert "best 0.8345 (epoch 1)" in text
    assert "times gamma 4.500" in text
    assert "\x1b[?25l" in shown.console.file.getvalue()  # the cursor goes
    assert shown.console.file.getvalue().rstrip().endswith("outputs/x")
    assert "\x1b[?25h" in shown.console.file.getvalue()  # and comes back


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (40, 10), (12, 4), (1, 1)])
@pytest.mark.parametrize("count", [1, 25])
def test_the_panel_fits_every_terminal(width, height, count):
    terms = [f"focal_tversky_{i}" for i in range(count)]
    shown = terminal(width=width, height=height)
    shown.start({**RUN, "terms": terms})
    drive(shown, terms=terms)
    lines = panel(shown)
    shown.finish(None, "outputs/x")
    assert all(len(line) <= width for line in lines)
    if width >= 40 and height >= 10:
        assert len(lines) < height
    if (count, height) == (25, 24):
        assert any("lighter" in line for line in lines)


def test_values_that_are_missing_or_not_finite_are_shown_as_such():
    shown = terminal()
    shown.start(RUN)
    shown.epoch(row_of(1, loss=math.inf, val_foreground_dice=math.nan, best=None, **{"loss.bce": math.nan}))
    lines = panel(shown)
    shown.stop()
    assert any(line.split()[:3] == ["val", "Dice", "nan"] for line in lines)
    assert any(line.split()[:2] == ["bce", "nan"] for line in lines)
    assert not any("best" in line for line in lines)


def test_another_monitor_has_a_line_of_its_own():
    shown = terminal()
    shown.start({**RUN, "monitor": "val_loss.bce"})
    shown.epoch(row_of(1, best=0.9))
    line = next(line for line in panel(shown) if line.startswith("val_loss.bce"))
    shown.stop()
    assert line.split() == ["val_loss.bce", "1.0000", "best", "0.9000", "(epoch", "1)"]


def test_output_without_unicode_is_no_error():
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="ascii", errors="replace")
    shown = terminal(file=file)
    shown.start({**RUN, "dataset": "brüste", "terms": ("bcé",)})
    drive(shown, epochs=2, terms=("bcé",))
    shown.finish(None, "outputs/ä")
    file.flush()
    assert b"br?ste" in raw.getvalue()


def test_standard_output_in_ascii_gets_question_marks_instead_of_an_exception(monkeypatch):
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", file)
    shown = Display("plain")
    shown.start({**RUN, "dataset": "brüste"})
    shown.finish(None, "x")
    assert shown.mode == "plain"
    assert b"br?ste" in file.buffer.getvalue()


class Gone(io.StringIO):
    """A terminal that is closed after a while."""

    limit = 300

    def write(self, text):
        if self.tell() > self.limit:
            raise BrokenPipeError(32, "Broken pipe")
        return super().write(text)


@pytest.mark.parametrize("mode", ["plain", "live"])
def test_a_terminal_that_is_gone_does_not_end_the_run(mode):
    before = sys.stdout, sys.stderr
    shown = terminal(mode, file=Gone())
    shown.start(RUN)
    drive(shown)
    shown.phase("scoring")
    shown.finish(None, "x")
    assert shown.mode == "quiet"
    assert (sys.stdout, sys.stderr) == before


@pytest.mark.parametrize("rows", [0, 2])
def test_what_ctrl_c_will_do_is_not_cut_off(rows):
    shown = terminal()
    shown.start(RUN)
    drive(shown, rows)
    shown.stopping(interrupts.STOPPING)
    assert interrupts.STOPPING in panel(shown)
    shown.stop()


def test_quiet_says_nothing():
    shown = terminal("quiet")
    shown.start(RUN)
    drive(shown)
    shown.finish(None, "x")
    assert shown.console.file.getvalue() == ""


@pytest.mark.parametrize(
    ("variable", "is_terminal", "mode"),
    [
        (None, True, "live"),
        (None, False, "plain"),
        ("plain", True, "plain"),
        ("quiet", False, "quiet"),
        ("quit", False, "plain"),
    ],
)
def test_the_mode_follows_the_terminal_and_the_variable(monkeypatch, capsys, variable, is_terminal, mode):
    monkeypatch.delenv("DMF_DISPLAY", raising=False)
    if variable:
        monkeypatch.setenv("DMF_DISPLAY", variable)
    assert Display(console=Console(file=io.StringIO(), force_terminal=is_terminal)).mode == mode
    assert ("did you mean 'quiet'?" in capsys.readouterr().err) == (variable == "quit")


def test_a_dumb_terminal_gets_lines(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    assert Display(console=Console(file=io.StringIO(), force_terminal=True)).mode == "plain"


def test_warnings_of_the_run_are_shown_until_it_ends():
    shown = terminal("plain")
    logger = logging.getLogger("dmf")
    shown.start(RUN)
    logger.warning("2 step(s) made no update")
    logger.error("a traceback, which is for the log")
    shown.stop()
    logger.warning("after the end")
    text = shown.console.file.getvalue()
    assert "warning: 2 step(s) made no update" in text
    assert "traceback" not in text
    assert "after the end" not in text


def test_the_time_left_comes_from_steps_at_first_and_from_epochs_later(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(run_display.time, "monotonic", lambda: now[0])
    shown = terminal("plain")
    shown.start(RUN)
    shown.batch(0, 9)
    assert shown._panel().progress.phase == "compiling"
    assert shown._panel().progress.eta is None
    now[0] += 60.0  # compiling says nothing about the speed
    for step in range(1, 5):
        shown.batch(step, 9)
        now[0] += 2.0
    now[0] -= 2.0
    # 4 of 36 steps are done, 3 of them took 2 s each
    assert shown._panel().progress.eta == pytest.approx(32 * 2.0)
    assert shown._panel().progress.phase == ""
    shown.epoch(row_of(1, seconds=80.0))
    assert shown.progress.eta == pytest.approx(3 * (80.0 - 60.0)), "nor does it after the first epoch"
    shown.epoch(row_of(2, seconds=20.0))
    assert shown.progress.eta == pytest.approx(40.0)
    shown.batch(0, 9)
    now[0] += 5.0
    assert shown._panel().progress.eta == pytest.approx(35.0)
    shown.stop()


def test_the_results_are_the_table_of_the_evaluation():
    shown = terminal("plain")
    shown.start(RUN)
    shown.finish("table of these", "outputs/x")
    assert shown.console.file.getvalue().splitlines()[-2:] == ["table of these", "results   outputs/x"]


def test_a_batch_draws_nothing():
    shown = terminal("plain")
    shown.start(RUN)
    before = shown.console.file.getvalue()
    for step in range(1000):
        shown.batch(step, 1000)
    assert shown.console.file.getvalue() == before
    shown.stop()


def test_keras_is_not_imported():
    program = (
        "import sys, dmf_cli.terminal.run_display; print({'keras', 'tensorflow', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
