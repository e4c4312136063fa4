"""Names that wrap at their joints, and tables that leave columns out before a number is cut."""

import io

import pytest
from rich.console import Console
from rich.table import Table

from dmf_cli.terminal.narrow import Fitted, Name, add_numbers

NUMBERS = {"mean": "0.123 ± 0.456", "rank": "12.34", "wins": "7"}


def build(without):
    table = Table(pad_edge=False, box=None, caption=f"without {', '.join(without)}")
    table.add_column("setting")
    shown = [column for column in NUMBERS if column not in without]
    for column in shown:
        add_numbers(table, column, [NUMBERS[column]])
    table.add_row(Name("loss=cbdice:0.62+bce:0.38"), *map(NUMBERS.get, shown))
    return table


def printed(width):
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(Fitted(build, ("wins", "rank")))
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("weighting=fixed", 20, ["weighting=fixed"]),
        ("weighting=fixed", 14, ["weighting=", "fixed"]),
        ("loss=cbdice:0.62+bce:0.38", 20, ["loss=cbdice:0.62+", "bce:0.38"]),
        ("trainer.batch_size=16", 16, ["trainer.", "batch_size=16"]),
        ("term=a:0.5", 8, ["term=", "a:0.5"]),  # a decimal point is no joint
        ("Lesion recall", 9, ["Lesion", "recall"]),
        ("a=1\nb=2", 20, ["a=1", "b=2"]),
        ("abcdefghij", 4, ["abcd", "efgh", "ij"]),  # no joint at all
        ("abcdefgh", 4, ["abcd", "efgh"]),
        ("", 4, [""]),
    ],
)
def test_names_wrap_at_their_joints(text, width, lines):
    assert Name(text).lines(width) == lines


@pytest.mark.parametrize(("width", "without"), [(80, ""), (40, ""), (37, "wins"), (28, "wins, rank")])
def test_columns_go_before_anything_is_cut(width, without):
    said = printed(width)
    assert f"without {without}".strip() in said
    assert "0.123 ± 0.456" in said
    assert ("12.34" in said) == ("rank" not in without)
    assert "bce:0.38" in said
    assert max(map(len, said.splitlines())) <= width
