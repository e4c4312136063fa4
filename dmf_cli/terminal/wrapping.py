"""Help texts in the width of the terminal: no line is cut in the middle of a word.

A text has paragraphs, which are wrapped anew, and indented lines, which stay lines: examples, and entries of
two or three columns (``  name  meaning``).
"""

import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator

WIDEST = 110  # also of what goes to a file, where nobody says how wide it is
NARROWEST = 40
_COMMAND = re.compile(r"^ +(dmf|eval) ")


def width() -> int:
    """Columns of a help text: those of the terminal, as far as they are easy to read."""
    if not (sys.stdout.isatty() or os.environ.get("COLUMNS")):
        return WIDEST
    return max(NARROWEST, min(WIDEST, shutil.get_terminal_size((WIDEST, 24)).columns))


def fit(text: str, columns: int | None = None) -> str:
    """``text`` with no line longer than ``columns`` (default: those of the terminal)."""
    columns = columns or width()
    return "\n".join(line for block in _blocks(text) for line in _wrapped(block, columns))


def _blocks(text: str) -> Iterator[str]:
    """Paragraphs as one line each, all other lines as they are."""
    paragraph: list[str] = []
    for line in text.split("\n"):
        if line and not line.startswith(" "):
            paragraph.append(line)
            continue
        if paragraph:
            yield from _joined(paragraph)
        paragraph = []
        yield line
    if paragraph:
        yield from _joined(paragraph)


def _joined(lines: list[str]) -> Iterator[str]:
    """One paragraph; a line that ends with a colon is a heading of what follows it."""
    kept: list[str] = []
    for line in lines:
        kept.append(line)
        if line.endswith(":"):
            yield " ".join(kept)
            kept = []
    if kept:
        yield " ".join(kept)


def _wrapped(line: str, columns: int) -> list[str]:
    if len(line) <= columns:
        return [line]
    indent = len(line) - len(line.lstrip())
    head, gap, last = _columns(line)
    if not gap:
        return _words(line, columns, " " * (indent + 2 if indent else 0))
    if _COMMAND.match(line) or len(head) + len(gap) > columns // 2:
        # Beside a command, or beside a long key, there is no room for the rest.
        more = " " * (indent + 4)
        return [*_words(head, columns, more), *_words(more + last, columns, more)]
    return _words(line, columns, " " * len(head + gap))


def _columns(line: str) -> tuple[str, str, str]:
    """What stands before the last column, the gap, and the column; no gap if there is one column only."""
    columns = re.match(r"^( *\S.*?\S)( {2,})(\S.*)$", line) if "  " in line.strip() else None
    if not columns:
        return line, "", ""
    head, gap, last = columns.groups()
    while inner := re.match(r"^(.*?\S)( {2,})(\S.*)$", last):
        head, gap, last = head + gap + inner[1], inner[2], inner[3]
    return head, gap, last


def _words(line: str, columns: int, more: str) -> list[str]:
    """Wrapped between words; a command continues after a backslash, so that it can still be copied."""
    command = bool(_COMMAND.match(line))
    made = textwrap.wrap(
        line,
        columns - 2 * command,
        subsequent_indent=more + "  " * command,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )
    return [f"{part} \\" if command and part is not made[-1] else part for part in made]
