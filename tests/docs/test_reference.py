"""The generated parts of docs/reference say what the program says now, and name all that there is."""

import re
from pathlib import Path
from types import ModuleType

import pytest

from dmf_cli.cli.main import COMMANDS
from dmf_cli.conf_files import PRESETS
from tests.docs.scripts import load

ROOT = Path(__file__).parents[2]
PAGES = {file.stem: file.read_text() for file in (ROOT / "docs").rglob("*.md")}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load("reference")


def test_every_kind_of_part_is_on_a_page(script: ModuleType) -> None:
    found = [part["name"] for page in PAGES.values() for part in script.PART.finditer(page)]
    assert sorted(found) == sorted(script.MAKERS)


def test_every_generated_part_is_up_to_date(script: ModuleType) -> None:
    stale = [name for name, page in PAGES.items() if script.filled(page) != page]
    assert stale == [], "run `python scripts/reference.py`"


def test_what_people_write_around_a_part_stays(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "MAKERS", {"losses": lambda: "new"})
    page = "# Losses\n\n<!-- generated: losses -->\n\nold\n\n<!-- end -->\n\nkept\n"
    assert script.filled(page) == page.replace("old", "new")


def test_every_command_and_every_group_has_its_section() -> None:
    assert {"dmf", *(f"dmf {name}" for name in COMMANDS)} <= set(
        re.findall("^## (.*)", PAGES["commands"], re.M)
    )
    groups = {folder.name for folder in (ROOT / "conf").iterdir() if folder.is_dir()} - {*PRESETS}
    assert {*groups, "run"} == set(re.findall("^## (.*)", PAGES["config"], re.M))


def test_a_key_has_its_type_its_default_and_its_meaning(script: ModuleType) -> None:
    text = """\
config of this command (KEY=VALUE)
  model.rates    [2, 4, 6]       (list of ints >= 1) of the dilation
  model.depth    auto
      (int in [1, 16]|auto) poolings; auto: while both sides
      stay at 8 or more
  model.dropout  0.0             (float in [0, 1)) rate

options
"""
    keys = script._parsed(text)
    assert keys["model.rates"] == ("model.rates", "[2, 4, 6]", "(list of ints >= 1)", "of the dilation")
    assert keys["model.depth"][1:3] == ("auto", "(int in [1, 16]|auto)")
    assert keys["model.depth"].meaning == "poolings; auto: while both sides stay at 8 or more"
    assert keys["model.dropout"].type == "(float in [0, 1))"


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ({"a": "1", "b": "1", "c": "1"}, "1"),
        ({"a": "1", "b": "1"}, "1 (all but c)"),
        ({"a": "1", "b": "2"}, "1 (a); 2 (b)"),
        ({"a": "1", "b": "2", "c": "3"}, "differs by option"),
    ],
)
def test_a_default_names_its_options(script: ModuleType, values: dict[str, str], shown: str) -> None:
    assert script._by_option(values, ["a", "b", "c"], 2) == shown


def test_everything_that_python_offers_is_on_its_page(script: ModuleType) -> None:
    from dmf_cli import api

    offered = {name for name, one in vars(api).items() if not name.startswith("_") and callable(one)}
    assert {*script.RUNS, *script.RESULTS} == offered
