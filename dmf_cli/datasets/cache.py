"""Where files that can be made again are kept."""

import os
from pathlib import Path


def cache_folder(given: str | Path | None = None) -> Path:
    """``given``, else ``$DMF_CACHE``, else ``dmf`` in the user's cache."""
    base = given or os.environ.get("DMF_CACHE")
    if base:
        return Path(base).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dmf"
