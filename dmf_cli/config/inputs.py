"""Keys of a ``dataset`` group that no single type describes, checked by a rule before any image is opened."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from dmf_cli.config import dataset_schema
from dmf_cli.config.schema import MAX_SIDE
from dmf_cli.errors import ConfigError, UnknownNameError

COLUMNS = ("image", "mask", "patient", "class", "split", "spacing")  # of a table; the first two must be there


def check_classes(classes: Any) -> None:
    """Whether ``dataset.classes`` names a background and at least one class, 256 in all at most, each once.

    Args:
        classes: a list of names; anything else is reported, also a text, which is a sequence of letters.

    Raises:
        ConfigError: it does not; two classes of one name would share a score.
    """
    if isinstance(classes, str) or not isinstance(classes, Sequence):
        raise ConfigError(
            key="dataset.classes",
            value=classes,
            allowed="a list of names, background first, as [background,lesion]",
        )
    names = [str(name) for name in classes]
    if not 2 <= len(names) <= 256:
        raise ConfigError(
            key="dataset.classes", value=names, hint="name the background and at least one class, at most 255"
        )
    twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if twice is not None:
        raise ConfigError(
            key="dataset.classes", value=names, hint=f"{twice!r} is there twice, give each class its own name"
        )


def as_size(image_size: Any, key: str = "dataset.image_size") -> tuple[int, int]:
    """``128`` or ``[height, width]`` as (height, width); raises ``ConfigError`` for anything else."""
    several = isinstance(image_size, Sequence) and not isinstance(image_size, str)
    sides = tuple(image_size) if several else (image_size, image_size)
    whole = all(
        isinstance(side, int) and not isinstance(side, bool) and 1 <= side <= MAX_SIDE for side in sides
    )
    if len(sides) != 2 or not whole:
        raise ConfigError(
            key=key,
            value=image_size,
            allowed=f"one side in pixels, as 128, or [height,width], as [96,128], {MAX_SIDE} at most",
        )
    return sides[0], sides[1]


def check_patch(patch: Any, image_size: Any) -> None:
    """Whether ``dataset.patch`` is a size, and not larger than ``dataset.image_size``.

    Raises:
        ConfigError: it is not.
    """
    small, large = as_size(patch, "dataset.patch"), as_size(image_size)
    if small[0] > large[0] or small[1] > large[1]:
        height, width = large
        raise ConfigError(
            key="dataset.patch",
            value=patch,
            reason=f"and dataset.image_size is {height}x{width}",
            allowed=f"a part of the image, [{height},{width}] at most, or null for all of it",
        )


def shared(own: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a ``dataset`` group of ``kind: own`` that are no parameters of its function."""
    names = {field.name for field in dataclasses.fields(dataset_schema.Own)}
    return {key: value for key, value in own.items() if key in names}


def check_mappings(dataset: Mapping[str, Any]) -> None:
    """Whether ``strata``, ``ignore``, ``table`` and ``download`` hold names where they should, if given.

    Raises:
        ConfigError: one does not.
    """
    strata, table, download = (dataset.get(key) for key in ("strata", "table", "download"))
    ignore = dataset.get("ignore")
    listed = isinstance(ignore, Sequence) and not isinstance(ignore, str)
    if listed and not (ignore and all(map(_is_name, ignore))):
        raise ConfigError(
            key="dataset.ignore",
            value=ignore,
            allowed="a pixel value, a colour by name or as 0xrrggbb, a list of these, or null",
        )
    if strata is not None and (
        not isinstance(strata, Sequence) or not strata or not all(map(_is_name, strata))
    ):
        raise ConfigError(
            key="dataset.strata",
            value=strata,
            hint="name at least one, as [benign,malignant], or null for all",
        )
    if dataset.get("kind") == "table":
        check_columns(dataset.get("columns", {}))
    elif table is not None and not (isinstance(table, Mapping) and all(map(_is_text, table.values()))):
        raise ConfigError(
            key="dataset.table",
            value=table,
            allowed="file, key and fields, as {file: info.csv, key: ID, patient: Case}, or null",
            hint="dataset=table is for a CSV file that lists images and masks" if _is_text(table) else "",
        )
    parts = dataset.get("parts")
    if isinstance(parts, Mapping) and not all(map(_is_text, parts.values())):
        raise ConfigError(
            key="dataset.parts",
            value=parts,
            allowed="train, val and test, a text each, as {train: 'train[:80%]', ...}",
        )
    if "download" in dataset and not _is_download(download):
        raise ConfigError(
            key="dataset.download",
            value=download,
            allowed="homepage and licence (texts), urls and sha256 (lists)",
        )


def check_columns(columns: Any) -> None:
    """Whether ``dataset.columns`` of ``kind: table`` names columns of fields that there are.

    Raises:
        ConfigError: it does not.
    """
    if not isinstance(columns, Mapping):
        raise ConfigError(
            key="dataset.columns", value=columns, allowed="columns, as {image: file, mask: truth}"
        )
    for field, column in columns.items():
        if field not in COLUMNS:
            raise UnknownNameError("key of dataset.columns", field, COLUMNS)
        needed = field in COLUMNS[:2]
        if not (_is_text(column) or (column is None and not needed)):
            allowed = f"the name of a column, or auto{'' if needed else ', or null for none'}"
            raise ConfigError(key=f"dataset.columns.{field}", value=column, allowed=allowed)


def _is_download(value: Any) -> bool:
    if not isinstance(value, Mapping) or not all(_is_text(value.get(key)) for key in ("homepage", "licence")):
        return False
    urls, hashes = value.get("urls"), value.get("sha256")
    if not isinstance(urls, list | tuple) or not isinstance(hashes, list | tuple):
        return False
    return all(map(_is_text, urls)) and all(one is None or _is_text(one) for one in hashes)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_name(value: Any) -> bool:
    """Folders may be called 1 and 2, which are numbers in YAML."""
    return _is_text(value) or (isinstance(value, int) and not isinstance(value, bool))
