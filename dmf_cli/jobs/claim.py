"""One job, one process: a lock by the id of a run, so that sweeps over one folder share the work."""

import contextlib
import fcntl
import os
from pathlib import Path

from dmf_cli.files import disk_errors


class Claim:
    """The right to train the run ``id``: a lock in ``folder``, held until :meth:`release`.

    The lock file is handed to the job's process, so that it is held as long as anyone trains.
    """

    def __init__(self, folder: Path, id: str) -> None:
        self.path = folder / f"{id}.lock"
        self._file: int | None = None

    def take(self) -> bool:
        """Whether this process has the job now; False if another one has it.

        Raises:
            RunFolderError: the folder cannot be written to.
        """
        while self._file is None:
            with disk_errors(self.path, "make"):
                self.path.parent.mkdir(parents=True, exist_ok=True)
                try:
                    file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
                except FileNotFoundError:  # the other sweep took its empty folder away just now
                    continue
            if not _lock(file):
                os.close(file)
                return False
            if _is_still(file, self.path):
                self._file = file
            else:  # it was released, and its file removed, between opening and locking
                os.close(file)
        return True

    @property
    def files(self) -> list[int]:
        """The file descriptors that hold the lock."""
        return [] if self._file is None else [self._file]

    def release(self) -> None:
        """Let others have it; safe to call twice."""
        file, self._file = self._file, None
        if file is None:
            return
        with contextlib.suppress(OSError):
            self.path.unlink()
        os.close(file)
        with contextlib.suppress(OSError):
            self.path.parent.rmdir()


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a network file system without locks
        return True
    return True


def _is_still(file: int, path: Path) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    mine = os.fstat(file)
    return (mine.st_ino, mine.st_dev) == (there.st_ino, there.st_dev)
