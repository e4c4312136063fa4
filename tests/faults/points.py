"""Copies of a folder as a crash at each moment would leave it: of the process, or of the whole machine."""

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.faults.watch import Operation, Watch


@dataclasses.dataclass(frozen=True)
class Point:
    """A copy.

    Args:
        folder: the copy.
        before: what was about to be done, as ``rename checkpoints/last.npz``.
        kind: ``kill``: the process ended before the operation; ``torn``: in the middle of its writing;
            ``power``: what had not been flushed by then is lost.
        seen: position in the order of all.
    """

    folder: Path
    before: str
    kind: str
    seen: int


class Durable:
    """What of a folder survives a loss of power, on the harshest file system that POSIX allows.

    A file has what it had when it was last flushed, and a folder the names that it had when it was.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.names: dict[int, dict[str, int]] = {}  # folder -> name -> inode
        self.content: dict[int, bytes | None] = {}  # None: a folder
        self.held: list[int] = []  # open, so that no inode gets the number of one that is gone

    def flushed(self, path: Path) -> None:
        """``path`` has been flushed."""
        self._know(path)
        number = path.stat().st_ino
        if not path.is_dir():
            self.content[number] = path.read_bytes()
            return
        self.names[number] = {}
        for file in path.iterdir():
            self.names[number][file.name] = file.stat().st_ino
            self._know(file)

    def state(self) -> object:
        """Changes with whatever would be there."""
        return {number: dict(names) for number, names in self.names.items()}, dict(self.content)

    def copy(self, target: Path) -> None:
        """What would be there after the loss."""
        self._copy(self.root.stat().st_ino, target)

    def _know(self, path: Path) -> None:
        number = path.stat().st_ino
        if number not in self.content:
            self.content[number] = None if path.is_dir() else b""
            self.held.append(os.open(path, os.O_RDONLY))

    def _copy(self, number: int, target: Path) -> None:
        content = self.content.get(number)
        if content is not None:
            target.write_bytes(content)
            return
        target.mkdir()
        for name, inside in self.names.get(number, {}).items():
            self._copy(inside, target / name)

    def close(self) -> None:
        for descriptor in self.held:
            os.close(descriptor)


@contextlib.contextmanager
def recorded(folder: Path, copies: Path) -> Iterator[list[Point]]:
    """The points of what happens in ``folder`` inside the block, each as another folder in ``copies``.

    A state that is the same as the one before it is no other point.
    """
    found, count = list[Point](), 0
    durable, last = Durable(folder), dict[str, object]()

    def keep(kind: str, target: Path, operation: Operation) -> None:
        found.append(
            Point(target, f"{operation.kind} {operation.path.relative_to(folder)}", kind, len(found))
        )

    def is_new(kind: str, state: object) -> bool:
        before, last[kind] = last.get(kind), state
        return before != state

    def seen(operation: Operation) -> None:
        nonlocal count
        if not folder.is_dir():
            return
        count += 1
        name = copies / f"{count:05d}"
        if operation.done:
            durable.flushed(operation.path)
            if is_new("power", durable.state()):
                durable.copy(power := name.with_suffix(".power"))
                keep("power", power, operation)
            return
        if is_new("kill", _state(folder)):
            shutil.copytree(folder, kill := name.with_suffix(".kill"))
            keep("kill", kill, operation)
        if len(operation.data) > 1:
            shutil.copytree(folder, torn := name.with_suffix(".torn"))
            with (torn / operation.path.relative_to(folder)).open("r+b") as file:
                file.seek(operation.offset)
                file.write(operation.data[: len(operation.data) // 2])
            keep("torn", torn, operation)

    copies.mkdir(parents=True, exist_ok=True)
    try:
        with Watch(folder, seen):
            yield found
    finally:
        durable.close()


def _state(folder: Path) -> list[tuple[object, ...]]:
    """Changes with whatever changes in it; nothing is read."""
    found = [(path, path.stat()) for path in sorted(folder.rglob("*"))]
    return [(path, is_.st_ino, is_.st_size, is_.st_mtime_ns) for path, is_ in found]
