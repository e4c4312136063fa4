"""Where the folder of a dataset is, and what to do where it is not."""

import difflib
from collections.abc import Callable
from pathlib import Path

from dmf_cli import hints
from dmf_cli.config.dataset_schema import Folder, Published, Table
from dmf_cli.datasets.cache import cache_folder
from dmf_cli.datasets.sources.accents import twin
from dmf_cli.errors import DatasetError


def check_place(dataset: Folder | Table) -> None:
    """Whether the folder, or the table, of a ``dataset`` group is there; needs no moment.

    Raises:
        DatasetError: it is not; one that can be had says by which command.
    """
    if isinstance(dataset, Table):
        existing_table(dataset.table)
        if dataset.dir is not None:
            existing(dataset.name, dataset.dir)
    elif not isinstance(dataset, Published):
        existing(dataset.name, dataset.dir)
    elif not images_folder(dataset).is_dir():
        raise not_there(dataset)


def images_folder(dataset: Folder) -> Path:
    """Where the images of a dataset that can be had are, or will be: ``dir``, else a place in the cache."""
    given = dataset.dir
    return Path(given).expanduser() if given else cache_folder() / "datasets" / dataset.name


def not_there(dataset: Folder) -> DatasetError:
    """The error for a dataset that is not on this machine."""
    name, folder = dataset.name, images_folder(dataset)
    prepare = hints.command("data", "prepare", f"dataset={name}")
    if dataset.dir:
        close = _similar(folder)
        hint = f"{close} " if close else ""
        return _no_folder(dataset.dir, f"{hint}`{prepare}` says how to get {name}")
    hint = f"get it by `{prepare}`, or give its folder, dataset.dir=PATH"
    return DatasetError(f"{name} is not there ({folder})", key="dataset.dir", path=folder, hint=hint)


def existing(name: str, folder: str | Path | None) -> Path:
    """The folder of the dataset ``name``; raises ``DatasetError`` if it is not there."""
    if folder is None:
        raise DatasetError(f"dataset={name} needs its folder", key="dataset.dir", hint="add dataset.dir=PATH")
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise _no_folder(folder, _similar(root) or "give the folder of its images")
    return root


def existing_table(table: str | Path) -> Path:
    """The CSV file of a dataset; raises ``DatasetError`` if it is not there."""
    file = Path(table).expanduser()
    if not file.is_file():
        raise DatasetError(
            key="dataset.table",
            value=str(table),
            reason="which is not a file",
            hint=_similar(file, Path.is_file) or "give the CSV file that lists the images and their masks",
        )
    return file


def _no_folder(given: str | Path, hint: str) -> DatasetError:
    return DatasetError(key="dataset.dir", value=str(given), reason="which is not a folder", hint=hint)


def _similar(folder: Path, is_one: Callable[[Path], bool] = Path.is_dir) -> str:
    """``did you mean PATH?`` of what is beside ``folder`` and is called most alike, or nothing."""
    if (other := twin(folder)) is not None:
        return f"did you mean {other}, with its accents written otherwise?"
    parent = folder.parent
    beside = sorted(p.name for p in parent.iterdir() if is_one(p)) if parent.is_dir() else []
    close = difflib.get_close_matches(folder.name, beside, n=1, cutoff=0.75)
    return f"did you mean {parent / close[0]}?" if close else ""
