"""Names of others are shown as they are written, whatever a terminal or a spreadsheet would make of them."""

import csv
import io
import logging

import pytest

from dmf_cli import escapes
from dmf_cli.config import literal
from dmf_cli.errors import ConfigError
from dmf_cli.run_folder import headline
from dmf_cli.run_folder.folder import RunFolder
from dmf_cli.terminal import latex, text
from tests.raised import raises

HOSTILE = "a\x1b[2J\rb\nc\x9b1m\u202ed\u2028e\udc80"
SHOWN = r"a\x1b[2J\rb\nc\x9b1m\u202ed\u2028e\udc80"


def test_what_a_terminal_acts_on_is_shown():
    assert escapes.visible(HOSTILE) == SHOWN
    assert escapes.visible("Läsion 病变 a\u0301 \u200c") == "Läsion 病变 a\u0301 \u200c"


@pytest.mark.parametrize("value", ["=1+1", "'=1", "''-x", "+x", "-x", "@SUM(A1)", '=HYPERLINK("http://x")'])
def test_no_cell_of_a_table_is_a_formula(value):
    read = list(csv.reader(io.StringIO(text.csv_text([value], [[value, "-0.5", -0.5, "- 1"]]))))
    assert read == [[f"'{value}"], [f"'{value}", "-0.5", "-0.5", "'- 1"]]
    assert escapes.of_cell(read[0][0]) == value
    assert headline.with_mean({"id": read[0][0], "mean.dice": "1"})["id"] == value


def test_a_name_makes_no_line_of_a_table_of_its_own():
    (row,) = text.markdown_row([HOSTILE]).splitlines()
    assert "\x1b" not in row
    assert len(text.csv_text(["a"], [[HOSTILE]]).splitlines()) == 2
    made = latex.table(HOSTILE, ["a"], {"": [[HOSTILE]]}, label="x", comments=[HOSTILE])
    assert made.replace("\n", "").isprintable()


def test_an_error_is_shown_as_it_is_written():
    assert str(ConfigError("no \x1b[2J", hint="x")) == r"no \x1b[2J: x"


@pytest.mark.parametrize("one", list(HOSTILE.translate(dict.fromkeys(map(ord, "abcde12[Jm")))))
def test_no_value_of_a_config_has_what_is_not_shown(one):
    assert escapes.hides(one)
    for values in ({"a": {"b": [one]}}, {f"x{one}": 1}):
        with raises(ConfigError, reason="which holds a control character") as caught:
            literal.check(values)
        assert str(caught.value).isprintable()


def test_no_value_makes_a_line_of_a_log_of_its_own(tmp_path):
    run = RunFolder.claim(tmp_path / "run")
    with run.logging():
        logging.getLogger("dmf").info("dataset %s", "mine\nimport os\x1b[2J")
        try:
            raise ValueError("no\nimport os")
        except ValueError:
            logging.getLogger("dmf").error("it failed", exc_info=True)
    first, second, *rest = run.log.read_text(encoding="utf-8").splitlines()
    assert first.endswith(r"INFO dataset mine\nimport os\x1b[2J")
    assert second.endswith("ERROR it failed")
    assert rest[0] == "    Traceback (most recent call last):"
    assert all(line.startswith("    ") for line in rest)
