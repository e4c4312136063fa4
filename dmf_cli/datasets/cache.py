"""Where files that can be made again are kept."""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


def cache_folder(given: str | Path | None = None) -> Path:
    """``given``, else ``$DMF_CACHE``, else ``dmf`` in the user's cache."""
    base = given or os.environ.get("DMF_CACHE")
    if base:
        return Path(base).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dmf"


@contextlib.contextmanager
def nothing_left() -> Iterator[None]:
    """Temporary folders that are made inside the block are gone after it: whenever tensorflow-datasets opens
    a set that is not prepared, it makes one and leaves it behind.
    """
    with tempfile.TemporaryDirectory(prefix="dmf-") as folder:
        before, tempfile.tempdir = tempfile.tempdir, folder
        try:
            yield
        finally:
            tempfile.tempdir = before


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time holds the lock file ``path``; others wait, to find what the first has made."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
