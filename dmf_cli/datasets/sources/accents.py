"""Names that look alike: an accent may be one character or two (Unicode's forms NFC and NFD)."""

import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path


def both_names(root: Path, one: Path, other: Path) -> str:
    """Two files below ``root`` by their paths, distinguished where they look the same."""
    names = [file.relative_to(root).as_posix() for file in (one, other)]
    if plain(names[0]) == plain(names[1]):
        names = [f"{name} ({_form(name)})" for name in names]
    return " and ".join(names)


def other_forms(pattern: str) -> list[str]:
    """``pattern`` with its accents written otherwise; empty if it has none."""
    forms = {unicodedata.normalize(form, pattern) for form in ("NFC", "NFD")}
    return sorted(forms - {pattern}) if not pattern.isascii() else []


def with_form(file: Path) -> str:
    """``file``, and how its accents are written."""
    return f"{file} ({_form(file.name)})"


def twin(path: Path) -> Path | None:
    """What stands in place of ``path``, which is not there, under the same name with other accents."""
    beside = sorted(path.parent.iterdir()) if path.parent.is_dir() else []
    return next((other for other in beside if other != path and plain(other.name) == plain(path.name)), None)


def otherwise(path: Path) -> str:
    """What to add to the line that ``path`` does not exist; empty if there is no :func:`twin`."""
    other = twin(path)
    return "" if other is None else f" ({other} has that name, with its accents written otherwise)"


def matching(folder: Path, pattern: str) -> list[Path]:
    """``folder.glob(pattern)``, also of names that are written in the other form than ``pattern``."""
    forms = dict.fromkeys((pattern, *(unicodedata.normalize(form, pattern) for form in ("NFC", "NFD"))))
    return list(dict.fromkeys(path for form in forms for path in folder.glob(form)))


def known(names: Iterable[str]) -> dict[str, str]:
    """Each of ``names`` by its form NFC: to find those that somebody has typed."""
    return {plain(name): name for name in names}


def speller(names: Iterable[str]) -> Callable[[str], str]:
    """A function that gives a name as ``names`` write it, and others as they are."""
    own, by_form = set(names), known(names)
    return lambda name: name if name in own else by_form.get(plain(name), name)


def plain(name: str) -> str:
    r"""``name`` in the form NFC: what names are compared by.

    A byte of a file's name that is no UTF-8 is written as ``\udcff``: ids go into files and onto terminals.
    """
    return unicodedata.normalize("NFC", name).encode("utf-8", "backslashreplace").decode("utf-8")


def _form(name: str) -> str:
    if unicodedata.is_normalized("NFC", name):
        return "accents as one character, NFC"
    return "accents as a letter and a mark, NFD"
