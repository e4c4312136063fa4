"""Network inputs of a whole dataset in one file on disk, decoded once for all runs with these images.

The file is a plain ``.npy`` of records (image, labels, checksum) that is mapped into memory, so that a run
holds no more of it than the system can spare. Its name has the hash of everything it depends on: the
dataset's content and how images are resized and normalised. It is written under a temporary name and then
renamed; one process writes, others wait for it; a damaged file is made again.
"""

import hashlib
import json
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import PIL

from dmf_cli.config import dataset_schema
from dmf_cli.datasets.base import Dataset
from dmf_cli.datasets.cache import locked
from dmf_cli.datasets.input.prepared import InputPart, decoded
from dmf_cli.datasets.input_spec import InputSpec
from dmf_cli.files import replacing

FORMAT = 2  # of the file; another one, and old files are not read any more


class Stored(InputPart):
    """Rows ``indices`` of the records of :func:`records`."""

    def __init__(self, records: np.ndarray, indices: Sequence[int], ids: Sequence[str]) -> None:
        self._records, self._indices, self.ids = records, np.asarray(indices), tuple(ids)
        self.shape = records.dtype["image"].shape

    def rows(self, index: Any) -> tuple[np.ndarray, np.ndarray]:
        """See :meth:`InputPart.rows`."""
        chosen = self._records[self._indices[index]]
        return np.ascontiguousarray(chosen["image"]), np.ascontiguousarray(chosen["label"])


def record_type(spec: InputSpec, channels: int) -> np.dtype[Any]:
    """One image with its labels and the CRC-32 of both."""
    size = spec.size
    fields = [("image", "<f4", (*size, channels)), ("label", "u1", size), ("check", "<u4")]
    return np.dtype(fields)


def records(dataset: Dataset, spec: InputSpec, group: dataset_schema.Dataset, folder: Path) -> np.ndarray:
    """All images of ``dataset``, mapped from a file in ``folder`` that is made if it is not there yet.

    Args:
        dataset: the images.
        spec: how they become network inputs.
        group: the ``dataset`` group: classes and the like decide what the labels are.
        folder: made if it is not there.

    Raises:
        DatasetError: an image is bad.
        OSError: the file cannot be written: disk full, read-only, no permission.
    """
    wanted = record_type(spec, dataset.channels)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / file_name(dataset, spec, group)
    found = _read(path, wanted, len(dataset))
    if found is not None:
        return found
    with locked(path.with_suffix(".lock")):
        found = _read(path, wanted, len(dataset))  # somebody else may have made it meanwhile
        if found is None:
            _write(path, wanted, dataset, spec)
            found = np.load(path, mmap_mode="r")
    return found


def file_name(dataset: Dataset, spec: InputSpec, group: dataset_schema.Dataset) -> str:
    """``busi_128x128_0123456789abcdef.npy``; the hash is that of everything in the file."""
    height, width = spec.size
    # Where the files lie says nothing about them: the fingerprint is that of their bytes. Patches come later.
    keys = {**vars(group), **vars(group).get("params", {})}
    hidden = {*dataset_schema.places(keys), "params", "patch"} - {"download"}
    settings = {key: value for key, value in keys.items() if key not in hidden}
    parts = [FORMAT, PIL.__version__, dataset.fingerprint(), settings]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
    return f"{dataset.name}_{height}x{width}_{digest[:16]}.npy"


def _read(path: Path, wanted: np.dtype[Any], count: int) -> np.ndarray | None:
    """The records at ``path``; None if there are none, or if a byte of them is wrong."""
    try:
        stored = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return None
    if stored.dtype != wanted or stored.shape != (count,):
        return None
    whole = all(_crc(record["image"], record["label"]) == record["check"] for record in stored)
    return stored if whole else None


def _write(path: Path, wanted: np.dtype[Any], dataset: Dataset, spec: InputSpec) -> None:
    for left in path.parent.glob(f".{path.name}.*"):
        left.unlink(missing_ok=True)  # of a killed process: this one holds the lock
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    # Plain writes: a full disk under a mapped file would kill the process.
    with replacing(path, temporary) as file:
        _header(file, wanted, len(dataset))
        for image, label in decoded(dataset, range(len(dataset)), spec):
            record = np.array([(image, label, _crc(image, label))], wanted)
            file.write(record.tobytes())


def _header(file: BinaryIO, wanted: np.dtype[Any], count: int) -> None:
    facts = {"descr": np.lib.format.dtype_to_descr(wanted), "fortran_order": False, "shape": (count,)}
    np.lib.format.write_array_header_2_0(file, facts)


def _crc(image: np.ndarray, label: np.ndarray) -> int:
    return zlib.crc32(label.tobytes(), zlib.crc32(image.tobytes()))
