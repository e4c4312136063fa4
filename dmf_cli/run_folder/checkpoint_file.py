"""The checkpoints of a run on disk: the last few of them, each with a checksum, and which one to resume from.

``last.npz`` is the newest, ``last.1.npz`` the one before it, and so on. Each is a zip archive of arrays and
of a note (JSON), with the SHA-256 of all its other bytes as the comment of the archive. From the first
checkpoint on there is a ``last.npz``, whenever the process is killed. Nothing here needs Keras.
"""

import contextlib
import io
import itertools
import json
import math
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from dmf_cli import bounded, hashes
from dmf_cli.errors import CheckpointError
from dmf_cli.files import TEMPORARY, disk_errors, flush, link_or_copy, remove, write_atomic

NOTE = "note"
NOTE_BYTES = 2**24  # more than any note takes
AGAIN = "copy it again, or start a new run"
SEAL = b"sha256:"
LENGTH = len(SEAL) + 64
MOST = 2**44  # bytes: whatever a disk holds, for what is in it is compared with the model
END = b"PK\5\6"  # begins the last record of a zip archive, of 18 more bytes and the comment
_UNREADABLE = (zipfile.BadZipFile, ValueError, OSError, EOFError, MemoryError, zlib.error)


class DamagedError(CheckpointError):
    """A checkpoint that is missing or not as it was written: the one before it may be whole."""


def write(last: Path, arrays: dict[str, np.ndarray], note: dict[str, Any], keep: int) -> None:
    """Write the checkpoint ``last``; of those before it ``keep - 1`` stay."""
    buffer = io.BytesIO()
    # NumPy 1 takes allow_pickle for the name of an array, and the stubs of NumPy 2 any array for that option.
    np.savez(buffer, **arrays, **{NOTE: np.array(json.dumps(note))})  # type: ignore[arg-type]
    with _before(last, keep):
        write_atomic(last, sealed(buffer))
    for number, file in _kept(last):
        if number >= keep:
            remove(file)


def sealed(archive: io.BytesIO) -> bytes:
    """The bytes of a zip archive with the checksum of all the others at its end."""
    with zipfile.ZipFile(archive, "a") as opened:
        opened.comment = SEAL + bytes(64)
    data = archive.getvalue()[:-LENGTH]
    return data + SEAL + hashes.digest(data, 64).encode()


def newest(
    last: Path, wanted: Callable[[dict[str, Any]], bool] = lambda note: True
) -> tuple[Path, dict[str, Any], list[str]]:
    """The newest checkpoint that is as it was written, its note, and a line for each after it that is not.

    Args:
        last: where the newest of all is.
        wanted: whether one with this note will do.

    Raises:
        CheckpointError: none is.
    """
    lost: list[DamagedError] = []
    for file in [last, *(file for _, file in _kept(last))]:
        try:
            note = read_note(file)
        except DamagedError as error:
            lost.append(error)
            continue
        if not wanted(note):
            continue
        step = f", step {note['step']}" if note.get("step") else ""
        where = f"continues from {file.name} (after epoch {note['epoch']}{step})"
        return file, note, [f"{error.what}: {where}" for error in lost]
    raise lost[0] if lost else CheckpointError(path=last, reason="is of after the divergence")


def take(last: Path, file: Path) -> None:
    """Make ``file`` the ``last`` again: those after it are damaged or undone, and go."""
    if file != last:
        with disk_errors(last):
            for _, other in itertools.takewhile(lambda kept: kept[1] != file, _kept(last)):
                other.unlink()
            file.replace(last)


def read_note(file: Path) -> dict[str, Any]:
    """The note of a checkpoint, after a look at its checksum and at each of its arrays.

    Raises:
        DamagedError: the file is missing, not as it was written, or holds what no checkpoint does.
    """
    _check_seal(file)
    with (
        _readable(file),
        bounded.opened(file, MOST) as handle,
        np.load(handle, allow_pickle=False) as archive,
    ):
        if NOTE not in archive.files or _size(archive, NOTE) > NOTE_BYTES:
            raise _no_note(file)
        note = _note(file, archive[NOTE])
        _check_arrays(archive)
        return note


