"""Tables: a pandas data frame where pandas is installed, else a dictionary of NumPy columns."""

import csv
import importlib
import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from dmf_cli import bounded
from dmf_cli.errors import RunFolderError
from dmf_cli.escapes import of_cell
from dmf_cli.files import disk_errors

TEXTS = ("id", "stratum", "outcome")  # an id may look like a number
Frame: TypeAlias = Any  # pandas.DataFrame, or dict[str, np.ndarray]


def frame(columns: Mapping[str, Any]) -> Frame:
    """``columns``, name -> values, as a ``pandas.DataFrame`` or a dictionary of arrays.

    Example:
        >>> frame({"epoch": [1, 2]})["epoch"].sum()
        3
    """
    arrays = {name: np.asarray(values) for name, values in columns.items()}
    if importlib.util.find_spec("pandas") is None:
        return arrays
    return importlib.import_module("pandas").DataFrame(arrays)


def of_rows(names: Iterable[str], rows: Sequence[Sequence[Any]]) -> Frame:
    """A table from its rows; a column of texts and numbers keeps both."""
    named = list(names)
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(named)
    return frame({name: _column(column) for name, column in zip(named, columns, strict=True)})


def read(file: Path, hint: str) -> Frame:
    """A CSV file with a header: numbers, an empty cell being NaN, and texts in the columns of :data:`TEXTS`.

    Raises:
        RunFolderError: it is missing (``hint`` says what to do) or cannot be read.
    """
    if not file.is_file():
        raise RunFolderError(path=file, reason="is missing", hint=hint)
    with disk_errors(file, "read"), bounded.opened_text(file) as stream:
        names, *rows = list(csv.reader(stream)) or [[]]
    return of_rows(names, [list(map(_cell, names, row)) for row in rows])


def _cell(name: str, text: str) -> str | float:
    if name in TEXTS:
        return of_cell(text)
    try:
        return float(text or "nan")
    except ValueError:
        return text


def _column(values: Sequence[Any]) -> np.ndarray:
    texts = {isinstance(value, str) for value in values}
    return np.array(values, dtype=object if len(texts) > 1 else None)
