"""Files that are written whole or not at all."""

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dmf_cli.errors import RunFolderError

ADVICE = {
    errno.ENOSPC: "the disk is full: free some space, then `dmf resume` the run",
    errno.EDQUOT: "your disk quota is used up: free some space, then `dmf resume` the run",
    errno.EROFS: "the file system is read-only: set output_root=... to a folder you can write to",
    errno.EACCES: "no permission: set output_root=... to a folder you can write to",
    errno.EPERM: "no permission: set output_root=... to a folder you can write to",
    errno.ENOTDIR: "a part of the path is a file: choose another folder",
}


@contextlib.contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn an ``OSError`` on ``path`` into one line that says what to do."""
    try:
        yield
    except OSError as error:
        advice = ADVICE.get(error.errno or 0, os.strerror(error.errno) if error.errno else str(error))
        raise RunFolderError(f"cannot write {path}: {advice}") from error


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write ``content`` to ``path`` under a temporary name in the same folder, then rename.

    Raises:
        RunFolderError: disk full, read-only, no permission; what was at ``path`` is still there.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    with told(path):
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(0o666 & ~_umask())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
