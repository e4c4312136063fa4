"""The console of tables: how wide it is where nothing says so."""

import io

import pytest

from dmf_cli.terminal.console import WIDTH, SafeConsole


def test_a_pipe_is_wide_enough_for_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert SafeConsole(file=io.StringIO()).width == WIDTH
    assert SafeConsole(file=io.StringIO(), width=40).width == 40
    monkeypatch.setenv("COLUMNS", "60")
    assert SafeConsole(file=io.StringIO()).width == 60
