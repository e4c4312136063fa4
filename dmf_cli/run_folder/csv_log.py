"""Rows of numbers that a run appends to CSV files, and their tolerant reader.

A killed process leaves whole rows: they are appended in one write. What a crash of the machine may
leave, a last row that is cut off, is ignored when reading and dropped on resume.
"""

import csv
import io
import numbers
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dmf_cli import bounded
from dmf_cli.errors import RunFolderError
from dmf_cli.files import disk_errors, flush, own, write_atomic

Columns = dict[str, list[float]]


def append(file: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Append ``rows`` in one write that has reached the disk when this returns.

    Args:
        file: made with a header of ``columns`` if it is missing or empty; else its own header counts.
        columns: the order of the values; a missing value is an empty cell.
        rows: numbers by column.

    Raises:
        RunFolderError: disk full, no permission; no part of the rows stays in the file then.
    """
    with disk_errors(file):
        descriptor = own(file, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        try:
            size = os.fstat(descriptor).st_size
            data = _lines(_header(file) or columns, rows, header=size == 0)
            try:
                _write_all(descriptor, data)
            except OSError:
                os.ftruncate(descriptor, size)
                raise
            if size == 0:
                flush(file.parent)
        finally:
            os.close(descriptor)


def read(file: Path) -> Columns:
    """The file as columns of floats, an empty cell as NaN; ``{}`` when there is no row yet.

    Raises:
        RunFolderError: the file cannot be read, or a row other than the last is damaged.
    """
    header, *rows = _whole_lines(file) or [""]
    names = _names(header)
    values = []
    for number, row in enumerate(rows, start=2):
        try:
            values.append(_numbers(row, len(names)))
        except ValueError:
            if number == len(rows) + 1:
                break
            raise RunFolderError(
                f"{file}, line {number} is damaged",
                path=file,
                value=row[:60],
                hint=f"{row[:60]!r}; remove that line",
            ) from None
    return {name: list(column) for name, column in zip(names, zip(*values, strict=True), strict=False)}


def truncate(file: Path, epoch: int) -> None:
    """Drop the rows of epochs later than ``epoch``, and a row that was cut off.

    Raises:
        RunFolderError: the file cannot be read or written, or has no column ``epoch``.
    """
    header, *rows = _whole_lines(file) or [""]
    if not header:
        if file.exists():
            write_atomic(file, "")  # not even the header was whole
        return
    names = _names(header)
    if "epoch" not in names:
        raise RunFolderError(
            path=file, reason=f"has no column 'epoch' but {header[:60]!r}", hint="the run folder is damaged"
        )
    kept = [row for row in rows if _is_up_to(row, names, epoch)]
    write_atomic(file, "".join(f"{line}\n" for line in (header, *kept)))


def _lines(columns: Sequence[str], rows: Sequence[Mapping[str, Any]], *, header: bool) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    if header:
        writer.writerow(columns)
    writer.writerows([_text(row.get(name)) for name in columns] for row in rows)
    return buffer.getvalue().encode("utf-8", "backslashreplace")


def _text(value: Any) -> Any:
    """Whole numbers as they are; nine digits carry a float32 exactly."""
    if isinstance(value, numbers.Real) and not isinstance(value, numbers.Integral):
        return f"{float(value):.9g}"
    return value


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
    os.fsync(descriptor)


def _header(file: Path) -> list[str]:
    with bounded.opened_text(file) as handle:
        return next(csv.reader(handle), [])


def _names(header: str) -> list[str]:
    """A name may hold a comma, as that of a class does at times."""
    return next(csv.reader([header]), [""])


def _whole_lines(file: Path) -> list[str]:
    """Lines that end; a last one without its end was cut off."""
    if not file.exists():
        return []
    with disk_errors(file, "read"):
        text = bounded.read_text(file, errors="replace", most=bounded.MOST_WHOLE)
    return text[: text.rfind("\n") + 1].split("\n")[:-1]


def _numbers(row: str, count: int) -> list[float]:
    values = [float(cell or "nan") for cell in row.split(",")]
    if len(values) != count:
        raise ValueError(f"{len(values)} values")
    return values


def _is_up_to(row: str, names: Sequence[str], epoch: int) -> bool:
    try:
        return _numbers(row, len(names))[names.index("epoch")] <= epoch
    except ValueError:
        return False
