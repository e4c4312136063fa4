"""Whatever is printed goes through two places, on which no name is a command to the terminal."""

import io
import re
from pathlib import Path

from rich.live import Live
from rich.table import Table

import dmf_cli
from dmf_cli.terminal.console import SafeConsole
from dmf_cli.terminal.say import say, say_text

HOSTILE = "a\x1b[2J\rb\x9b1m\u202ec"
SHOWN = r"a\x1b[2J\rb\x9b1m\u202ec"


def test_a_line_stays_a_line(capsys):
    say(f"{HOSTILE}\nnext: rm", "second", head="\x1b[31mPROBLEM\x1b[0m ")
    say(HOSTILE, error=True)
    say_text("a\nb\x07\n")
    out, err = capsys.readouterr()
    assert out == f"\x1b[31mPROBLEM\x1b[0m {SHOWN}\\nnext: rm\nsecond\na\nb\\x07\n"
    assert err == f"{SHOWN}\n"


def test_a_table_shows_names_as_they_are_written():
    table = Table("name", title=HOSTILE)
    table.add_row(HOSTILE)
    file = io.StringIO()
    console = SafeConsole(file=file, width=80, force_terminal=True, color_system="truecolor")
    with Live(table, console=console, auto_refresh=False):
        console.print(HOSTILE, style="bold")
    text = file.getvalue()
    assert text.count(r"a\x1b[2J") >= 3, "title, cell and line"
    assert not re.search(r"\x1b\[2J|\x9b|\u202e|\rb", text)
    assert "\x1b[1m" in text, "the colours are our own"


def test_every_console_is_such_a_one():
    package = Path(dmf_cli.__file__).parent
    made = {
        str(file.relative_to(package))
        for file in package.rglob("*.py")
        if re.search(r"(?<!Safe)\bConsole\(|get_console|rich import print", file.read_text(encoding="utf-8"))
    }
    assert made == set()


def test_a_table_in_a_file_has_no_spaces_at_the_ends_of_its_lines():
    table = Table("name", "what", box=None)
    table.add_row("a", "short")
    table.add_row("b", "a much longer text")
    file = io.StringIO()
    console = SafeConsole(file=file, width=80)
    console.print(table)
    console.print("last", end=" ")
    lines = file.getvalue().splitlines()
    assert [line.split() for line in lines[1:3]] == [["a", "short"], ["b", "a", "much", "longer", "text"]]
    assert [line for line in lines if line != line.rstrip()] == []
