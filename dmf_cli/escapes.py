"""Text of others, made harmless: names of files, classes and metrics, and whatever a run of theirs says."""

import re
from typing import Any

# Control characters, other ends of lines, marks that turn the direction of writing, halves of characters.
_HIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_MARK = "'"  # a spreadsheet takes what begins so as text
_FORMULA = re.compile(r"'*[=+@-]")  # and computes what begins so; a marked one is marked once more


def hides(text: str) -> bool:
    """Whether there is anything in ``text`` that a terminal acts on, or that ends a line."""
    return bool(_HIDDEN.search(text))


def visible(text: str) -> str:
    """``text`` in one line, with everything that a terminal acts on as Python writes it.

    Example:
        >>> visible("a\\x1b[2Jb\\nc")
        'a\\\\x1b[2Jb\\\\nc'
    """
    return _HIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def visible_lines(text: str) -> str:
    """The same for a text whose lines are our own."""
    return "\n".join(map(visible, text.split("\n")))


def cell(value: Any) -> Any:
    """``value`` for a CSV file: a text that a spreadsheet would compute begins with an apostrophe.

    Example:
        >>> cell("=1+1"), cell("-0.5"), cell(-0.5)
        ("'=1+1", '-0.5', -0.5)
    """
    if not isinstance(value, str):
        return value
    text = visible(value)
    return f"{_MARK}{text}" if _FORMULA.match(text) and not is_number(text) else text


def of_cell(text: str) -> str:
    """What :func:`cell` was given."""
    return text[1:] if text.startswith(_MARK) and _FORMULA.match(text) else text


def is_number(text: str) -> bool:
    """Whether the text of a cell is a number, in whatever way Python writes one."""
    try:
        float(text)
    except ValueError:
        return False
    return True
