"""Each operation of this process on the files of a folder, before it is done.

Python's own door to the disk is watched: ``open``, and ``open write pwrite ftruncate fsync replace rename
link unlink remove mkdir rmdir`` of ``os``, by which NumPy, zipfile, PIL and Keras write too. What a C library
writes by itself is not seen: HDF5, if it were given the name of a file. Keras gives it memory, and a zip
archive gets the bytes.
"""

import builtins
import contextlib
import dataclasses
import fcntl
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
OF_PATHS = {"replace": "rename", "rename": "rename", "link": "link", "unlink": "unlink"}
OF_PATHS |= {"remove": "unlink", "mkdir": "mkdir", "rmdir": "rmdir"}
OF_DESCRIPTORS = {"write": "write", "pwrite": "overwrite", "ftruncate": "truncate", "fsync": "fsync"}


@dataclasses.dataclass(frozen=True)
class Operation:
    """What is about to be done.

    Args:
        kind: ``open`` (to write), ``write overwrite truncate fsync rename link unlink mkdir rmdir``.
        path: of the file or folder; the new name of one that is renamed.
        data: what is to be written.
        offset: where.
        done: whether it has been done, which is said of ``fsync`` alone, in another call.
    """

    kind: str
    path: Path
    data: bytes = b""
    offset: int = 0
    done: bool = False


class Watch(contextlib.AbstractContextManager["Watch"]):
    """Inside the block, ``seen`` is called with each :class:`Operation` in ``folder``.

    What it raises, such as ``OSError(ENOSPC)``, the operation raises. What it does itself is not watched.
    """

    def __init__(self, folder: Path, seen: Callable[[Operation], None]) -> None:
        self.folder, self.seen = folder.absolute(), seen
        self._open = io.open
        self._busy = False
        self._patches = contextlib.ExitStack()

    def __enter__(self) -> "Watch":
        for name, kind in OF_PATHS.items():
            self._patch(os, name, self._of_paths(kind, getattr(os, name)))
        for name, kind in OF_DESCRIPTORS.items():
            self._patch(os, name, self._of_descriptor(kind, getattr(os, name)))
        self._patch(os, "open", self._opens(os.open))
        self._patch(io, "open", self._opens_file)
        self._patch(builtins, "open", self._opens_file)
        return self

    def __exit__(self, *error: object) -> None:
        self._patches.close()

    def _patch(self, module: Any, name: str, new: Any) -> None:
        self._patches.enter_context(mock.patch.object(module, name, new))

    def tell(self, kind: str, path: Any, data: Any = b"", offset: int = 0, *, done: bool = False) -> None:
        """Call ``seen``, if ``path`` (or descriptor) lies in the folder."""
        place = self._place(path)
        if place is None or self._busy:
            return
        self._busy = True
        try:
            self.seen(Operation(kind, place, bytes(data), offset, done))
        finally:
            self._busy = False

    def _place(self, path: Any) -> Path | None:
        if isinstance(path, int):
            with contextlib.suppress(OSError):
                path = Path(f"/proc/self/fd/{path}").readlink()
        if isinstance(path, int):
            return None
        # By its words: `resolve` would ask the disk each time.
        place = Path(os.path.abspath(os.fsdecode(path)))  # noqa: PTH100
        return place if place.is_relative_to(self.folder) else None

    def _of_paths(self, kind: str, real: Any) -> Any:
        def called(path: Any, *more: Any, **named: Any) -> Any:
            self.tell(kind, more[0] if kind in ("rename", "link") else path)
            return real(path, *more, **named)

        return called

    def _of_descriptor(self, kind: str, real: Any) -> Any:
        def called(descriptor: int, *more: Any) -> Any:
            if kind in ("write", "overwrite"):
                offset = more[1] if kind == "overwrite" else _offset(descriptor)
                over = _is_over(descriptor, offset, len(more[0]))
                self.tell("overwrite" if over else "write", descriptor, more[0], offset)
            else:
                self.tell(kind, descriptor)
            result = real(descriptor, *more)
            if kind == "fsync":
                self.tell(kind, descriptor, done=True)
            return result

        return called

    def _opens(self, real: Any) -> Any:
        def called(path: Any, flags: int, *more: Any, **named: Any) -> Any:
            if flags & WRITES:
                self.tell("open", path)
            return real(path, flags, *more, **named)

        return called

    def _opens_file(self, file: Any, mode: str = "r", *more: Any, **named: Any) -> Any:
        """``open``, whose files report what they hand to the system."""
        if not set(mode) & set("wax+") or self._place(file) is None:
            return self._open(file, mode, *more, **named)
        if named.get("opener") is None:
            self.tell("open", file)
        watch = self

        class Raw(io.FileIO):
            def write(self, data: Any) -> int:
                watch.tell("write", file, data, _offset(self.fileno()))
                return super().write(data)

            def truncate(self, size: int | None = None) -> int:
                watch.tell("truncate", file)
                return super().truncate(size)

        opened = Raw(file, mode.replace("b", "").replace("t", ""), opener=named.get("opener"))
        buffered = io.BufferedRandom(opened) if "+" in mode else io.BufferedWriter(opened)
        if "b" in mode:
            return buffered
        options = {name: named[name] for name in ("encoding", "errors", "newline") if name in named}
        return io.TextIOWrapper(buffered, **options)


def _is_over(descriptor: int, offset: int, length: int) -> bool:
    """Whether a write takes no block of the disk that the file has not."""
    status = os.fstat(descriptor)
    return offset < status.st_size and offset + length <= max(status.st_size, status.st_blocks * 512)


def _offset(descriptor: int) -> int:
    """Where the next byte goes; of a pipe, 0."""
    with contextlib.suppress(OSError):
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_APPEND:
            return os.fstat(descriptor).st_size
        return os.lseek(descriptor, 0, os.SEEK_CUR)
    return 0


@contextlib.contextmanager
def failing(
    folder: Path, number: int, kinds: tuple[str, ...], code: int, *, once: bool
) -> Iterator[list[Operation]]:
    """From operation ``number`` of ``kinds`` on, or at it alone, the disk answers with the error ``code``.

    Yields:
        The operations that failed, as they do.
    """
    count, failed = 0, list[Operation]()

    def seen(operation: Operation) -> None:
        nonlocal count
        if operation.kind not in kinds or operation.done:
            return
        count += 1
        if count == number or (count > number and not once):
            failed.append(operation)
            raise OSError(code, os.strerror(code), str(operation.path))

    with Watch(folder, seen):
        yield failed
