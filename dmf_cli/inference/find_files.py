"""Which files `dmf predict` takes: images that are named or lie in folders, and never its own results."""

import collections
import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from dmf_cli import bounded
from dmf_cli.datasets.sources.accents import otherwise, plain
from dmf_cli.datasets.sources.suffixes import SUFFIXES, counted, is_image, looks_like_image
from dmf_cli.errors import DatasetError, RunFolderError

MASK = re.compile(r"(.+)_mask(?:_\d+)?")
TABLE = "areas.csv"
_HEAD = "image,height,width,"  # how a table of areas begins
_RESULTS = re.compile(r"masks|overlays|uncertainty|probabilities(?:_.*)?")


@dataclasses.dataclass(frozen=True)
class Job:
    """One image and where its results go, below the output folder and without suffix."""

    file: Path
    name: Path


def find(paths: Sequence[Path], output: Path, exclude: str | None = None) -> list[Job]:
    """The images that ``paths`` are or hold, sorted, each under a name of its own.

    In folders, results of an earlier call are no images, nor is the mask of one: ``X_mask.png`` or
    ``X_mask_1.png`` beside an image ``X``, as in BUSI; nor what begins with a dot. ``exclude`` is a glob of
    more to exclude.

    Raises:
        DatasetError: a path that does not exist, no image at all, or ``exclude`` leaves none.
        RunFolderError: results would take the place of files that are none.
    """
    known: dict[Path, tuple[Path, Path]] = {}  # a file that is given twice is one
    for path in paths:
        if not path.exists():
            hint = "give images, or a folder that holds some"
            raise DatasetError(path=path, reason=f"does not exist{otherwise(path)}", hint=hint)
        alone = path.is_file()  # who names a file means it
        for file in [path] if alone else _images_below(path, exclude):
            known.setdefault(file.resolve(), (file, path.parent if alone else path))
    if not known:
        raise _nothing(paths, exclude)
    jobs = [Job(file, name) for file, name in _names(dict(known.values())).items()]
    _check_output(output)
    return jobs


def passed_over(paths: Sequence[Path], exclude: str | None = None) -> list[str]:
    """Lines about image files in the folders among ``paths`` that are not taken, and why."""
    lines = []
    for folder in (path for path in paths if path.is_dir()):
        unread = [
            f for f in _files(folder) if looks_like_image(f.relative_to(folder)) and not _read(f, folder)
        ]
        if unread:
            lines.append(f"not read in {folder}: {counted(unread)}")
        own = len(_results_below(folder))
        if own:
            lines.append(f"predictions in {folder} are not taken as images: {own}")
    return lines


def _nothing(paths: Sequence[Path], exclude: str | None) -> DatasetError:
    where = ", ".join(map(str, paths))
    excluded = [file for path in paths for file in _images_below(path, None)] if exclude else []
    if excluded:
        what = f"--exclude {exclude!r} leaves none of the {len(excluded)} images in {where}"
        return DatasetError(what, key="--exclude", value=exclude, hint="give a narrower pattern")
    own = sum(len(_results_below(path)) for path in paths)
    if own:
        hint = f"its {own} files are results of dmf predict; give the folder of the images"
        return DatasetError(f"no image in {where}", path=where, hint=hint)
    unread = counted(f for path in paths for f in _files(path) if looks_like_image(f.relative_to(path)))
    held = f"it holds {unread}, and read are" if unread else "known are"
    return DatasetError(f"no image in {where}", path=where, hint=f"{held} {' '.join(SUFFIXES)}")


def _files(folder: Path) -> list[Path]:
    return [file for file in sorted(folder.rglob("*")) if file.is_file()]


def _read(file: Path, folder: Path) -> bool:
    return is_image(file.relative_to(folder))


def _images_below(folder: Path, exclude: str | None) -> list[Path]:
    """The files in ``folder`` that :func:`find` takes, sorted."""
    files = [file for file in _files(folder) if _read(file, folder)]
    bare, results = {_form(file.with_suffix("")) for file in files}, _result_folders(folder)
    pattern = None if exclude is None else plain(exclude)

    def wanted(file: Path) -> bool:
        mask_of = MASK.fullmatch(file.stem)
        is_mask = mask_of is not None and _form(file.parent / mask_of[1]) in bare
        excluded = pattern is not None and _form(file).match(pattern)
        return not (is_mask or excluded or results.intersection(file.resolve().parents))

    return [file for file in files if wanted(file)]


def _form(file: Path) -> Path:
    """``file`` in one form of its accents, to be compared."""
    return Path(plain(str(file)))


def _results_below(folder: Path) -> list[Path]:
    results = _result_folders(folder)
    return [f for f in _files(folder) if _read(f, folder) and results.intersection(f.resolve().parents)]


def _result_folders(folder: Path) -> set[Path]:
    """Folders of masks and overlays in ``folder``, or around it, that a table of areas stands beside."""
    place = folder.resolve()
    above = [parent for parent in (place, *place.parents) if is_output(parent)]
    outputs = {table.parent for table in place.rglob(TABLE) if is_output(table.parent)} | {*above}
    return {
        child
        for output in outputs
        for child in output.iterdir()
        if _RESULTS.fullmatch(child.name) and child.is_dir()
    }


def is_output(folder: Path) -> bool:
    """Whether `dmf predict` has written its table into ``folder``."""
    try:
        with bounded.opened(folder / TABLE) as file:
            return file.read(len(_HEAD)) == _HEAD.encode()
    except OSError:
        return False


def _check_output(output: Path) -> None:
    """Whether results would replace files of somebody else, such as the true masks of a dataset."""
    if not output.is_dir() or is_output(output):
        return
    for child in sorted(output.iterdir()):
        if child.is_dir() and _RESULTS.fullmatch(child.name) and any(f.is_file() for f in child.rglob("*")):
            reason = "holds files that dmf predict did not write, and which masks would replace"
            raise RunFolderError(path=child, reason=reason, hint="give another folder with -o DIR")


def _names(roots: Mapping[Path, Path]) -> dict[Path, Path]:
    """File -> name of its results, the shortest of four that no other file has; ``roots``: file -> root.

    ``scans/a`` may be ``scans/a.png`` and ``scans/a.jpg``, ``a`` may lie in two of the folders given.
    """

    def forms(file: Path) -> tuple[Path, ...]:
        inside = file.relative_to(roots[file])
        whole = file.absolute()
        return inside.with_suffix(""), inside, roots[file].resolve().name / inside, whole.relative_to("/")

    level = dict.fromkeys(roots, 0)
    while True:
        names = {file: forms(file)[depth] for file, depth in level.items()}
        count = collections.Counter(names.values())
        shared = [file for file, name in names.items() if count[name] > 1 and level[file] < 3]
        if not shared:
            return names
        level |= {file: level[file] + 1 for file in shared}
