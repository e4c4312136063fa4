"""Images of a dataset as network inputs: decoded once and kept, or decoded whenever they are asked for.

InputPart       what the pipeline reads: rows by number
├── Prepared    in memory
├── Stored      rows of a file on disk, see :mod:`dmf_cli.datasets.input.stored`
└── Decoded     decoded anew each time
"""

import abc
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from dmf_cli.datasets.base import Dataset, load_checked
from dmf_cli.datasets.input_spec import InputSpec
from dmf_cli.datasets.sources import bad_files
from dmf_cli.errors import DatasetError

CHUNK = 64  # rows that are read at once


class InputPart(abc.ABC):
    """Network inputs of a part of a dataset.

    Attributes:
        ids: of the images.
        shape: ``(h, w, C)`` of one input.
    """

    ids: tuple[str, ...]
    shape: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.ids)

    @abc.abstractmethod
    def rows(self, index: Any) -> tuple[np.ndarray, np.ndarray]:
        """Images ``(n, h, w, C)`` float32 and labels ``(n, h, w)`` uint8 of the rows ``index``, ``(n,)``."""

    def each_label(self) -> Iterator[np.ndarray]:
        """Labels ``(h, w)`` of one row after the other."""
        for start in range(0, len(self), CHUNK):
            yield from self.rows(np.arange(start, min(start + CHUNK, len(self))))[1]


class Prepared(InputPart):
    """In memory.

    Args:
        images: ``(n, h, w, C)`` float32.
        labels: ``(n, h, w)`` uint8 class indices.
        ids: of the images.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray, ids: Sequence[str]) -> None:
        self.images, self.labels, self.ids = images, labels, tuple(ids)
        self.shape = images.shape[1:]

    def rows(self, index: Any) -> tuple[np.ndarray, np.ndarray]:
        """See :meth:`InputPart.rows`."""
        return self.images[index], self.labels[index]


class Decoded(InputPart):
    """Images ``indices`` of ``dataset``, kept nowhere."""

    def __init__(self, dataset: Dataset, indices: Sequence[int], spec: InputSpec) -> None:
        self._dataset, self._indices, self._spec = dataset, np.asarray(indices), spec
        self.ids = tuple(dataset.ids[i] for i in indices)
        self.shape = (*spec.size, dataset.channels)

    def rows(self, index: Any) -> tuple[np.ndarray, np.ndarray]:
        """See :meth:`InputPart.rows`."""
        pairs = decoded(self._dataset, self._indices[index].tolist(), self._spec)
        images, labels = zip(*pairs, strict=True)
        return np.stack(images), np.stack(labels)


def decoded(
    dataset: Dataset, indices: Sequence[int], spec: InputSpec, progress: Callable[[], None] | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Images and labels of ``indices``, in order, decoded by as many threads as there are processors.

    Raises:
        DatasetError: naming every file that is bad, once the others are through.
    """

    def prepare(index: int) -> tuple[np.ndarray, np.ndarray]:
        sample = load_checked(dataset, index)
        return spec.image(sample.image)[0], spec.label(sample.label)

    yield from _parallel(prepare, indices, progress)


def load(
    dataset: Dataset, indices: Sequence[int], spec: InputSpec, progress: Callable[[], None] | None = None
) -> Prepared:
    """Decode and resize images ``indices`` once; raises ``DatasetError`` naming the files that are bad."""
    images = np.empty((len(indices), *spec.size, dataset.channels), np.float32)
    labels = np.empty((len(indices), *spec.size), np.uint8)
    for row, pair in enumerate(decoded(dataset, indices, spec, progress)):
        images[row], labels[row] = pair
    return Prepared(images, labels, [dataset.ids[i] for i in indices])


def check_readable(
    dataset: Dataset, indices: Sequence[int], progress: Callable[[], None] | None = None
) -> None:
    """Read images ``indices`` and keep nothing; raises ``DatasetError`` naming the files that are bad.

    For images that are read after the training has begun: a damaged one is reported before it.
    """

    def look(index: int) -> None:
        load_checked(dataset, index)

    for _ in _parallel(look, indices, progress):
        pass


def _parallel(
    function: Callable[[int], Any], indices: Iterable[int], progress: Callable[[], None] | None
) -> Iterator[Any]:
    """:func:`~bad_files.attempts` without images that are bad, which one error reports at the end."""
    errors = list[DatasetError]()
    for result in bad_files.attempts(function, indices, progress):
        if isinstance(result, DatasetError):
            errors.append(result)
        else:
            yield result
    bad_files.refuse(errors)
