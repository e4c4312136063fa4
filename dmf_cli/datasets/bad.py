"""Images that cannot be used: all of them are told at once, or left out."""

import contextlib
import logging
from collections.abc import Iterator, Sequence

from dmf_cli.datasets.base import Dataset
from dmf_cli.errors import DatasetError

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


def usable(dataset: Dataset) -> list[int]:
    """Indices of the images that can be used; what is left out is told in one warning.

    Raises:
        DatasetError: none can be used.
    """
    from dmf_cli.datasets import prepared  # which reports bad images by this module

    errors = list[DatasetError]()
    kept = []
    for index in range(len(dataset)):
        with collecting(errors):
            prepared.load_checked(dataset, index)
            kept.append(index)
    if not kept:
        refuse(errors)
    if errors:
        log.warning(
            "left out because they cannot be used (dataset.on_bad=skip): %d of %d images\n%s",
            len(errors), len(dataset), _listed(errors),
        )  # fmt: skip
    return kept


def _listed(errors: Sequence[DatasetError]) -> str:
    lines = [f"  {error}" for error in errors[:SHOWN]]
    return "\n".join([*lines, f"  ... and {len(errors) - SHOWN} more"] if len(errors) > SHOWN else lines)
