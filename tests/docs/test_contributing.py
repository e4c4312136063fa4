"""CONTRIBUTING.md: the folders that it shows and the files that it counts are those of the repository."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
ROWS = re.findall(r"^\| an? (\w+) \| (\d) \| (.*) \|$", TEXT, re.MULTILINE)
# One thing of each kind that is there already.
EXAMPLES = {
    "loss": "mcc",
    "strategy": "geometric",
    "model": "resunet",
    "metric": "rates",  # of related metrics, which share a file
    "optimizer": "adamw",
    "dataset": "udiat",
    "augmentation": "affine",
    "command": "doctor",
}


def test_every_folder_is_shown_in_the_order_of_the_imports() -> None:
    shown = re.findall(r"^      (\w+)/ ", TEXT, re.MULTILINE)
    there = {path.parent.name for path in (ROOT / "dmf_cli").glob("*/__init__.py")}
    assert set(shown) == there
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    level = {name: i for i, line in enumerate(contract["layers"]) for name in line.split(" | ")}
    assert sorted(shown, key=level.__getitem__) == shown


def test_everything_that_can_be_added_is_counted() -> None:
    assert [kind for kind, _, _ in ROWS] == list(EXAMPLES)


@pytest.mark.parametrize(("kind", "count", "files"), ROWS, ids=[kind for kind, _, _ in ROWS])
def test_the_files_of_an_addition_are_as_many_as_it_says_and_exist(kind: str, count: str, files: str) -> None:
    named = re.findall(r"`([^`]+)`", files)
    assert len(named) == int(count)
    assert [f for f in named if not (ROOT / f.replace("NAME", EXAMPLES[kind])).is_file()] == []
