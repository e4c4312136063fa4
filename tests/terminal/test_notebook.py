"""What runs and sweeps show in a notebook: one output, drawn again, without control characters."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from dmf_cli.sweeps.display import SweepDisplay
from dmf_cli.terminal import notebook
from dmf_cli.terminal.notebook import CellOutput
from dmf_cli.terminal.run_display import Display
from tests.terminal.test_run_display import RUN, row_of


@pytest.fixture
def cell(monkeypatch):
    """What the cell below shows: its outputs, each in its last form."""
    outputs = []

    def display(bundle, raw, display_id):
        assert raw
        assert display_id
        outputs.append([bundle])
        return SimpleNamespace(update=lambda bundle, raw: outputs[-1].append(bundle))

    monkeypatch.setattr("IPython.display.display", display)
    monkeypatch.setattr("rich.jupyter.display", lambda segments, text: None)
    monkeypatch.delenv("DMF_DISPLAY", raising=False)
    return outputs


def jupyter():
    return Console(file=io.StringIO(), force_jupyter=True, highlight=False)


def test_a_run_is_one_output_that_is_drawn_again(cell, monkeypatch):
    monkeypatch.setattr(notebook, "SECONDS", 0.0)
    display = Display(console=jupyter())
    assert display.mode == "live"
    display.start({**RUN, "epochs": 3})
    for epoch in (1, 2, 3):
        for step in range(9):
            display.batch(step, 9)
        display.epoch(row_of(epoch))
    display.phase("scoring the test split")
    display.finish(None, "outputs/run")
    (drawn,) = cell
    assert len(drawn) > 27
    assert "3/3" in drawn[-1]["text/plain"]
    assert "<pre" in drawn[-1]["text/html"]
    assert all("\x1b" not in text for bundle in drawn for text in bundle.values())


def test_it_is_not_drawn_at_every_step(cell, monkeypatch):
    monkeypatch.setattr(notebook, "SECONDS", 3600.0)
    display = Display(console=jupyter())
    display.start(RUN)
    for step in range(1000):
        display.batch(step, 1000)
    assert len(cell[0]) == 1


def test_the_banner_is_one_output(monkeypatch, cell):
    said = []
    monkeypatch.setattr("rich.jupyter.display", lambda segments, text: said.append(text))
    display = Display(console=jupyter())
    display.start(RUN)
    assert len([text for text in said if "phantom" in text]) == 1


def test_a_table_of_a_sweep_leaves_its_place_to_the_last_one(cell):
    board = SimpleNamespace(rows=[], note="", seconds_left=lambda: None, look=lambda: None)
    display = SweepDisplay(board, "live", jupyter())
    with display.following():
        assert isinstance(display._live, CellOutput)
    assert cell[0][-1]["text/plain"].strip() == ""
