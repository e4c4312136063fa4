"""Images that cannot be used: all of them are told at once, or left out."""

import contextlib
import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from dmf_cli.datasets.base import Dataset
from dmf_cli.datasets.cache import cache_folder
from dmf_cli.errors import DatasetError, DmfError
from dmf_cli.files import write_atomic

VERSION = 1  # of what is kept; another one is not read
log = logging.getLogger("dmf")
SHOWN = 20  # files that a message names


class BadFilesError(DatasetError):
    """Several images that cannot be used; ``errors`` has one error for each."""

    errors: Sequence[DatasetError] = ()


def refuse(errors: Sequence[DatasetError]) -> None:
    """Nothing if there are no errors; the one, or all of them in one.

    Raises:
        DatasetError: as soon as there is an error.
    """
    if len(errors) == 1:
        raise errors[0]
    if errors:
        joined = BadFilesError(
            f"{len(errors)} images cannot be used:\n{_listed(errors)}\n"
            "mend or remove them, or leave them out by dataset.on_bad=skip"
        )
        joined.errors = errors
        raise joined


@contextlib.contextmanager
def collecting(errors: list[DatasetError]) -> Iterator[None]:
    """What is raised inside is put into ``errors``, each image on its own."""
    try:
        yield
    except BadFilesError as several:
        errors.extend(several.errors)
    except DatasetError as error:
        errors.append(error)


def unusable(dataset: Dataset, key: Callable[[], str]) -> dict[str, str]:
    """Id -> what is wrong with the image or its mask, of those that cannot be used; a warning names them.

    Which ones are good is kept in the cache, so that the others alone are decoded the next time.

    Args:
        dataset: its images.
        key: of the cache: what they are and how they are read; an ``OSError`` of it keeps nothing.

    Raises:
        DatasetError: none can be used.
    """
    from dmf_cli.datasets.input import prepared  # which reports bad images by this module

    file = _file(key)
    good = _known(file) & set(dataset.ids)
    unknown = [index for index, name in enumerate(dataset.ids) if name not in good]

    def look(index: int) -> None:
        prepared.load_checked(dataset, index)

    results = zip(unknown, prepared.attempts(look, unknown), strict=True)
    errors = {dataset.ids[index]: error for index, error in results if error is not None}
    if len(errors) == len(dataset):
        refuse(list(errors.values()))
    if len(unknown) > len(errors):
        _keep(file, [name for name in dataset.ids if name not in errors])
    if errors:
        log.warning(
            "left out because they cannot be used (dataset.on_bad=skip): %d of %d images\n%s",
            len(errors), len(dataset), _listed(list(errors.values())),
        )  # fmt: skip
    return {name: str(error) for name, error in errors.items()}


def _file(key: Callable[[], str]) -> Path | None:
    try:
        digest = hashlib.sha256(f"{VERSION}\0{key()}".encode()).hexdigest()[:24]
    except OSError:
        return None
    return cache_folder() / "usable" / f"{digest}.json"


def _known(file: Path | None) -> set[str]:
    with contextlib.suppress(OSError, ValueError, TypeError):
        return set(json.loads(file.read_text(encoding="utf-8"))) if file else set()
    return set()


def _keep(file: Path | None, good: Sequence[str]) -> None:
    """The cache is no must."""
    with contextlib.suppress(OSError, DmfError):
        if file:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(file, json.dumps(good))


def _listed(errors: Sequence[DatasetError]) -> str:
    lines = [f"  {error}" for error in errors[:SHOWN]]
    return "\n".join([*lines, f"  ... and {len(errors) - SHOWN} more"] if len(errors) > SHOWN else lines)
