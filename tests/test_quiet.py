"""Standard error while libraries load."""

import os

import pytest

from dmf_cli import interrupts
from dmf_cli.quiet import quiet


def test_what_libraries_say_is_kept_and_what_dmf_says_is_shown(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DMF_DEBUG", raising=False)
    with quiet():
        os.write(2, b"greetings\n")
        with quiet():
            os.write(2, b"more of them\n")
            interrupts.write_line("interrupted")
        os.write(2, b"and more\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "interrupted\nafter\n"
