"""Images that cannot be used: all of them are reported at once, or excluded."""

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dmf_cli.datasets.sources.image_files import quiet
from dmf_cli.errors import DatasetError
from dmf_cli.machine import processors

SHOWN = 20  # lines of a message
NAMED = 3  # files that are named of those with the same fault
CHUNK = 64  # images that wait in memory for the one before them


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
            f"{len(errors)} images cannot be used:\n{listed(errors)}\n"
            "mend or remove them, or exclude them by dataset.on_bad=skip"
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


def attempts(
    function: Callable[[int], Any], indices: Iterable[int], progress: Callable[[], None] | None = None
) -> Iterator[Any]:
    """``map`` by threads, in order and with bounded memory; Pillow decodes outside Python's lock.

    In place of the result for an image that is bad comes the ``DatasetError``.
    """
    rest = iter(indices)

    def attempt(index: int) -> Any:
        try:
            return function(index)
        except DatasetError as error:
            return error

    with quiet(), ThreadPoolExecutor(processors()) as pool:
        while chunk := list(itertools.islice(rest, CHUNK)):
            for result in pool.map(attempt, chunk):
                yield result
                if progress:
                    progress()


def listed(errors: Sequence[DatasetError]) -> str:
    """One line a fault, of the first ones: files with the same fault share a line."""
    faults: dict[str, list[DatasetError]] = {}
    for error in errors:
        faults.setdefault(str(error).removeprefix(f"{error.path} "), []).append(error)
    lines = [f"  {_shared(fault, alike)}" for fault, alike in itertools.islice(faults.items(), SHOWN)]
    return "\n".join([*lines, f"  ... and {len(faults) - SHOWN} more"] if len(faults) > SHOWN else lines)


def _shared(fault: str, errors: Sequence[DatasetError]) -> str:
    if len(errors) == 1:
        return str(errors[0])
    named = ", ".join(str(error.path) for error in errors[:NAMED])
    more = f" and {len(errors) - NAMED} more" if len(errors) > NAMED else ""
    return f"{named}{more}: each {fault}"
