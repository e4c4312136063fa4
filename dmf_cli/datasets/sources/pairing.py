"""Which files below a folder are images, and which masks belong to each: patterns, no decoding."""

import bisect
import contextlib
import fnmatch
import functools
import glob
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from dmf_cli.datasets.sources.accents import both_names, matching, other_forms, plain, with_form
from dmf_cli.datasets.sources.content import Source
from dmf_cli.datasets.sources.patterns import (
    Patterns,
    check,
    excluded,
    files_like_masks,
    identity,
    image_files,
)
from dmf_cli.datasets.sources.suffixes import is_image
from dmf_cli.datasets.sources.table import read_table, row_of
from dmf_cli.errors import ConfigError, DatasetError

_MAGIC = re.compile(r"[*?[]")


class Pair(NamedTuple):
    """An image and its masks (none: free of lesions); "" for a patient, or a part of a split, that is not
    known, and None for millimetres per pixel.
    """

    id: str
    stratum: str
    image: Source
    masks: tuple[Source, ...]
    patient: str = ""
    part: str = ""
    spacing: tuple[float, float] | None = None


def find_pairs(root: Path, patterns: Patterns, name: str, left_out: Counter[str] | None = None) -> list[Pair]:
    """Images below ``root`` with their masks, sorted by id.

    Args:
        root: an existing folder.
        patterns: relative to ``root``.
        name: of the dataset; the stratum of images that lie in ``root`` itself.
        left_out: counts the images of each stratum that is not among ``patterns.strata``.

    Raises:
        ConfigError: a pattern that can match nothing anywhere.
        DatasetError: no images, no masks, an image without a mask, or files that cannot be distinguished.
    """
    check(patterns)
    rows = read_table(root, patterns.table) if patterns.table else None
    named = {file: _fields(root, file, patterns, rows) for file in image_files(root, patterns)}
    strata = {file: plain(fields.get("class") or fields["folder"] or name) for file, fields in named.items()}
    chosen = of_strata(named, strata, patterns.strata)
    if left_out is not None:
        left_out.update(Counter(strata.values()) - Counter(strata[file] for file in chosen))
    check_ids(root, chosen)
    find = _finder(root)
    looked = {file: _mask_pattern(patterns.masks, fields) for file, fields in named.items()}
    masks = {file: find(looked[file], file) for file in chosen}
    _check_accents(masks, looked, find)
    _check_masks(root, masks, patterns, looked)
    others = {file: pattern for file, pattern in looked.items() if file not in masks}
    _check_claims(root, masks, looked, others | _excluded(root, patterns, rows, masks), find, patterns.masks)
    patients = {file: plain(named[file].get("patient", "")) for file in chosen}
    return sorted(
        Pair(identity(root, file), strata[file], file, masks[file], patients[file]) for file in chosen
    )


def unclaimed_masks(root: Path, patterns: Patterns, name: str) -> list[Path]:
    """Files that are named like masks and belong to no image, of any stratum; sorted."""
    pairs = find_pairs(root, patterns._replace(strata=None, missing_mask="empty"), name)
    taken = {file for pair in pairs for file in (pair.image, *pair.masks)}
    return [file for file in files_like_masks(root, patterns) if file not in taken]


def _fields(
    root: Path, file: Path, patterns: Patterns, rows: Mapping[str, Mapping[str, str]] | None
) -> dict[str, str]:
    """What may stand in braces: folder, stem, the named groups of ``parse`` and the fields of ``table``."""
    folder = file.parent.relative_to(root).as_posix()
    fields = {"folder": "" if folder == "." else folder, "stem": file.stem}
    fields |= _parsed(root, file, patterns.parse)
    if rows is not None and patterns.table:
        fields |= row_of(rows, root, file, patterns.table["file"])
    return fields


