"""Rows of a CSV file as people save it: comma, semicolon or tab, with or without a byte-order mark."""

import csv
from pathlib import Path
from typing import Any, NamedTuple

from dmf_cli import bounded
from dmf_cli.errors import DatasetError

DELIMITERS = ",;\t"


class CsvRow(NamedTuple):
    """The line of a row, from 1, and its cells by column, without spaces around them."""

    line: int
    cells: dict[str, str]


def read_rows(file: Path, otherwise: str = "") -> tuple[list[str], list[CsvRow]]:
    """Columns and rows; the delimiter is the one that the first line has most of.

    Args:
        file: of text in UTF-8.
        otherwise: what may be done in place of mending the file, for errors.

    Raises:
        DatasetError: it cannot be read, is empty, or has cells without a column.
    """
    try:
        lines = bounded.read_text(file, encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(file, error) from None
    if not lines:
        raise DatasetError(path=file, reason="is empty", hint=f"bring it back{otherwise}")
    reader = csv.DictReader(lines, delimiter=max(DELIMITERS, key=lines[0].count), restval="")
    try:
        columns = [column.strip() for column in reader.fieldnames or ()]
        reader.fieldnames = columns
        rows = [CsvRow(reader.line_num, _stripped(file, reader.line_num, row)) for row in reader]
    except csv.Error as error:
        raise _unreadable(file, error) from None
    return columns, rows


def _stripped(file: Path, line: int, row: dict[str, Any]) -> dict[str, str]:
    """The cells that have a column; beyond the last one there may be empty ones only."""
    if beyond := [cell for cell in row.get(None, ()) if cell.strip()]:  # type: ignore[call-overload]
        raise DatasetError(
            f"{file}, line {line}, has more cells than the table has columns, first {beyond[0][:60]!r}",
            path=file,
            hint="put cells with a comma into quotes, or name the column",
        )
    return {column: cell.strip() for column, cell in row.items() if column is not None}


def _unreadable(file: Path, error: Exception) -> DatasetError:
    return DatasetError(
        path=file, reason=f"cannot be read as a table ({error})", hint="save it as CSV in UTF-8"
    )
