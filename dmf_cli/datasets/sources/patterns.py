"""Patterns of a ``dataset`` group: which files below a folder are images, and which are named like masks."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from dmf_cli.datasets.sources.accents import matching, plain
from dmf_cli.datasets.sources.suffixes import SUFFIXES, is_image
from dmf_cli.errors import ConfigError, DatasetError, UnknownNameError


class Patterns(NamedTuple):
    """Keys of the same names in the ``dataset`` group, see :class:`~folder.FolderDataset`."""

    images: str
    masks: str
    exclude: str | None = None
    parse: str | None = None
    strata: Sequence[str] | None = None
    missing_mask: str = "error"
    table: Mapping[str, str] | None = None


def check(patterns: Patterns) -> None:
    """Raises ``ConfigError`` for patterns that can match nothing anywhere."""
    if patterns.missing_mask not in ("error", "empty"):
        raise UnknownNameError("dataset.missing_mask", patterns.missing_mask, ["error", "empty"])
    if patterns.strata is not None and not patterns.strata:
        raise ConfigError(
            key="dataset.strata", value=[], hint="name at least one stratum, or use null for all"
        )
    for key in ("images", "masks", "exclude"):
        pattern = getattr(patterns, key)
        if pattern is None:
            continue
        parts = PurePosixPath(pattern).parts
        if not parts or parts[0] == "/" or any("**" in part and part != "**" for part in parts):
            raise ConfigError(
                f"dataset.{key}={pattern!r} is no pattern",
                key=f"dataset.{key}",
                value=pattern,
                hint="write a path relative to dataset.dir, in which * stands for any name and ** for any "
                "folders",
            )


def identity(root: Path, file: Path) -> str:
    """The path below ``root`` without suffix; macOS hands out decomposed accents, other systems do not."""
    return plain(file.relative_to(root).with_suffix("").as_posix())


def image_files(root: Path, patterns: Patterns) -> list[Path]:
    """The images of all strata; raises ``DatasetError`` if there are none."""
    every = [p for p in matching(root, patterns.images) if p.is_file()]
    hidden = excluded(root, patterns.exclude)
    matched = [p for p in every if p not in hidden]
    if every and not matched:
        raise DatasetError(
            key="dataset.exclude",
            value=patterns.exclude,
            reason=f"which leaves none of the {len(every)} files in {root} that "
            f"dataset.images={patterns.images!r} matches",
            hint="make it narrower",
        )
    found = [p for p in matched if is_image(p.relative_to(root))]
    if found:
        return found
    if matched:
        raise DatasetError(
            f"no file that dataset.images={patterns.images!r} matches in {root} is an image ("
            f"{min(matched).name}, ...)",
            hint=f"convert them to one of {' '.join(SUFFIXES)}, or set dataset.images",
        )
    raise DatasetError(
        f"no image in {root} matches dataset.images={patterns.images!r}",
        path=root,
        hint=_nearby(root, patterns.images),
    )


def excluded(root: Path, exclude: str | None) -> set[Path]:
    """What ``exclude`` matches; a pattern without a folder is of names, wherever they are."""
    if not exclude:
        return set()
    return set(matching(root, exclude if "/" in exclude else f"**/{exclude}"))


def _nearby(root: Path, pattern: str) -> str:
    """Archives unpack into a folder of their own: people then give the one above it."""
    for child in sorted(p for p in root.iterdir() if p.is_dir()):
        if next(child.glob(pattern), None):
            return f"did you mean dataset.dir={child}?"
    deeper = f"{pattern.rpartition('/')[0] or '.'}/**/*"
    if "**" not in pattern and any(p.is_file() and is_image(p.relative_to(root)) for p in root.glob(deeper)):
        return f"did you mean 'dataset.images=\"{deeper}\"'?"
    return "check dataset.dir, or set dataset.images"


def files_like_masks(root: Path, patterns: Patterns) -> list[Path]:
    """Files that are named like the mask of some image, be there one or not; sorted."""
    # A folder may be several levels deep, everything else is a part of a name.
    pattern = re.sub(r"[{][^{}]*[}]", "*", patterns.masks.replace("{folder}/", "**/"))
    # A field beside a star is one star: two of them stand for folders.
    pattern = "/".join(part if part == "**" else re.sub(r"[*]+", "*", part) for part in pattern.split("/"))
    return sorted(p for p in matching(root, pattern) if is_image(p.relative_to(root)) and p.is_file())
