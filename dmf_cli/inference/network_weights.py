"""The weights in a ``.keras`` file, an archive with an HDF5 file: looked at before anything is allocated.

HDF5 may name other files, say that it holds more than there is, and be compressed; what Keras writes is none
of it: plain arrays, one after the other.
"""

import math
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dmf_cli import bounded, hashes
from dmf_cli.errors import CheckpointError

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
DESCRIPTION = 2**24  # bytes: no description of a network is that long
SLACK = 2**24  # bytes: what a file of weights may hold beside them
LEVELS = 64  # of groups in groups
DO = "put a whole copy of it back, or train the run again"

Shapes = Counter[tuple[int, ...]]


def shapes(path: Path) -> Shapes:
    """The shapes of all weights in the file ``path``, each with how many have it.

    Raises:
        CheckpointError: it is damaged, or holds something else than plain arrays.
    """
    try:
        with bounded.opened(path) as file, zipfile.ZipFile(file) as archive:
            _check_sizes(path, archive)
            return Counter(_shapes(archive))
    except _NotPlainError as error:
        reason = f"has weights that Keras does not write ({error})"
        raise CheckpointError(path=path, reason=reason, hint=DO) from None
    except zipfile.BadZipFile:
        raise CheckpointError(path=path, reason="is damaged", hint=DO) from None
    except (OSError, KeyError, ValueError, RuntimeError, NotImplementedError) as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise CheckpointError(path=path, reason=f"cannot be read ({why})", hint=DO) from error


def digest(path: Path) -> str:
    """The SHA-256 of all weights in the file ``path``: of one network two files may differ in dates.

    Raises:
        CheckpointError: as :func:`shapes`.
    """
    import h5py
    import numpy as np

    def parts(file: h5py.File) -> Iterator[bytes]:
        for array in sorted(_arrays(file, LEVELS, set()), key=lambda one: str(one.name)):
            yield f"{array.name} {array.dtype} {array.shape}\n".encode()
            yield np.ascontiguousarray(array[()]).tobytes()

    shapes(path)
    with (
        bounded.opened(path) as opened,
        zipfile.ZipFile(opened) as archive,
        archive.open(WEIGHTS) as content,
        h5py.File(content, "r") as file,
    ):
        return hashes.of_parts(parts(file))


def check_fit(path: Path, held: Shapes, network: Any) -> None:
    """Whether the file ``path``, which holds weights of the shapes ``held``, is one of ``network``.

    Args:
        path: the file.
        held: of :func:`shapes`.
        network: whose variables need no values yet.

    Raises:
        CheckpointError: it holds others, or less than the network needs.
    """
    wanted = Counter(tuple(variable.shape) for variable in network.weights)
    # The state of a layer that draws random numbers, which Keras saves in some versions, has this shape.
    if not wanted - held and set(held - wanted) <= {(2,)}:
        return
    ours, theirs = _bytes(wanted), _bytes(held)
    if ours > theirs + SLACK:
        reason = f"describes a network with {ours:,} bytes of weights and holds {theirs:,}"
        raise CheckpointError(path=path, reason=reason, hint=DO)
    shape = next(iter((wanted - held) or (held - wanted)))
    size = "x".join(map(str, shape)) or "1"
    there, here = held[shape], wanted[shape]
    reason = f"is of another network: it has {there} weights of {size}, where this one has {here}"
    raise CheckpointError(path=path, reason=reason, hint=DO)


def _bytes(sizes: Shapes) -> int:
    return sum(4 * count * math.prod(shape) for shape, count in sizes.items())


def _check_sizes(path: Path, archive: zipfile.ZipFile) -> None:
    sizes = [entry.file_size for entry in archive.infolist()]
    described = archive.NameToInfo[CONFIG].file_size if CONFIG in archive.NameToInfo else 0
    if described > DESCRIPTION or sum(sizes) > 8 * path.stat().st_size + SLACK:
        reason = f"unpacks to {sum(sizes):,} bytes, which is no network"
        raise CheckpointError(path=path, reason=reason, hint=DO)


class _NotPlainError(Exception):
    """What in a file of weights is none of Keras."""


def _shapes(archive: zipfile.ZipFile) -> Iterator[tuple[int, ...]]:
    import h5py

    entry = archive.getinfo(WEIGHTS)
    if entry.compress_type != zipfile.ZIP_STORED:
        raise _NotPlainError("they are compressed")
    size = 0
    with archive.open(entry) as content, h5py.File(content, "r") as file:
        for array in _arrays(file, LEVELS, set()):
            size += array.nbytes
            if size > entry.file_size:
                raise _NotPlainError(
                    f"they take {size:,} bytes or more, and the file has {entry.file_size:,}"
                )
            yield tuple(array.shape)


def _arrays(group: Any, levels: int, seen: set[Any]) -> Iterator[Any]:
    """The arrays below ``group``, whose values are all in this file and nowhere else."""
    import h5py

    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise _NotPlainError("they link to other places")
        one = group[name]
        if (place := h5py.h5o.get_info(one.id).addr) in seen or not levels:
            raise _NotPlainError("they hold each other")
        seen.add(place)
        if isinstance(one, h5py.Group):
            yield from _arrays(one, levels - 1, seen)
        elif not isinstance(one, h5py.Dataset) or one.shape is None or one.dtype.hasobject:
            raise _NotPlainError("they are no numbers")
        elif one.external or one.is_virtual:
            raise _NotPlainError("they are in other files")
        elif one.id.get_storage_size() != one.nbytes:
            raise _NotPlainError(f"{one.nbytes:,} bytes are said and {one.id.get_storage_size():,} are there")
        else:
            yield one
