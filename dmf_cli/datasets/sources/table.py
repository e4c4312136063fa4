"""What a CSV file beside the images tells of each: its class, its patient."""

from collections.abc import Mapping
from pathlib import Path

from dmf_cli.datasets.sources.accents import known, plain
from dmf_cli.datasets.sources.csv_rows import read_rows
from dmf_cli.errors import ConfigError, DatasetError

OWN_KEYS = ("file", "key")  # the others are fields: name -> column


def read_table(root: Path, table: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Fields of each row of a CSV file, by what its key column holds.

    Args:
        root: the folder of the dataset.
        table: ``file``, relative to ``root``; ``key``, the column that holds an image's name or path, with or
            without suffix; every other item is a field and its column, as ``patient: Case``. A field may
            stand in ``dataset.masks``: ``mask: Annotation`` is a column of mask files for ``{mask}``.

    Raises:
        ConfigError: ``table`` has no ``file`` or ``key``, or names a column that is not there.
        DatasetError: the file is missing, unreadable, or has two rows for one image.
    """
    complete = isinstance(table, Mapping) and all(table.get(key) for key in OWN_KEYS)
    if not complete or not all(isinstance(value, str) for value in table.values()):
        raise ConfigError(
            key="dataset.table",
            value=table,
            allowed="file, key and fields, as {file: info.csv, key: ID, patient: Case}, or null",
        )
    file = root / table["file"]
    if not file.is_file():
        raise DatasetError(
            f"{file}, which dataset.table names, is not there",
            path=file,
            hint="put it there, or set dataset.table=null",
        )
    header, rows = read_rows(file, ", or set dataset.table=null")
    columns = known(header)
    for name, column in table.items():
        if name != "file" and plain(column) not in columns:
            raise ConfigError(key=f"dataset.table.{name}", value=column, allowed=columns.values())
    called = {name: columns[plain(column)] for name, column in table.items() if name != "file"}
    fields = {name: column for name, column in called.items() if name not in OWN_KEYS}
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        key = as_path(row.cells[called["key"]])
        if key in found:
            raise DatasetError(path=file, reason=f"has two rows for {key!r}", hint="keep one of them")
        found[key] = {name: row.cells[column] for name, column in fields.items()}
    return found


def row_of(found: Mapping[str, Mapping[str, str]], root: Path, image: Path, file: str) -> Mapping[str, str]:
    """The fields of ``image``, which the table calls by its path or its name, with or without suffix.

    The path is that below ``root``, or the end of it: tables come with folders that were named otherwise.

    Raises:
        DatasetError: there is no row for it.
    """
    path = Path(as_path(image.relative_to(root).as_posix()))
    ends = [Path(*path.parts[i:]) for i in range(len(path.parts))]
    calls = [name for end in ends for name in (end.as_posix(), end.with_suffix("").as_posix())]
    row = next((found[name] for name in calls if name in found), None)
    if row is None:
        raise DatasetError(
            path=image,
            reason=f"has no row in {file}",
            hint="add it, leave the image out by dataset.exclude, or set dataset.table=null",
        )
    return row


def as_path(text: str) -> str:
    """A key as paths are written here: ``./img\\a.png`` is ``img/a.png``; accents composed, as in ids."""
    return plain(text.strip().replace("\\", "/")).removeprefix("./")
