"""Names that look alike: an accent may be one character or two (Unicode's forms NFC and NFD)."""

import fnmatch
import unicodedata
from pathlib import Path


def both_names(root: Path, one: Path, other: Path) -> str:
    """Two files below ``root`` by their paths, told apart where they look the same."""
    names = [file.relative_to(root).as_posix() for file in (one, other)]
    if _plain(names[0]) == _plain(names[1]):
        names = [f"{name} ({_form(name)})" for name in names]
    return " and ".join(names)


def same_but_for_accents(root: Path, pattern: str) -> str | None:
    """A file that ``pattern`` (of a path below ``root``) misses by the form of its accents alone."""
    folder, _, last = pattern.rpartition("/")
    place = next((p for p in [root / folder, *_alike(root, folder)] if p.is_dir()), None)
    names = sorted(file.name for file in place.iterdir()) if place else []
    found = next((name for name in names if fnmatch.fnmatchcase(_plain(name), _plain(last))), None)
    return None if place is None or found is None else f"{place / found} ({_form(found)})"


def _alike(root: Path, folder: str) -> list[Path]:
    return [p for p in root.rglob("*") if p.is_dir() and _plain(str(p.relative_to(root))) == _plain(folder)]


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _form(name: str) -> str:
    if unicodedata.is_normalized("NFC", name):
        return "accents as one character, NFC"
    return "accents as a letter and a mark, NFD"