def _parsed(root: Path, file: Path, parse: str | None) -> dict[str, str]:
    """The named groups of ``parse`` in the image's path below ``root``, without its suffix."""
    if parse is None:
        return {}
    try:
        match = re.fullmatch(plain(parse), identity(root, file))  # ids are NFC
    except re.error as error:
        raise ConfigError(
            key="dataset.parse", value=parse, reason="which is no regular expression", hint=str(error)
        ) from None
    if match is None:
        raise DatasetError(
            path=file,
            reason=f"does not match dataset.parse={parse!r}",
            hint="correct it, or leave the file out by dataset.exclude",
        )
    return {key: value or "" for key, value in match.groupdict().items()}


def of_strata(files: Iterable[Path], strata: Mapping[Path, str], wanted: Sequence[str] | None) -> list[Path]:
    """The files of the ``wanted`` strata; raises ``DatasetError`` for one that no file has."""
    present = sorted(set(strata.values()))
    wanted = None if wanted is None else [plain(str(stratum)) for stratum in wanted]
    for stratum in wanted or ():
        if stratum not in present:
            raise DatasetError(
                f"dataset.strata names {stratum!r}, which is not there",
                key="dataset.strata",
                value=stratum,
                allowed=present,
                hint=f"add its images, or use 'dataset.strata=[{','.join(present)}]'",
            )
    return [file for file in files if wanted is None or strata[file] in wanted]


def _mask_pattern(pattern: str, fields: Mapping[str, str]) -> str:
    """The pattern's own stars apply, those of file names do not."""
    values = {key: glob.escape(value) for key, value in fields.items()}
    try:
        return pattern.format(**{**values, "folder": values["folder"] or "."})
    except (KeyError, IndexError, ValueError, AttributeError):
        allowed = ", ".join(f"{{{key}}}" for key in values)
        raise ConfigError(
            key="dataset.masks",
            value=pattern,
            hint=f"only {allowed} and the named groups of dataset.parse may stand in braces",
        ) from None


def _finder(root: Path) -> Callable[[str, Path], tuple[Path, ...]]:
    """A function (pattern, image) -> masks that reads each folder once.

    A glob for each image would read a folder of n masks n times: minutes for ten thousand.
    """

    @functools.cache
    def listing(folder: str) -> list[str]:
        place = root / folder
        return sorted(p.name for p in place.iterdir()) if place.is_dir() else []

    def candidates(pattern: str) -> Iterable[Path]:
        folder, _, last = pattern.rpartition("/")
        if _MAGIC.search(folder):
            return root.glob(pattern)
        fixed, names = _MAGIC.split(last, maxsplit=1)[0], listing(folder)
        first = bisect.bisect_left(names, fixed)
        # The greatest character sorts after every name that begins with the fixed part.
        near = names[first : bisect.bisect_right(names, fixed + chr(0x10FFFF))]
        return [root / folder / name for name in near if fnmatch.fnmatchcase(name, last)]

    def find(pattern: str, image: Path) -> tuple[Path, ...]:
        found = (
            p for p in candidates(pattern) if is_image(p.relative_to(root)) and p != image and p.is_file()
        )
        return tuple(sorted(found))

    return find


def _check_accents(
    masks: Mapping[Path, tuple[Path, ...]],
    looked: Mapping[Path, str],
    find: Callable[[str, Path], tuple[Path, ...]],
) -> None:
    """A mask that an image misses by the form of its accents is its mask, even if some may have none."""
    for image in sorted(image for image, found in masks.items() if not found):
        near = [mask for form in other_forms(looked[image]) for mask in find(form, image)]
        if near:
            raise DatasetError(
                path=image,
                reason="has no mask",
                hint=(
                    f"{with_form(near[0])} has the name that was looked for, with its accents written "
                    f"otherwise (of {sum(not m for m in masks.values())} images without a mask): rename "
                    "one of the two"
                ),
            )


