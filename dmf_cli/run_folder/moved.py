"""Images and split of a run that lie elsewhere now: known by their content, whatever path is typed."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dmf_cli import datasets, hints
from dmf_cli.config import dataset_schema
from dmf_cli.config.typed import Config
from dmf_cli.datasets.base import Dataset
from dmf_cli.datasets.sources.accents import plain
from dmf_cli.datasets.splits.division import PARTS, read_split
from dmf_cli.errors import DatasetError
from dmf_cli.run_folder.folder import RunFolder


def check_place(run: RunFolder, config: Config, *command: str) -> None:
    """The images are where ``config`` says; ``command`` is the one that takes their new place.

    Raises:
        DatasetError: they are not.
    """
    try:
        datasets.check_place(config.dataset)
    except DatasetError as error:
        action, *words = command
        again = hints.command(action, run.path, *words, f"{error.key or 'dataset.dir'}=PATH")
        raise error.but(f"if they were moved: `{again}`") from None


def check_split(run: RunFolder, stored: Config, used: Config) -> None:
    """A split file that was moved says what the run was divided by.

    Raises:
        DatasetError: it does not.
    """
    file = used.split.file
    if file and file != stored.split.file:
        given, own = read_split(Path(file)), read_split(run.split_file)
        if any(_names(given[part]) != _names(own[part]) for part in PARTS):
            raise DatasetError(
                key="split.file",
                value=file,
                reason="which divides the images in another way than the run was started with",
                hint="give the same file, or start a new run",
            )


def _names(part: Iterable[Any]) -> list[str]:
    return sorted(plain(str(name)) for name in part)


def at_new_places(run: RunFolder, trained: Config, config: Config, dataset: Dataset) -> Config:
    """``trained`` with the places of the images in ``config``, if the images there are the run's own.

    Args:
        run: the run.
        trained: its config.
        config: the same with another ``dataset`` group.
        dataset: that of ``config``, opened.
    """
    known = read_split(run.split_file).get("fingerprint") if run.split_file.exists() else None
    # Where images that are made from a seed are kept never says what they are.
    if not dataset.synthetic and (known is None or known != dataset.fingerprint()):
        return trained
    own, other = trained.plain["dataset"], config.plain["dataset"]
    new = {key: other[key] for key in dataset_schema.places(other) if key in own and key in other}
    return trained.changed("dataset", **new)
