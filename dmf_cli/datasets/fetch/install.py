"""Datasets that are not there yet: downloaded and unpacked, or where to get them by hand."""

import dataclasses
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from dmf_cli import hints
from dmf_cli.config.dataset_schema import Published
from dmf_cli.datasets.base import Dataset
from dmf_cli.datasets.cache import locked
from dmf_cli.datasets.fetch import archives
from dmf_cli.datasets.fetch.download import fetch, on_disk
from dmf_cli.datasets.sources.folder import open_folder
from dmf_cli.datasets.sources.folder_place import images_folder
from dmf_cli.errors import ConfigError, DatasetError, DownloadError

Tell = Callable[[str], None]
Track = Callable[[str, int, int | None], None]  # (file, bytes so far, bytes in all or None)


def prepare_folder(
    dataset: Published, given: Sequence[Path] = (), *, tell: Tell = print, track: Track | None = None
) -> Dataset:
    """The dataset of a ``dataset`` group with ``download``, got and unpacked unless it is there.

    Everything is made in a hidden folder beside the final one, which appears once it holds images and masks
    that pair; a call that was cut short is resumed.

    Args:
        config: the group.
        given: archives that were downloaded by hand, in place of those of ``download.urls``.
        tell: gets a line to print for each thing that the user should know.
        track: progress of the downloads.

    Raises:
        DatasetError: what is there, or was in the archives, cannot be used.
        DownloadError: it cannot be downloaded or unpacked; or only by hand, which the text explains.
    """
    target = images_folder(dataset)
    _check(dataset.download)
    if is_there(dataset):
        if given:
            hint = "remove it to unpack the archive anew"
            raise DatasetError(path=target, reason="is there already", hint=hint)
        return open_folder(dataset)
    if not given and not dataset.download["urls"]:
        raise DownloadError(by_hand(dataset), path=target)
    workplace = target.with_name(f".{target.name}.download")
    with on_disk(workplace):
        workplace.mkdir(parents=True, exist_ok=True)
    with on_disk(workplace), locked(workplace / "lock"):
        if not is_there(dataset):  # another process may have been faster
            found = list(given) or list(_downloaded(dataset, workplace, tell, track))
            _install(dataset, found, workplace, target)
            shutil.rmtree(workplace, ignore_errors=True)
    return open_folder(dataset)


def is_there(dataset: Published) -> bool:
    """Whether the folder of the images holds something."""
    target = images_folder(dataset)
    return target.is_dir() and any(target.iterdir())


def by_hand(dataset: Published) -> str:
    """Three lines: where to get a dataset that cannot be downloaded by a program, and where to put it."""
    name, download = dataset.name, dataset.download
    return (
        f"{name} has to be got by hand ({download['licence']}): {download['homepage']}\n"
        f"then: {_by_archive(name)}\n"
        f"or unpack it, so that {images_folder(dataset)} holds {dataset.images} and {dataset.masks}"
    )


def _by_archive(name: str) -> str:
    return hints.command("data", "prepare", f"dataset={name}", "--archive", "FILE.zip")


def _check(download: Mapping[str, Any]) -> None:
    for key in ("urls", "sha256"):
        value = download.get(key)
        if not isinstance(value, list) or not all(isinstance(v, str | None) for v in value):
            allowed = "a list, as [https://...], or []"
            raise ConfigError(key=f"dataset.download.{key}", value=value, allowed=allowed)


def _downloaded(dataset: Published, workplace: Path, tell: Tell, track: Track | None) -> Iterator[Path]:
    download = dataset.download
    sums = [*download["sha256"], *[None] * len(download["urls"])]
    tell(f"{dataset.name}: {download['licence']}; {download['homepage']}")
    for number, (url, expected) in enumerate(zip(download["urls"], sums, strict=False)):
        name = unquote(urlsplit(url).path.rpartition("/")[2]) or "archive"
        file = workplace / f"{number}_{name}"
        progress = _progress(track, name) if track else None
        try:
            found = fetch(url, file, sha256=expected, progress=progress)
        except DownloadError as error:
            command = _by_archive(dataset.name)
            raise error.but(f"or get it from {download['homepage']}, then `{command}`") from None
        tell(f"{name}: sha256 {found} ({'as expected' if expected else 'not verified'})")
        yield file


def _progress(track: Track, name: str) -> Callable[[int, int | None], None]:
    return lambda have, total: track(name, have, total)


def _install(dataset: Published, found: Sequence[Path], workplace: Path, target: Path) -> None:
    """Unpack, find the folder that the patterns fit, and give it its final name."""
    unpacked = workplace / "unpacked"
    shutil.rmtree(unpacked, ignore_errors=True)
    with on_disk(unpacked):
        unpacked.mkdir()
    for archive in found:
        archives.unpack(archive, unpacked)
    root = _root(dataset, unpacked)
    with on_disk(target):
        root.replace(target)


def _root(dataset: Published, unpacked: Path) -> Path:
    """The outermost folder that holds images and masks as the patterns say."""
    folders = [unpacked, *(p for p in unpacked.rglob("*") if p.is_dir())]
    problem: DatasetError | None = None
    for folder in sorted(folders, key=lambda p: (len(p.parts), p)):
        if next(folder.glob(dataset.images), None):
            try:
                open_folder(dataclasses.replace(dataset, dir=str(folder)))
                return folder
            except DatasetError as error:
                problem = problem or error
    if problem is None:
        inside = sorted(p.relative_to(unpacked).as_posix() for p in unpacked.rglob("*") if p.is_file())
        hint = f"the archive holds {', '.join(inside[:3])}, ..."
        what = f"no file fits dataset.images={dataset.images!r}"
        problem = DatasetError(what, key="dataset.images", value=dataset.images, hint=hint)
    raise problem.within(f"the unpacked files are not those of {dataset.name}")
