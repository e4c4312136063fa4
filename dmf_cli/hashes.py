"""Short names for contents: the first hex digits of their SHA-256."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from dmf_cli import bounded

BLOCK = 2**20


def digest(content: str | bytes, digits: int = 16) -> str:
    """The same for the same ``content``, on every machine and in every version.

    Example:
        >>> digest("dice+bce", 6)
        'f745ab'
    """
    data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    return hashlib.sha256(data).hexdigest()[:digits]


def of_file(path: Path) -> str:
    """The whole SHA-256 of a file's content, in hex digits: its first digits are those of :func:`digest`.

    Raises:
        OSError: it cannot be read, or is a pipe or a device.
    """
    with bounded.opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def of_start(file: IO[bytes], length: int) -> str:
    """The whole SHA-256 of the next ``length`` bytes of an open file, or of all that are left."""

    def blocks(left: int) -> Iterator[bytes]:
        while left > 0 and (block := file.read(min(left, BLOCK))):
            yield block
            left -= len(block)

    return of_parts(blocks(length))


def of_parts(parts: Iterable[bytes]) -> str:
    """The whole SHA-256 of ``parts``, one after the other."""
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return found.hexdigest()
