"""Ctrl-C and SIGTERM: noted where they would tear something, and the second Ctrl-C ends at once."""

import os
import signal
import subprocess
import sys

import pytest

from dmf_cli import interrupts
from dmf_cli.interrupts import Deferred

INT, TERM = signal.SIGINT, signal.SIGTERM


def in_a_process(code):
    """Exit code and standard error of ``code``, a command of its own."""
    head = "import os, signal, sys\nfrom dmf_cli import interrupts\nfrom dmf_cli.cli import main as cli\n"
    head += "raised = signal.raise_signal\n"
    environment = {**os.environ, "DMF_DEBUG": "0"}
    done = subprocess.run(
        [sys.executable, "-c", head + code], capture_output=True, text=True, env=environment
    )
    return done.returncode, done.stderr.splitlines()


@pytest.mark.parametrize("number", [INT, TERM])
def test_a_signal_is_noted_and_raised_by_the_next_check(number, capfd):
    before = [signal.getsignal(one) for one in interrupts.SIGNALS]
    with Deferred() as stop:
        stop.check()
        signal.raise_signal(number)
        assert stop.asked
        with pytest.raises(KeyboardInterrupt):
            stop.check()
    assert [signal.getsignal(one) for one in interrupts.SIGNALS] == before
    assert capfd.readouterr().err == f"{interrupts.STOPPING}\n"


def test_outside_of_a_command_only_ctrl_c_raises_the_second_time():
    with Deferred(lambda text: None) as stop:
        signal.raise_signal(TERM)
        signal.raise_signal(TERM)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(INT)
        assert stop.asked


@pytest.mark.parametrize(
    ("numbers", "code"), [("INT INT", 130), ("INT TERM INT", 130), ("TERM INT", 143), ("TERM TERM INT", 143)]
)
def test_a_command_ends_at_the_second_ctrl_c_with_its_last_words(numbers, code):
    raised = "\n    ".join(f"raised(signal.SIG{name})" for name in numbers.split())
    assert in_a_process(
        f"""
interrupts.install()
with interrupts.Deferred(interrupts.write_line, lambda: "all is saved"):
    {raised}
"""
    ) == (code, [interrupts.STOPPING, "interrupted: all is saved"])


MAIN = """
def command(name):
    def run(arguments):
{body}
        return 0
    return run
cli._command = command
sys.argv = ["dmf", "train"]
sys.exit(cli.main())
"""


def command(*lines):
    """What ``dmf train`` does if the command consists of these lines."""
    return in_a_process(MAIN.format(body="\n".join(f"        {line}" for line in lines)))


@pytest.mark.parametrize(("name", "code"), [("INT", 130), ("TERM", 143)])
def test_a_command_that_defers_nothing_is_interrupted(name, code):
    assert command(f"raised(signal.SIG{name})") == (code, ["interrupted"])


def test_the_second_ctrl_c_while_the_first_one_is_raised_loses_no_word():
    lines = (
        "with interrupts.Deferred(lambda text: None, lambda: 'go on') as stop:",
        "    try:",
        "        raised(signal.SIGINT)",
        "        stop.check()",
        "    except KeyboardInterrupt:",
        "        raise KeyboardInterrupt('go on') from None",
    )
    assert command(*lines) == (130, ["interrupted: go on"])
    later = ("try:", *(f"    {line}" for line in lines), "finally:", "    raised(signal.SIGINT)")
    assert command(*later) == (130, ["interrupted: go on"])


def test_ctrl_c_while_the_process_shuts_down_changes_nothing():
    at_exit = ("import atexit", "atexit.register(raised, signal.SIGINT)", "raised(signal.SIGINT)")
    assert command(*at_exit) == (130, ["interrupted"])
    # Kept until the module is taken apart, after all that is registered has run.
    at_last = ("class Late:", "    def __del__(self, kill=os.kill, pid=os.getpid()):", "        kill(pid, 2)")
    assert command(*at_last, "sys.late = Late()", "raised(signal.SIGINT)") == (130, ["interrupted"])


def test_an_interrupt_that_got_lost_is_raised_by_the_first_check():
    swallowed = ("try:", "    raised(signal.SIGINT)", "except KeyboardInterrupt:", "    pass")
    checked = ("with interrupts.Deferred() as stop:", "    stop.check()")
    assert command(*swallowed, *checked) == (130, ["interrupted"])
    assert command(*swallowed, "raise SystemError('bad argument to internal function')") == (
        130,
        ["interrupted"],
    )


def test_what_is_ignored_stays_ignored():
    assert in_a_process(
        """
signal.signal(signal.SIGINT, signal.SIG_IGN)
interrupts.install()
with interrupts.Deferred(lambda text: None) as stop:
    raised(signal.SIGINT)
    stop.check()
    raised(signal.SIGTERM)
    assert stop.asked
sys.exit(interrupts.exit_code())
"""
    ) == (143, [])


def test_a_process_that_a_library_forks_dies_of_a_signal_as_usual():
    assert in_a_process(
        """
interrupts.install()
with interrupts.Deferred() as stop:
    child = os.fork()
    if child == 0:
        raised(signal.SIGTERM)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
    stop.check()
"""
    ) == (0, [])
