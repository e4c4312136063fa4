"""Lines on standard output and standard error: the one place that prints."""

import sys

from dmf_cli.escapes import visible


def say(*lines: str, error: bool = False, head: str = "") -> None:
    """Print each of ``lines`` as one line: control characters of names in it are shown as Python writes them.

    Args:
        lines: without line breaks of our own; none prints nothing.
        error: whether they go to standard error.
        head: stands before the first of them, such as a word in colours; printed unchanged.
    """
    for line in lines:
        print(f"{head}{visible(str(line))}", file=sys.stderr if error else sys.stdout, flush=True)
        head = ""


def say_text(text: str) -> None:
    """Print a text of our own with its lines, such as a help text, YAML or JSON."""
    say(*text.removesuffix("\n").split("\n"))
