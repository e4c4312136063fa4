"""A table of images: a CSV file whose rows name an image, its mask, its patient, its class and its part."""

import dataclasses
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from dmf_cli import lookup
from dmf_cli.config.dataset_schema import Table
from dmf_cli.config.inputs import check_columns
from dmf_cli.datasets.case import PARTS
from dmf_cli.datasets.sources.accents import plain, twin
from dmf_cli.datasets.sources.csv_rows import CsvRow, read_rows
from dmf_cli.datasets.sources.folder_place import check_place, existing, existing_table
from dmf_cli.datasets.sources.paired import PairedDataset
from dmf_cli.datasets.sources.pairing import Pair, check_ids, of_strata
from dmf_cli.datasets.sources.patterns import identity
from dmf_cli.datasets.sources.table_columns import found_columns
from dmf_cli.errors import DatasetError, UnreadableError
from dmf_cli.ranges import MOST


@dataclasses.dataclass
class Listed:
    """What the rows of one image say of it, and in which line it is named first."""

    image: Path
    line: int
    masks: dict[Path, int] = dataclasses.field(default_factory=dict)
    fields: dict[str, tuple[str, int]] = dataclasses.field(default_factory=dict)

    def get(self, field: str) -> str:
        """What stands in the column; empty where it has none."""
        return self.fields.get(field, ("", 0))[0]


class TableDataset(PairedDataset):
    """Images that a CSV file lists.

    Args:
        table: the file. Several masks of one image stand in rows of their own, or in one cell with ``;``
            between them.
        dir: folder that the paths in it are relative to; None: that of the file.
        columns: what its columns are called, by ``COLUMNS``; ``auto``: by these names, whatever the case.
            Columns but ``image`` and ``mask`` need not be there, and None leaves one out.
        parts: ``own`` takes the split that the column ``split`` says; ``pool`` puts all images together.
        common: see :class:`~dmf_cli.datasets.sources.paired.PairedDataset`.

    Raises:
        ConfigError: a column that is not there.
        DatasetError: the file is missing or empty, or a row is wrong; all files that are not there at once.
    """

    def __init__(
        self,
        *,
        table: str | Path,
        dir: str | Path | None = None,  # the key of the config
        columns: Mapping[str, str | None] | None = None,
        parts: Literal["own", "pool"] = "own",
        **common: Any,
    ) -> None:
        self._table, self._dir, self._columns, self._parts = table, dir, columns or {}, parts
        check_columns(self._columns)
        super().__init__(**common)

    def find(self, left_out: Counter[str]) -> list[Pair]:
        """See :meth:`PairedDataset.find`."""
        file = existing_table(self._table)
        given = existing(self.name, self._dir) if self._dir is not None else file.parent
        folder = Path(os.path.normpath(given.absolute()))
        cases = {case.image: case for case in self._read(file, folder)}
        self.root = _root(cases, folder)
        strata = {image: self._stratum(case) for image, case in cases.items()}
        chosen = of_strata(cases, strata, self._strata)
        left_out.update(Counter(strata.values()) - Counter(strata[image] for image in chosen))
        check_ids(self.root, chosen)
        used = self._there(file, [cases[image] for image in chosen])
        _check_masks(file, used, self._missing_mask)
        pairs = [self._pair(file, case, strata[case.image]) for case in used]
        return sorted(pairs, key=lambda pair: pair.id)

    def _read(self, file: Path, folder: Path) -> Iterable[Listed]:
        """The images of all rows."""
        header, rows = read_rows(file)
        columns = found_columns(file, header, self._columns)
        cases: dict[Path, Listed] = {}
        for row in rows:
            if any(row.cells.values()):
                _add(file, cases, row, columns, folder)
        if not cases:
            raise DatasetError(path=file, reason="has no rows", hint="add a row for each image and mask")
        _check_claims(file, cases)
        return cases.values()

    def _stratum(self, case: Listed) -> str:
        """Its class, else its folder, as in a folder of images."""
        assert self.root is not None
        folder = case.image.parent.relative_to(self.root).as_posix()
        return plain(case.get("class") or (self.name if folder == "." else folder))

    def _there(self, file: Path, cases: Sequence[Listed]) -> list[Listed]:
        """The cases whose files are all there; the others stop everything, or are excluded."""
        assert self.root is not None
        wrong = {case.image: error for case in cases if (error := _missing(file, case))}
        self.exclude({identity(self.root, image): error for image, error in wrong.items()}, len(cases))
        return [case for case in cases if case.image not in wrong]

    def _pair(self, file: Path, case: Listed, stratum: str) -> Pair:
        assert self.root is not None
        name, patient = identity(self.root, case.image), plain(case.get("patient"))
        part = _part(file, case) if self._parts == "own" and "split" in case.fields else ""
        return Pair(name, stratum, case.image, tuple(sorted(case.masks)), patient, part, _spacing(file, case))


def open_table(dataset: Table) -> TableDataset:
    """The dataset of a ``dataset`` group with ``kind: table``; raises as :class:`TableDataset`."""
    check_place(dataset)
    return TableDataset(**{key: getattr(dataset, key) for key in lookup.keywords(TableDataset)})