def _check_masks(
    root: Path, masks: Mapping[Path, tuple[Path, ...]], patterns: Patterns, looked: Mapping[Path, str]
) -> None:
    bare = sorted(image for image, found in masks.items() if not found)
    if len(bare) == len(masks):
        raise DatasetError(
            path=root,
            what=f"no mask in {root} matches dataset.masks={patterns.masks!r} (looked for {looked[bare[0]]})",
            hint=_same_path(root, bare[0]),
        )
    if bare and patterns.missing_mask == "error":
        raise DatasetError(
            path=bare[0],
            reason=(
                f"has no mask (looked for {looked[bare[0]]}; {len(bare)} of {len(masks)} images have none)"
            ),
            hint="add it, remove the image, or set dataset.missing_mask=empty if "
            "images without a mask are free of lesions",
        )


def _same_path(root: Path, image: Path) -> str:
    """What to do; masks often repeat the folders of the images below a folder of their own."""
    first, *rest = image.relative_to(root).with_suffix("").parts
    path = glob.escape("/".join(rest))
    near = [p for p in root.glob(f"*/{path}.*") if rest and is_image(p.relative_to(root)) and p != image]
    masks = [p.relative_to(root).parts[0] for p in sorted(near) if p.relative_to(root).parts[0] != first]
    if not masks:
        return "set dataset.masks"
    parse = f"'dataset.parse=\"{re.escape(first)}/(?P<path>.+)\"'"
    return f"did you mean {parse} 'dataset.masks=\"{masks[0]}/{{path}}.*\"'?"


def _excluded(
    root: Path,
    patterns: Patterns,
    rows: Mapping[str, Mapping[str, str]] | None,
    masks: Mapping[Path, tuple[Path, ...]],
) -> dict[Path, str]:
    """Images that ``exclude`` matches, with the patterns of their masks; its masks are no images."""
    taken, found = {mask for several in masks.values() for mask in several}, {}
    hidden = excluded(root, patterns.exclude) - taken
    for file in hidden.intersection(matching(root, patterns.images)) if hidden else ():
        if is_image(file.relative_to(root)):
            with contextlib.suppress(DatasetError):  # it need not fit `parse`, nor have a row in the table
                found[file] = _mask_pattern(patterns.masks, _fields(root, file, patterns, rows))
    return found


def _check_claims(
    root: Path,
    masks: Mapping[Path, tuple[Path, ...]],
    looked: Mapping[Path, str],
    others: Mapping[Path, str],
    find: Callable[[str, Path], tuple[Path, ...]],
    pattern: str,
) -> None:
    """No mask belongs to two images, be it that one of them is not used: ``1*`` takes the masks of 10 too.

    Of ``others`` (excluded, with what was looked for) those that look for the very same files take nothing
    from anybody: a smaller copy in another folder, for example.
    """
    owner: dict[Path, Path] = {}
    for image in sorted(masks):
        for mask in masks[image]:
            if owner.setdefault(mask, image) != image:
                raise _two_images(mask, both_names(root, owner[mask], image), pattern)
    for other in sorted(others):
        for mask in find(others[other], other):
            if mask in owner and looked[owner[mask]] != others[other]:
                both = both_names(root, owner[mask], other)
                raise _two_images(mask, f"{both} (excluded by dataset.strata or dataset.exclude)", pattern)


def _two_images(mask: Path, both: str, pattern: str) -> DatasetError:
    return DatasetError(
        path=mask, reason=f"is a mask of two images, {both}", hint=f"make dataset.masks={pattern!r} narrower"
    )


def check_ids(root: Path, files: Iterable[Path]) -> None:
    """No two files are one image by their ids; raises ``DatasetError``."""
    first: dict[str, Path] = {}
    for file in files:
        name = identity(root, file)
        if first.setdefault(name, file) != file:
            both = both_names(root, *sorted((first[name], file)))
            raise DatasetError(
                f"{both} in {root} are one image {name!r} twice", path=root, hint="keep one of the files"
            )
