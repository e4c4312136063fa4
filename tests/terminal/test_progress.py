"""Bars on a terminal, nothing elsewhere."""

import io
import sys

from dmf_cli.terminal import progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def use():
    with progress.count("checking", 2) as advance:
        advance()
        advance()
    with progress.downloads() as track:
        track("a.zip", 500, 1000)
        track("a.zip", 1000, 1000)


def test_a_terminal_gets_bars(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", Terminal())
    use()
    shown = sys.stderr.getvalue()
    for part in ("checking", "2/2", "a.zip", "1.0/1.0 kB"):
        assert part in shown


def test_a_file_gets_nothing(capsys):
    use()
    assert capsys.readouterr() == ("", "")
