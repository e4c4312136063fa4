"""Files that are written whole or not at all, and errors of the disk in one line."""

import contextlib
import errno
import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from dmf_cli import bounded
from dmf_cli.errors import RunFolderError

# What is wrong, and what to do about it in any command, in a run without a checkpoint, in one with it.
REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "no permission",
    errno.EPERM: "no permission",
}
_SPACE, _ELSEWHERE = "free some space", "give a folder that you can write to"
_AGAIN, _RESUME = "free some space, then start the run again", "free some space, then `dmf resume` the run"
_RUN_ELSEWHERE = "set run_dir=... or output_root=... to a folder that you can write to"
_FULL = (errno.ENOSPC, errno.EDQUOT)
ADVICE = {
    errno.ENOTDIR: "a part of the path is a file: choose another folder",
    errno.EEXIST: "a part of the path is a file: choose another folder",
    errno.ELOOP: "it is a symbolic link: put a file in its place",
    errno.EISDIR: "a folder is in the way: remove or rename it",
    errno.ENAMETOOLONG: "the name is too long: choose a shorter one",
    errno.ENOENT: "its folder is gone",
    **{code: f"{why}: {_SPACE if code in _FULL else _ELSEWHERE}" for code, why in REASONS.items()},
}
BEGUN = {
    errno.ENOENT: "its folder is gone: do not move or delete a run while it is running",
    **{code: f"{why}: {_AGAIN if code in _FULL else _RUN_ELSEWHERE}" for code, why in REASONS.items()},
}
RUNNING = {**BEGUN, **{code: f"{REASONS[code]}: {_RESUME}" for code in _FULL}}
# A new folder has nothing that could be gone: there is no place for one, as in /proc.
NEW = {**BEGUN, errno.ENOENT: f"no folder can be made there: {_RUN_ELSEWHERE}"}
NO_LINK = getattr(os, "O_NOFOLLOW", 0)  # not on Windows; opening a symbolic link is an error with it
TEMPORARY = ".tmp"  # suffix of what a killed process may leave behind
_numbers = itertools.count()


@contextlib.contextmanager
def disk_errors(path: Path, doing: str = "write") -> Iterator[None]:
    """Turn an ``OSError`` on ``path`` into one line that says what to do.

    Args:
        path: what is written, made or read.
        doing: ``write``, ``remove``, ``make`` (the folder of a new run), or ``read``.

    Raises:
        RunFolderError: an ``OSError`` inside the block.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        if doing != "read":
            more = NEW if doing == "make" else _of_a_run(path)
            reason = (ADVICE | more).get(error.errno or 0, reason)
        raise RunFolderError(f"cannot {doing} {path}", path=path, hint=reason) from error


def remove(path: Path) -> None:
    """Remove the file ``path`` if it is there.

    Raises:
        RunFolderError: read-only, no permission.
    """
    with disk_errors(path, "remove"):
        path.unlink(missing_ok=True)


def _of_a_run(path: Path) -> dict[int, str]:
    """What to do if ``path`` lies in the folder of a run that this process trains; else nothing."""
    for folder in path.parents:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            status = bounded.read_json(folder / "status.json")
            if status.get("state") != "running" or status.get("pid") != os.getpid():
                return {}
            return RUNNING if (folder / "checkpoints" / "last.npz").is_file() else BEGUN
    return {}


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write ``content`` to ``path`` under a temporary name in the same folder, then rename.

    Args:
        path: the file, in an existing folder.
        content: text is written as UTF-8; what a file's name has that is none, as an escape.

    Raises:
        RunFolderError: disk full, read-only, no permission; what was at ``path`` is still there.
    """
    data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name[:200]}.{os.getpid()}-{next(_numbers)}{TEMPORARY}")
    with disk_errors(path), replacing(path, temporary) as file:
        file.write(data)


def own(path: Path | str, flags: int) -> int:
    """A file descriptor of ``path``, which is made if it is to be written; never through a symbolic link.

    It is what ``open(..., opener=own)`` takes.

    Raises:
        OSError: ``ELOOP`` for a link.
    """
    return os.open(path, flags | NO_LINK, 0o666)


def write_in_place(path: Path, content: str) -> bool:
    """Write ``content`` and spaces over ``path``, for a disk without room for a second file.

    Returns:
        Whether the blocks that the file has were enough; if not, it is as it was.
    """
    data = content.encode("utf-8")
    descriptor = own(path, os.O_WRONLY | getattr(os, "O_BINARY", 0))
    try:
        found = os.fstat(descriptor)
        blocks = getattr(found, "st_blocks", 0) * 512  # which Windows does not say
        if len(data) > max(found.st_size, blocks):
            return False
        left = memoryview(data.ljust(found.st_size))
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
        return True
    finally:
        os.close(descriptor)


def link_or_copy(path: Path, other: Path) -> None:
    """Make ``other``, which must not exist, of what ``path`` is now."""
    try:
        os.link(path, other)
    except OSError:  # a file system without links
        shutil.copyfile(path, other)
        flush(other)


def keep_as(path: Path, other: Path) -> None:
    """``other`` is what ``path`` is now, without a copy where the file system has links."""
    temporary = other.with_name(f".{other.name}.{os.getpid()}-kept{TEMPORARY}")
    temporary.unlink(missing_ok=True)
    link_or_copy(path, temporary)
    temporary.replace(other)


def flush(path: Path) -> None:
    """What a file holds, or a folder names, is on the disk: it survives a loss of power."""
    with contextlib.suppress(OSError):  # some systems cannot do it with a folder
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def replacing(path: Path, temporary: Path) -> Iterator[BinaryIO]:
    """A new file ``temporary`` to write to, which takes the place of ``path`` once it is whole on the disk.

    Raises:
        OSError: ``path`` is as it was, and ``temporary`` is gone, as after any other error.
    """
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        flush(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
