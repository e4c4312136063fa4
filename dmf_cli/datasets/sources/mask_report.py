"""What is certainly or possibly wrong with the masks of a dataset, looked at once and kept in the cache.

Values first (see :mod:`dmf_cli.datasets.sources.mask_values`), then the labels that come of them: masks that
may be inverted, classes that no mask has, lesions that vanish at the size of the network.
"""

import contextlib
import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from dmf_cli.datasets.base import IGNORED, Dataset, lesion_share
from dmf_cli.datasets.cache import cache_folder
from dmf_cli.datasets.finding import Finding
from dmf_cli.datasets.input_spec import InputSpec
from dmf_cli.datasets.sources import label_coding, mask_values
from dmf_cli.datasets.sources.image_files import quiet
from dmf_cli.datasets.sources.mask_values import Facts
from dmf_cli.errors import DatasetError, DmfError, LabelError
from dmf_cli.files import write_atomic
from dmf_cli.machine import processors

VERSION = 2  # of what is kept; another one is not read
HALF = 0.5  # share of all pixels, and of those at the border, from which masks look inverted
FIRST = 3  # images that a line names
log = logging.getLogger("dmf")
T = TypeVar("T")


class Values(NamedTuple):
    """What the values of all masks say: the threshold of foreground, and remarks."""

    level: float
    remarks: list[Finding]


class _Label(NamedTuple):
    """One image: its classes at its own size, those that are left at the network's, where they lie, and
    whether pixels are ignored.
    """

    classes: set[int]
    left: set[int]
    area: float
    border: float
    ignores: bool


def look(
    key: Callable[[], str],
    sources: Sequence[Callable[[], Facts]],
    classes: Sequence[str],
    given: float | None,
) -> Values:
    """The values of all masks of two classes.

    Args:
        key: of the cache: what the masks are and how they are read; an ``OSError`` of it keeps nothing.
        sources: one a mask file; a ``DatasetError`` of one is told when the mask is loaded.
        classes: names.
        given: ``dataset.threshold``; None: ``auto``.
    """

    def fresh() -> dict[str, Any]:
        found = [fact for fact in _parallel(sources) if fact is not None]
        level = mask_values.threshold(found) if given is None else given
        return {"level": level, "remarks": mask_values.remarks(found, classes, given)}

    kept = _kept(lambda: f"values\0{key()}\0{given}", fresh)
    return Values(float(kept["level"]), _remarks(kept))


def report(dataset: Dataset, spec: InputSpec) -> list[Finding]:
    """Everything about the masks of ``dataset``; what is certain first. Synthetic masks are exact."""
    if dataset.synthetic:
        return []
    first = dataset.mask_remarks()
    if any(remark.is_error for remark in first):
        return sorted(first, key=lambda remark: not remark.is_error)

    def key() -> str:
        return f"labels\0{dataset.fingerprint()}\0{dataset.reading()}\0{spec.size}\0{spec.resize}"

    return first + _remarks(_kept(key, lambda: {"remarks": _of_labels(dataset, spec)}))


def check(dataset: Dataset, spec: InputSpec) -> list[str]:
    """Warn of everything in :func:`report`; the lines, for a log that begins later.

    Raises:
        LabelError: for what is certainly wrong.
    """
    lines = []
    for remark in report(dataset, spec):
        lines.append(f"{dataset.name}: {remark.text}")
        if remark.is_error:
            raise LabelError(lines[-1])
        log.warning("%s", lines[-1])
    return lines


def _of_labels(dataset: Dataset, spec: InputSpec) -> list[Finding]:
    def one(index: int) -> _Label:
        label = dataset.label(index)
        counted = label != IGNORED
        foreground = (label > 0) & counted
        edge = np.concatenate([foreground[0], foreground[-1], foreground[:, 0], foreground[:, -1]])
        left = set(np.unique(spec.label(label)).tolist())
        classes = set(np.unique(label[counted]).tolist())
        return _Label(classes, left, lesion_share(label), float(edge.mean()), not counted.all())

    sources = [lambda index=index: one(index) for index in range(len(dataset))]
    found = dict(zip(dataset.ids, _parallel(sources), strict=True))
    labels = {name: label for name, label in found.items() if label is not None}
    made = [_full(labels), _inverted(dataset, labels), *_absent(dataset, labels)]
    made += [_ignored(dataset, labels), _vanishing(labels, spec.size)]
    return [remark for remark in made if remark]


