"""Help in 80 columns, and in fewer: whole words, and commands that can still be copied."""

import contextlib
import shlex

import pytest

from dmf_cli.cli.data import actions
from dmf_cli.cli.main import COMMANDS, main
from dmf_cli.terminal import wrapping

COMMANDS_AND_ACTIONS = [*COMMANDS, *(f"data {action}" for action in actions())]


def shown(capsys, command, columns, monkeypatch):
    if columns:
        monkeypatch.setenv("COLUMNS", str(columns))
    else:
        monkeypatch.delenv("COLUMNS", raising=False)
    with contextlib.suppress(SystemExit):
        main([*command.split(), "--help"])
    return capsys.readouterr().out


@pytest.mark.parametrize("columns", [80, 60])
@pytest.mark.parametrize("command", ["", *COMMANDS_AND_ACTIONS])
def test_no_line_of_any_help_is_cut(capsys, monkeypatch, command, columns):
    wide, narrow = (shown(capsys, command, width, monkeypatch) for width in (None, columns))
    long = [line for line in narrow.splitlines() if len(line) > columns and len(line.split()) > 1]
    assert long == []
    if "[-h]" not in wide:  # argparse's own lines of options are wrapped by itself
        assert narrow.replace("\\\n", " ").split() == wide.split()


def test_a_command_that_is_too_long_continues_in_the_next_line():
    line = "  dmf compare outputs/sweep --metric foreground.hd95 --only dataset=busi --difference 2"
    made = wrapping.fit(line, 60)
    assert len(made.splitlines()) == 2
    assert shlex.split(made.replace("\\\n", " ")) == line.split()


def test_paragraphs_are_wrapped_anew_and_columns_stay_columns():
    text = (
        "One two three four\nfive six.\n\noptions:\n  name      what it means in so many words\n  n=1       x"
    )
    assert wrapping.fit(text, 30).splitlines() == [
        "One two three four five six.",
        "",
        "options:",
        "  name      what it means in",
        "            so many words",
        "  n=1       x",
    ]
    assert wrapping.fit("  a.very.long.key.of.a.config   0.5   (float) its meaning", 40).splitlines() == [
        "  a.very.long.key.of.a.config   0.5",
        "      (float) its meaning",
    ]
