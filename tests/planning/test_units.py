import re
from pathlib import Path

import pytest

import dmf_cli
from dmf_cli import machine
from dmf_cli.errors import UsageError
from dmf_cli.planning import units
from tests.raised import raises

ROOT = Path(dmf_cli.__file__).parent


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30m", 1800), ("90s", 90), ("2h", 7200), ("1h30m", 5400), ("0.5H", 1800), ("1d", 86_400)],
)
def test_times(text, seconds):
    assert units.seconds(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"), [("4G", 2**32), ("800M", 800 * 2**20), ("1.5GB", 3 * 2**29), ("1GiB", 2**30)]
)
def test_amounts_of_memory(text, size):
    assert units.memory(text) == size


@pytest.mark.parametrize("text", ["30", "m", "", "30 minutes", "-5m", "0m", "1h30", "5x"])
def test_a_time_that_cannot_be_read(text):
    with raises(UsageError, key="budget", value=text, allowed="30m"):
        units.seconds(text)


@pytest.mark.parametrize("text", ["4", "4X", "", "0G", "-1G", "4 gigabytes"])
def test_an_amount_that_cannot_be_read(text):
    with raises(UsageError, key="memory", value=text, allowed="4G"):
        units.memory(text)


@pytest.mark.parametrize("size", [3 * 2**30, 800 * 2**20])
def test_an_amount_that_is_said_is_read_back(size):
    assert units.memory(machine.amount(size)) == size


def test_amounts_are_said_in_one_unit_in_one_place():
    """Whoever writes GB or MB beside a number has a second way of saying it."""
    own = re.compile(r"\}\s?[kMG]i?B\b")
    places = {path.name for path in ROOT.rglob("*.py") if own.search(path.read_text(encoding="utf-8"))}
    assert places == {"machine.py"}