def read(file: Path, wanted: int) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and note of a file that has no more than the ``wanted`` bytes of a model, and a note.

    Raises:
        CheckpointError: it is damaged or larger.
    """
    # Opened here: NumPy leaves a file open that turns out not to be an archive.
    with (
        _readable(file),
        bounded.opened(file, MOST) as handle,
        np.load(handle, allow_pickle=False) as archive,
    ):
        size = sum(_size(archive, name) for name in archive.files)
        if size > wanted + NOTE_BYTES:  # before anything is allocated
            raise CheckpointError(
                path=file,
                reason="belongs to another model",
                hint=f"it holds {size:,} bytes, and this model has {wanted:,}; resume with the config of the "
                "run",
            )
        arrays = {key: archive[key] for key in archive.files}
    if NOTE not in arrays:
        raise _no_note(file)
    return arrays, _note(file, arrays.pop(NOTE))


@contextlib.contextmanager
def _before(last: Path, keep: int) -> Iterator[None]:
    """What is ``last`` now becomes the one before it once the block has written another."""
    spare = last.with_name(f".{last.name}.{os.getpid()}-kept{TEMPORARY}")
    with disk_errors(last):
        spare.unlink(missing_ok=True)
        if keep > 1 and last.is_file():
            link_or_copy(last, spare)
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # what is wrong is said already
            spare.unlink(missing_ok=True)
        raise
    if spare.is_file():
        with disk_errors(last):
            for number in range(keep - 1, 1, -1):
                with contextlib.suppress(FileNotFoundError):
                    _numbered(last, number - 1).replace(_numbered(last, number))
            spare.replace(_numbered(last, 1))
        flush(last.parent)


def _numbered(last: Path, number: int) -> Path:
    return last.with_name(f"{last.stem}.{number}{last.suffix}")


def _kept(last: Path) -> list[tuple[int, Path]]:
    """Number and file of each checkpoint before ``last``, the newest first."""
    found = []
    for file in last.parent.glob(f"{last.stem}.*{last.suffix}"):
        if number := re.fullmatch(r"[1-9]\d{0,3}", file.name[len(last.stem) + 1 : -len(last.suffix)]):
            found.append((int(number[0]), file))
    return sorted(found)


def _check_seal(file: Path) -> None:
    """Compare the checksum; a file of an earlier version has none."""
    with _readable(file), bounded.opened(file, MOST) as handle:
        size = handle.seek(0, os.SEEK_END)
        handle.seek(max(0, size - len(END) - 18 - LENGTH))
        _, end, rest = handle.read().rpartition(END)
        # No archive, which its reader will say, or one without a comment.
        if not end or rest[16:] == bytes(2):
            return
        seal = rest[18:]
        handle.seek(0)
        if seal != SEAL + hashes.of_start(handle, size - len(seal)).encode():
            raise DamagedError(path=file, reason="is damaged (its checksum is another)", hint=AGAIN)


def _check_arrays(archive: Any) -> None:
    """Each array is as long as it says, of plain numbers, and as it was written; none is unpacked at once.

    Of a file without a checksum nothing else would say so before the training is to continue from it.
    """
    for entry in archive.zip.infolist():
        name = entry.filename.removesuffix(".npy")
        plain = entry.filename == f"{name}.npy" and entry.compress_type == zipfile.ZIP_STORED
        if not plain or entry.file_size != _size(archive, name, head=True):
            raise ValueError(f"{entry.filename[:60]} is no plain array")
    if broken := archive.zip.testzip():
        raise ValueError(f"{broken[:60]} is damaged")


@contextlib.contextmanager
def _readable(file: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise DamagedError(path=file, reason="is missing", hint="start a new run") from None
    except _UNREADABLE as error:
        raise DamagedError(path=file, reason=f"cannot be read ({error})", hint=AGAIN) from None


def _note(file: Path, text: np.ndarray) -> dict[str, Any]:
    with contextlib.suppress(KeyError, TypeError, ValueError):
        note: dict[str, Any] = bounded.parse_json(str(text))
        if isinstance(note["epoch"], int):
            return note
    raise _no_note(file)


def _no_note(file: Path) -> DamagedError:
    return DamagedError(path=file, reason="has no note of its epoch", hint=AGAIN)


def _size(archive: Any, name: str, *, head: bool = False) -> int:
    """Bytes of an array as its header says: no zip archive has to say the same of itself.

    ``head``: with those of the header.
    """
    with archive.zip.open(f"{name}.npy") as file:
        version = np.lib.format.read_magic(file)
        header = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = header(file)
        if dtype.hasobject:
            raise ValueError(f"{name[:60]} holds no numbers")
        return math.prod(shape) * dtype.itemsize + (file.tell() if head else 0)
