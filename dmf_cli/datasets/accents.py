"""Names that look alike: an accent may be one character or two (Unicode's forms NFC and NFD)."""

import unicodedata
from pathlib import Path


def both_names(root: Path, one: Path, other: Path) -> str:
    """Two files below ``root`` by their paths, told apart where they look the same."""
    names = [file.relative_to(root).as_posix() for file in (one, other)]
    if _plain(names[0]) == _plain(names[1]):
        names = [f"{name} ({_form(name)})" for name in names]
    return " and ".join(names)


def other_forms(pattern: str) -> list[str]:
    """``pattern`` with its accents written otherwise; empty if it has none."""
    forms = {unicodedata.normalize(form, pattern) for form in ("NFC", "NFD")}
    return sorted(forms - {pattern}) if not pattern.isascii() else []


def with_form(file: Path) -> str:
    """``file``, and how its accents are written."""
    return f"{file} ({_form(file.name)})"


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _form(name: str) -> str:
    if unicodedata.is_normalized("NFC", name):
        return "accents as one character, NFC"
    return "accents as a letter and a mark, NFD"
