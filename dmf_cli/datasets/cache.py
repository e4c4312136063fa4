"""Where files that can be made again are kept."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


def cache_folder(given: str | Path | None = None) -> Path:
    """``given``, else ``$DMF_CACHE``, else ``dmf`` in the user's cache."""
    base = given or os.environ.get("DMF_CACHE")
    if base:
        return Path(base).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dmf"


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time holds the lock file ``path``; others wait, to find what the first has made."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