def _full(labels: dict[str, _Label]) -> Finding | None:
    full = [name for name, label in labels.items() if label.area == 1]
    text = f"{len(full)} of {len(labels)} masks cover the whole image ({_first(full)}): look at them"
    return Finding("full", tuple(full), text) if full else None


def _inverted(dataset: Dataset, labels: dict[str, _Label]) -> Finding | None:
    """Lesions lie inside their images: what covers most of them and of their borders is background."""
    odd = [name for name, label in labels.items() if HALF < label.area < 1 and label.border > HALF]
    if len(dataset.classes) > 2 or not odd:
        return None
    area = 100 * sum(labels[name].area for name in odd) / len(odd)
    name = dataset.classes[1]
    text = (
        f"{name} covers {area:.0f} % of {len(odd)} of {len(labels)} masks, borders too ({_first(odd)}): if "
        "these are inverted, set 'dataset.values={0:1,255:0}' or invert them"
    )
    return Finding("inverted", tuple(odd), text)


def _absent(dataset: Dataset, labels: dict[str, _Label]) -> list[Finding]:
    """Classes that no mask has; that there is no lesion at all is told elsewhere."""
    present = set[int]().union(*(label.classes for label in labels.values()))
    absent = [name for c, name in enumerate(dataset.classes) if c and c not in present]
    if not present - {0}:
        return []
    text = "no mask holds the class {!r}: check dataset.classes and dataset.values"
    return [Finding("absent class", (name,), text.format(name)) for name in absent]


def _ignored(dataset: Dataset, labels: dict[str, _Label]) -> Finding | None:
    """A wrong value leaves nothing out, and what was to be left out is learned as some class."""
    if not dataset.ignores or dataset.ignore is None or not labels:
        return None
    if any(label.ignores for label in labels.values()):
        return None
    text = (
        f"no mask holds dataset.ignore={label_coding.shown(dataset.ignore)}, so that every pixel counts: "
        "give the value of the pixels to leave out, or null"
    )
    return Finding("nothing ignored", (dataset.name,), text)


def _vanishing(labels: dict[str, _Label], size: tuple[int, int]) -> Finding | None:
    gone = [name for name, label in labels.items() if label.classes - label.left - {0}]
    if not gone:
        return None
    ill = sum(bool(label.classes - {0}) for label in labels.values())
    text = (
        f"lesions of {len(gone)} of {ill} images vanish at {size[0]}x{size[1]} ({_first(gone)}): use a "
        "larger dataset.image_size"
    )
    return Finding("vanishing", tuple(gone), text)


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:FIRST]) + (", ..." if len(names) > FIRST else "")


def _parallel(sources: Iterable[Callable[[], T]]) -> list[T | None]:
    """Results in order; None for files that cannot be read, which `load` tells."""

    def one(source: Callable[[], T]) -> T | None:
        with contextlib.suppress(DatasetError):
            return source()
        return None

    with quiet(), ThreadPoolExecutor(processors()) as pool:
        return list(pool.map(one, sources))


def _kept(key: Callable[[], str], make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What the cache has under ``key``, else what ``make`` gives, which is kept; the cache is no must."""
    file: Path | None = None
    with contextlib.suppress(OSError, ValueError):
        digest = hashlib.sha256(f"{VERSION}\0{key()}".encode()).hexdigest()[:24]
        file = cache_folder() / "masks" / f"{digest}.json"
        found = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(found, dict) and "remarks" in found:
            return found
    made = make()
    if file is not None:
        with contextlib.suppress(OSError, DmfError):
            file.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(file, json.dumps({**made, "remarks": [r._asdict() for r in made["remarks"]]}))
    return made


def _remarks(kept: dict[str, Any]) -> list[Finding]:
    given = kept["remarks"]
    return [r if isinstance(r, Finding) else Finding(r["kind"], tuple(r["where"]), r["text"]) for r in given]
