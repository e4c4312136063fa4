"""Finds runs below a folder by their id, quickly enough to be asked every second."""

import contextlib
import dataclasses
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dmf_cli import bounded
from dmf_cli.run_folder import places

DEPTH = 4  # levels of folders below the root in which runs are looked for
ORDER = ("completed", "running", "resumable", "broken")  # which of several runs with one id counts


@dataclasses.dataclass(frozen=True)
class Entry:
    """A run as its ``status.json`` says.

    Args:
        path: its folder.
        status: what ``status.json`` holds: ``id state pid host started updated epoch epochs best message``.
    """

    path: Path
    status: dict[str, Any]

    @property
    def id(self) -> str:
        """The run's id; empty for runs of a version that gave none."""
        return str(self.status.get("id", ""))

    @property
    def state(self) -> str:
        """``completed``; ``running`` if a process is at work; else ``resumable``, or ``broken`` if there is
        no checkpoint to resume."""
        if self.status.get("state") == "completed":
            return "completed"
        if self.status.get("state") == "running" and _at_work(self):
            return "running"
        return "resumable" if (self.path / "checkpoints" / "last.npz").is_file() else "broken"

    @property
    def said(self) -> str:
        """What is said of the run: ``is`` and its state, or ``broke off`` if its process is gone."""
        said = self.status.get("state")
        if said == "running" and self.state != "running":
            return "broke off"
        return f"is {said or 'of an unknown state'}"


class Index:
    """The runs below ``root``; a status that has not changed is not read again."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root).expanduser()
        self._entries: dict[Path, tuple[int, Entry]] = {}

    def refresh(self) -> list[Entry]:
        """All runs, as of now."""
        found = {}
        for folder in _runs(self.root, DEPTH):
            with contextlib.suppress(OSError):
                stamp = (folder / places.STATUS).stat().st_mtime_ns
                known = self._entries.get(folder)
                found[folder] = known if known and known[0] == stamp else (stamp, read(folder))
        self._entries = found
        return [entry for _, entry in found.values()]

    def by_id(self) -> dict[str, Entry]:
        """The run that counts for each id: a finished one first, then the one that has come furthest."""
        best: dict[str, Entry] = {}
        for entry in self.refresh():
            if entry.id and (entry.id not in best or rank(entry) < rank(best[entry.id])):
                best[entry.id] = entry
        return best


def read(folder: Path) -> Entry:
    """The run in ``folder``; a status that cannot be read is an empty one."""
    try:
        status = bounded.read_json(folder / places.STATUS)
    except (OSError, ValueError):
        status = {}
    return Entry(folder, status if isinstance(status, dict) else {})


def rank(entry: Entry) -> tuple[int, float, str]:
    """Sorts the runs of one id, the one that counts first."""
    epoch = entry.status.get("epoch")
    return ORDER.index(entry.state), -float(epoch if isinstance(epoch, int) else 0), str(entry.path)


def _runs(folder: Path, depth: int) -> Iterator[Path]:
    """Run folders below ``folder``; what is inside a run is not looked at."""
    try:
        names = {entry.name: entry for entry in os.scandir(folder)}
    except OSError:
        return
    if all(n in names and names[n].is_file(follow_symlinks=False) for n in (places.CONFIG, places.STATUS)):
        yield folder
    elif depth:
        for name in sorted(names):
            if not name.startswith(".") and names[name].is_dir(follow_symlinks=False):
                yield from _runs(folder / name, depth - 1)


def alive(pid: int) -> bool:
    """Whether there is a process of this number on this machine."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # another user's
    return True


def _at_work(entry: Entry) -> bool:
    """Whether the process that the status names is still there: by its number here, else by its lock."""
    pid, host = entry.status.get("pid"), entry.status.get("host")
    if host == socket.gethostname() and isinstance(pid, int) and not alive(pid):
        return False
    return _locked(entry.path / "train.log")


def _locked(file: Path) -> bool:
    """Whether a process holds ``file``; True where that cannot be found out."""
    if file.is_symlink():  # no run of ours has one
        return False
    try:
        with bounded.opened(file) as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    except OSError:  # a network file system without locks
        return True
    return False