def _add(
    file: Path, cases: dict[Path, Listed], row: CsvRow, columns: Mapping[str, str], folder: Path
) -> None:
    """What ``row`` says of its image."""
    said = {field: row.cells[column] for field, column in columns.items()}
    name, masks = said.pop("image"), said.pop("mask")
    if not name:
        raise _wrong(file, row.line, "names no image", f"fill the column {columns['image']!r}")
    image = _file(folder, name)
    case = cases.setdefault(image, Listed(image, row.line))
    named = [_file(folder, mask.strip()) for mask in masks.split(";") if mask.strip()]
    for mask in named:
        if mask in case.masks or mask == image:
            what = "is its own mask" if mask == image else f"has the mask {mask.name} twice"
            first = f" (line {case.masks[mask]} too)" if mask in case.masks else ""
            raise _wrong(file, row.line, f"says that {name} {what}{first}", "correct or remove the row")
        case.masks[mask] = row.line
    if not named and case.line != row.line:
        raise _wrong(file, row.line, f"has {name} again (line {case.line}), without a mask", "remove the row")
    for field, value in said.items():
        before, line = case.fields.get(field) or (value, row.line)
        case.fields[field] = (before, line) if before else (value, row.line)
        if before != value and before and value:
            both = f"{before!r} in line {line} and {value!r} in line {row.line}"
            reason = f"has {both} as {columns[field]!r} of {name}"
            raise DatasetError(path=file, reason=reason, hint="give all rows of an image the same")


def _file(folder: Path, name: str) -> Path:
    """A path as it is typed, also on Windows, and by somebody whose keyboard writes accents otherwise."""
    name = name.replace("\\", "/")
    given = Path(name).expanduser() if name.startswith("~/") else Path(name)
    path = Path(os.path.normpath(folder / given))
    if path.name.isascii():
        return path
    try:
        return path if path.exists() else twin(path) or path
    except OSError:  # no file may be called so
        return path


def _root(images: Iterable[Path], folder: Path) -> Path:
    """What ids are relative to: ``folder`` if all images are below it, else what all of them are below."""
    if all(image.is_relative_to(folder) for image in images):
        return folder
    return Path(os.path.commonpath([image.parent for image in images]))


def _missing(file: Path, case: Listed) -> DatasetError | None:
    """The error for the first file of ``case`` that is not there."""
    named = {case.image: case.line, **case.masks}
    lost = next((path for path in named if not os.path.isfile(path)), None)  # noqa: PTH113 - of any length
    if lost is None:
        return None
    return UnreadableError(
        path=f"{lost} ({file.name}, line {named[lost]})",
        reason="is not there",
        hint="correct the path, which is relative to dataset.dir, else to the table",
    )


def _check_masks(file: Path, cases: Sequence[Listed], missing_mask: str) -> None:
    bare = [case for case in cases if not case.masks]
    if len(bare) == len(cases):
        raise DatasetError(
            path=file, reason="names no mask", hint="fill its column, see dataset.columns.mask"
        )
    if bare and missing_mask == "error":
        raise _wrong(
            file,
            bare[0].line,
            f"has no mask for {bare[0].image.name} ({len(bare)} of {len(cases)} images have none)",
            "add it, or set dataset.missing_mask=empty if images without a mask are free of lesions",
        )


def _check_claims(file: Path, cases: Mapping[Path, Listed]) -> None:
    """No mask belongs to two images, or is one."""
    owner: dict[Path, Listed] = {}
    for case in cases.values():
        for mask, line in case.masks.items():
            other = cases.get(mask) or owner.setdefault(mask, case)
            if other is not case:
                named = (
                    f"the image of line {other.line}" if mask in cases else f"also that of {other.image.name}"
                )
                do = "name its own; for no lesion leave the cell empty, with dataset.missing_mask=empty"
                raise _wrong(file, line, f"has {mask.name} as the mask of {case.image.name}, {named}", do)


def _part(file: Path, case: Listed) -> str:
    word, line = case.fields["split"]
    if word.lower() not in PARTS:
        reason = (
            f"has {word!r} as the part of {case.image.name}" if word else f"has no part for {case.image.name}"
        )
        raise _wrong(
            file, line, reason, "write train, val or test, or divide all images anew by dataset.parts=pool"
        )
    return PARTS[word.lower()]


def _spacing(file: Path, case: Listed) -> tuple[float, float] | None:
    """Millimetres per pixel: one number, or those of row and column."""
    text, line = case.fields.get("spacing", ("", case.line))
    if not text:
        return None
    try:
        sides = [float(side) for side in re.split(r"[\s,;x]+", text)]
    except ValueError:
        sides = []
    if not (1 <= len(sides) <= 2 and all(0 < side <= MOST for side in sides)):
        do = "give millimetres per pixel, as 0.1, or of row and column, as 0.1x0.2"
        raise _wrong(file, line, f"has the spacing {text!r} for {case.image.name}", do)
    return sides[0], sides[-1]


def _wrong(file: Path, line: int, reason: str, hint: str) -> DatasetError:
    """The error for one row."""
    return DatasetError(f"{file}, line {line}, {reason}", path=file, hint=hint)
