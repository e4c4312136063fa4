"""Which column of a table of images says what: by the names that are given, or by the usual ones."""

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from dmf_cli.config.inputs import COLUMNS
from dmf_cli.datasets.sources.accents import known, plain
from dmf_cli.errors import ConfigError, DatasetError

NEAR = 0.8  # how alike a column must be to a name that is looked for, to be taken for a slip


def found_columns(file: Path, header: Sequence[str], given: Mapping[str, str | None]) -> dict[str, str]:
    """Field -> its column."""
    forms, folded = known(header), {column.lower(): column for column in reversed(header)}
    found: dict[str, str] = {}
    for field in COLUMNS:
        wanted = given.get(field, "auto")
        column = folded.get(field) if wanted == "auto" else forms.get(plain(wanted or ""))
        if column is not None:
            found[field] = column
        elif wanted not in (None, "auto") or field in COLUMNS[:2]:
            raise ConfigError(
                key=f"dataset.columns.{field}",
                value=field if wanted == "auto" else wanted,
                reason=f"which is no column of {file}",
                allowed=header,
            )
    twice = next((column for column in found.values() if header.count(column) > 1), None)
    if twice is not None:
        raise DatasetError(path=file, reason=f"has two columns {twice!r}", hint="rename one of them")
    for field in COLUMNS:
        if field not in found and given.get(field, "auto") == "auto":
            _check_slip(file, field, [column for column in header if column not in found.values()])
    return found


def _check_slip(file: Path, field: str, others: Sequence[str]) -> None:
    """Patients in a column that nobody reads would be on several sides of a split."""
    for column in others:
        name = column.lower()
        if field in re.split(r"[^a-z]+", name) or difflib.SequenceMatcher(None, field, name).ratio() >= NEAR:
            raise ConfigError(
                f"{file} has no column {field!r}, and {column!r}, which may be it",
                key=f"dataset.columns.{field}",
                hint=f"set 'dataset.columns.{field}={column}', or null if it is something else",
            )
