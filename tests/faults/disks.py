"""Disks that fail, and folders that go away, while a run is trained."""

import contextlib
import errno
import itertools
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from dmf_cli.run_folder.folder import RunFolder
from tests.faults import runs, truth
from tests.faults.tally import Tally
from tests.faults.watch import Operation, Watch, failing

# What fails with each error. A full disk lets a file be written over; a file system that the kernel has made
# read-only, which `mount` refuses while a log is open, lets nothing be changed.
FAULTS = {
    "ENOSPC": (errno.ENOSPC, ("mkdir", "write")),
    "EIO": (errno.EIO, ("write", "overwrite", "truncate", "fsync")),
    "EROFS": (
        errno.EROFS,
        ("open", "write", "overwrite", "truncate", "fsync", "rename", "link", "unlink", "mkdir", "rmdir"),
    ),
}
REASONS = {"ENOSPC": "disk is full", "EIO": "error", "EROFS": "read-only"}


def count(place: Path, name: str, *words: str) -> int:
    """How many operations of a run could fail with the error ``name``."""
    seen = list[Operation]()
    with Watch(place / "counted", lambda one: seen.append(one) if not one.done else None):
        runs.command(runs.train(place / "counted", *words))
    shutil.rmtree(place / "counted")
    return sum(operation.kind in FAULTS[name][1] for operation in seen)


def errors(
    place: Path, whole: Path, name: str, numbers: Iterable[int], *words: str, once: bool = False
) -> Tally:
    """Operation n fails with the error ``name``, for each n, and so do all after it unless ``once``."""
    tally = Tally(f"{name} once" if once else name)
    code, kinds = FAULTS[name]
    with runs.one_network():
        for number in numbers:
            folder = place / f"{name}-{number}"
            with failing(folder, number, kinds, code, once=once) as failed:
                end = runs.command(runs.train(folder, *words))
            if not failed:
                break
            where = f"{tally.name} at {failed[0].kind} {number} ({_file(failed[0])})"
            _ended(tally, where, folder, end, name, failed)
            _repaired(tally, where, whole, folder, words)
    return tally.stop()


def full(place: Path, whole: Path, every: int, *words: str) -> Tally:
    """A disk of its own that is too small by more or less, and later has room; it needs the right to mount.

    Args:
        every: of so many steps of 16 KiB one is tried, until the run fits.
    """
    tally, disk = Tally("disk really full"), place / "disk"
    disk.mkdir()
    with runs.one_network():
        for size in itertools.count(16, 16 * every):
            _system("mount", "-t", "tmpfs", "-o", f"size={size}k", "dmf-faults", str(disk))
            try:
                end = runs.command(runs.train(disk / "run", *words))
                if end.code == 0:
                    break
                where = f"{tally.name} at {size} KiB"
                _ended(tally, where, disk / "run", end, "ENOSPC", [])
                _system("mount", "-o", "remount,size=100%", str(disk))
                _repaired(tally, where, whole, disk / "run", words)
            finally:
                _system("umount", "--lazy", str(disk))
    return tally.stop()


def _system(*command: str) -> None:
    subprocess.run(command, check=True)


def _ended(tally: Tally, where: str, folder: Path, end: runs.End, name: str, failed: list[Operation]) -> None:
    tally.crashed(where, folder, truth.NOWHERE)
    if end.code == 0:
        tally.check(truth.completed(folder), f"{where}: exit code 0, and not complete")
        return
    line = " ".join(end.errors)
    codes = (1,) if truth.position(folder) != truth.NOWHERE else (1, 2)  # 2: the training had not begun
    tally.check(end.code in codes, f"{where}: exit code {end.code}: {line}")
    tally.check(end.one_line and REASONS[name] in line, f"{where}: says {end.errors}")
    named = not failed or any(_file(one) in line for one in failed)
    tally.check(named, f"{where}: names another file: {line}")
    if name == "ENOSPC" and _begun(folder):
        state = RunFolder(folder).read_status()["state"]
        tally.check(state == "failed", f"{where}: the status says {state}")


def _begun(folder: Path) -> bool:
    return RunFolder(folder).read_status() != {}


def _file(operation: Operation) -> str:
    """The name of the file that was to be written, under whatever other name."""
    name = re.sub(r"^\.(.+)\.\d+-\w+\.tmp$", r"\1", operation.path.name)
    return name.partition(".")[0] if name.startswith(("best", "last")) else name


def _repaired(tally: Tally, where: str, whole: Path, folder: Path, words: tuple[str, ...]) -> None:
    """With the disk as it should be the run is resumed, or begun again."""
    if truth.position(folder) != truth.NOWHERE:
        end = runs.finished(folder)
    else:
        shutil.rmtree(folder, ignore_errors=True)
        end = runs.command(runs.train(folder, *words))
    tally.resumed(where, whole, folder, end)
    shutil.rmtree(folder)


def gone(place: Path, whole: Path, moments: Iterable[int | str], *words: str, moved: bool = True) -> Tally:
    """The folder is moved away, or removed, before operation n or one such as ``rename status.json``."""
    tally = Tally("folder moved" if moved else "folder removed")
    with runs.one_network():
        for moment in moments:
            _without(tally, place, whole, moment, words, moved=moved)
    return tally.stop()


def _without(
    tally: Tally, place: Path, whole: Path, moment: int | str, words: tuple[str, ...], *, moved: bool
) -> None:
    folder, other = place / "here", place / "there"
    with _taken_away(folder, other if moved else None, moment) as before:
        end = runs.command(runs.train(folder, *words))
    if not before:
        shutil.rmtree(folder)
        return
    operation, begun = before[0]
    where = f"{tally.name} before operation {moment} ({operation.kind} {operation.path.name})"
    tally.tried += 1
    codes = (1,) if begun else (1, 2)  # 2: the training had not begun
    tally.check(end.code in codes and end.one_line and "gone" in end.errors[0], f"{where}: ends with {end}")
    made = sorted(str(path.relative_to(place)) for path in folder.rglob("*")) if folder.exists() else []
    tally.check(not folder.exists(), f"{where}: made again: {made}")
    shutil.rmtree(folder, ignore_errors=True)
    if moved:
        tally.lost += [f"{where}: {what}" for what in truth.losses(other, truth.NOWHERE)]
        _repaired(tally, where, whole, other, words)


@contextlib.contextmanager
def _taken_away(
    folder: Path, other: Path | None, moment: int | str
) -> Iterator[list[tuple[Operation, bool]]]:
    """At the moment the folder goes to ``other``, or for good.

    Yields:
        The operation before which it went, and whether there was a checkpoint.
    """
    count, before = 0, list[tuple[Operation, bool]]()

    def seen(operation: Operation) -> None:
        nonlocal count
        count += not operation.done
        name = f"{operation.kind} {operation.path.relative_to(folder)}"
        if moment in (count, name) and not before:
            before.append((operation, truth.position(folder) != truth.NOWHERE))
            shutil.rmtree(folder) if other is None else os.rename(folder, other)  # noqa: PTH104

    with Watch(folder, seen):
        yield before
