"""Files that are written whole or not at all, and errors of the disk in one line."""

import contextlib
import errno
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from dmf_cli.errors import RunFolderError

_ELSEWHERE = "set run_dir=... or output_root=... to a folder that you can write to"
ADVICE = {
    errno.ENOSPC: "the disk is full: free some space, then `dmf resume` the run",
    errno.EDQUOT: "your disk quota is used up: free some space, then `dmf resume` the run",
    errno.EROFS: f"the file system is read-only: {_ELSEWHERE}",
    errno.EACCES: f"no permission: {_ELSEWHERE}",
    errno.EPERM: f"no permission: {_ELSEWHERE}",
    errno.ENOTDIR: "a part of the path is a file: choose another folder",
    errno.EEXIST: "a part of the path is a file: choose another folder",
    errno.EISDIR: "a folder is in the way: remove or rename it",
    errno.ENAMETOOLONG: "the name is too long: choose a shorter one",
    errno.ENOENT: "its folder is gone: do not move or delete a run that is under way",
}
# A new folder has nothing that could be gone: there is no place for one, as in /proc.
NEW = {errno.ENOENT: f"no folder can be made there: {_ELSEWHERE}"}
TEMPORARY = ".tmp"  # suffix of what a killed process may leave behind
_numbers = itertools.count()


@contextlib.contextmanager
def told(path: Path, doing: str = "write") -> Iterator[None]:
    """Turn an ``OSError`` on ``path`` into one line that says what to do.

    Args:
        path: what is written, made or read.
        doing: ``write``, ``make`` (a folder that is new), or ``read``.

    Raises:
        RunFolderError: an ``OSError`` inside the block.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        if doing != "read":
            reason = (ADVICE | (NEW if doing == "make" else {})).get(error.errno or 0, reason)
        raise RunFolderError(f"cannot {doing} {path}: {reason}") from error


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write ``content`` to ``path`` under a temporary name in the same folder, then rename.

    Args:
        path: the file, in an existing folder.
        content: text is written as UTF-8.

    Raises:
        RunFolderError: disk full, read-only, no permission; what was at ``path`` is still there.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name[:200]}.{os.getpid()}-{next(_numbers)}{TEMPORARY}")
    with told(path):
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
