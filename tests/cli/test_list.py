import inspect
import re
import sys

import pytest

from dmf_cli import conf_files, config
from dmf_cli.cli import _model_costs
from dmf_cli.cli import list as listing
from dmf_cli.cli.main import main
from dmf_cli.config.headers import read_header
from dmf_cli.parts import decorators


@pytest.fixture(autouse=True)
def no_measuring(monkeypatch):
    """Building all models takes long; one of them is measured below."""
    monkeypatch.setattr(_model_costs, "start", lambda: "cpu")
    monkeypatch.setattr(_model_costs, "cost", lambda name: ("1,234 weights", "56 ms"))


@pytest.mark.parametrize("kind", listing.KINDS)
def test_every_entry_has_a_name_a_line_and_a_source(capsys, kind):
    assert main(["list", kind]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = listing.rows(kind)
    assert len(lines) == len(rows) > 0
    for line, row in zip(lines, rows, strict=True):
        assert all(row)
        assert line.split()[0] == row[0]


def test_names_are_those_of_the_config(capsys):
    assert [row[0] for row in listing.rows("losses")] == conf_files.terms()
    assert [row[0] for row in listing.rows("weightings")] == conf_files.options("weighting")


def test_experiments_say_how_long_they_take(capsys):
    assert main(["list", "experiments"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("reproduce_quick ")]
    assert "on 2 cores" in line


def test_all_kinds_have_titles(capsys):
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line in listing.KINDS] == list(listing.KINDS)


def test_models_alone_come_with_their_costs(monkeypatch, capsys):
    assert main(["list", "models"]) == 0
    assert "1,234 weights    56 ms  Attention U-Net" in capsys.readouterr().out
    assert main(["list"]) == 0  # quick: nothing is built
    assert "1,234" not in capsys.readouterr().out
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(["list", "models"]) == 0
    assert "forward" in capsys.readouterr().out.splitlines()[1]


def test_a_terminal_gets_a_table(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(["list", "losses"]) == 0
    out = capsys.readouterr().out
    assert "source" in out.splitlines()[1]
    assert "cbdice" in out


def test_a_narrow_terminal_gets_every_word(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    assert main(["list", "datasets"]) == 0
    out = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert max(map(len, out.splitlines())) <= 60
    assert "…" not in out


def test_a_cost_is_counted_and_measured(monkeypatch):
    monkeypatch.undo()
    model = _model_costs.build("unet")
    assert model.input_shape == (None, 128, 128, 1)
    monkeypatch.setattr(_model_costs, "build", lambda name: model)
    weights, forward = _model_costs.cost("unet")
    assert weights == f"{model.count_params():,} weights"
    number, unit = forward.split()
    assert int(number) > 0
    assert unit == "ms"


@pytest.mark.parametrize("name", conf_files.options("model"))
def test_every_option_is_built_with_its_own_parameters(monkeypatch, name):
    """Also one that builds on another, whose YAML file has neither its name nor most of its keys."""
    from dmf_cli import models

    made = []
    whole = config.compose([f"model={name}"]).plain["model"]
    takes = inspect.signature(getattr(models, whole["name"]))
    stub = lambda shape, classes, **params: made.append(params)  # noqa: E731
    monkeypatch.setitem(decorators.registered, ("model", whole["name"]), stub)
    _model_costs.build(name)
    takes.bind((8, 8, 1), 2, **made[0])  # no key that the function does not know
    assert made == [{key: value for key, value in whole.items() if key in takes.parameters}]


def test_a_model_whose_package_is_missing_has_no_costs(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    assert _model_costs.cost("hub") == ("-", "-")


def test_a_dataset_is_a_short_line_and_the_rest_is_in_its_file():
    sources = {name: source for name, _, source in listing.rows("datasets")}
    assert max(map(len, sources.values())) < 130
    note = read_header(conf_files.conf_dir() / "dataset" / "busi.yaml").note
    assert "near-duplicates" in note
    assert "near-duplicates" not in sources["busi"]
