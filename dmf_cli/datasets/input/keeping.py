"""Where decoded images are kept: in memory, on disk, or nowhere; whichever fits."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from dmf_cli.config import dataset_schema
from dmf_cli.datasets.base import Dataset
from dmf_cli.datasets.cache import cache_folder
from dmf_cli.datasets.input import prepared, stored
from dmf_cli.datasets.input.prepared import InputPart
from dmf_cli.datasets.input_spec import InputSpec
from dmf_cli.datasets.sources import bad_files, survey
from dmf_cli.errors import DatasetError
from dmf_cli.machine import amount, free_memory, free_space

log = logging.getLogger("dmf")
Mode = Literal["auto", "memory", "disk", "none"]
MEMORY_SHARE = 0.5  # of the memory that is free; the network needs some too
DISK_SHARE = 0.9


def open_parts(
    dataset: Dataset,
    indices: Mapping[str, Sequence[int]],
    mode: Mode,
    spec: InputSpec,
    group: dataset_schema.Dataset,
) -> tuple[dict[str, InputPart], str]:
    """Parts of ``dataset`` as network inputs, and one line that says where they are kept.

    Every image of ``dataset`` in ``indices`` has been read once when this returns, so that a bad file is
    reported before anything else happens.

    Args:
        dataset: the images.
        indices: which images each part has; of ``test`` nothing is kept.
        mode: ``auto`` takes memory if half of what is free is enough, else the disk, else nothing.
        spec: of the network inputs.
        group: the ``dataset`` group; it names the file on disk.

    Raises:
        DatasetError: naming every file that is bad.
    """
    wanted = {name: rows for name, rows in indices.items() if name != "test"}
    size = stored.record_type(spec, dataset.channels).itemsize
    kept, whole = size * sum(map(len, wanted.values())), size * len(dataset)
    how, note = choose(mode, kept, whole)
    if how == "disk":
        try:
            records = stored.records(dataset, spec, group, folder())
            ids = {name: [dataset.ids[i] for i in rows] for name, rows in wanted.items()}
            return {name: stored.Stored(records, rows, ids[name]) for name, rows in wanted.items()}, note
        except OSError as error:
            how, note = choose("auto", kept, None)
            note = f"images cannot be kept in {folder()} ({error.strerror or error}): {note}"
            log.warning("%s", note)
    make: Callable[..., InputPart] = prepared.load if how == "memory" else prepared.Decoded
    unread = indices.get("test", ()) if how == "memory" else [i for rows in indices.values() for i in rows]
    known = survey.known_good(dataset)
    parts, errors = dict[str, InputPart](), list[DatasetError]()
    for name, rows in wanted.items():
        with bad_files.collecting(errors):
            parts[name] = make(dataset, rows, spec)
    with bad_files.collecting(errors):
        prepared.check_readable(dataset, [index for index in unread if index not in known])
    bad_files.refuse(errors)
    return parts, note


def choose(mode: Mode, kept: int, whole: int | None) -> tuple[str, str]:
    """``memory``, ``disk`` or ``none``, and one line that says so with the figures it was chosen by.

    Args:
        mode: what was asked for.
        kept: bytes of the images that a run keeps.
        whole: bytes of all images, which the file on disk holds; None: not on disk.
    """
    memory, space = free_memory(), 0 if whole is None else free_space(folder())
    how = mode
    if mode == "auto":
        fits = kept <= MEMORY_SHARE * memory
        how = "memory" if fits else "disk" if whole and whole <= DISK_SHARE * space else "none"
    lines = {
        "memory": f"images are kept in memory: {amount(kept)} of {amount(memory)} that are free",
        "disk": f"images are kept in {folder()}: {amount(whole or 0)} of {amount(space)} that are free "
        f"(in memory they would take {amount(kept)} of {amount(memory)})",
        "none": f"images are decoded each time: they would take {amount(kept)} of {amount(memory)} of memory",
    }
    return how, lines[how]


def folder() -> Path:
    """Below the cache of dmf."""
    return cache_folder() / "prepared"
