"""Masks for image files that belong to no dataset: what `dmf predict` does.

Images are read, predicted and written a batch at a time, so memory does not grow with their number; a file
that cannot be read is listed and left out.
"""

import collections
import contextlib
import csv
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dmf_cli.datasets.decode import read_image
from dmf_cli.errors import ConfigError, DatasetError
from dmf_cli.results.atomic import told
from dmf_cli.training.predicting import Predict, View

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif"})
FOLDERS = ("masks", "overlays", "probabilities")
# Okabe & Ito, bright on grey: one a class, over and over.
COLOURS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (213, 94, 0), (204, 121, 167))


@dataclasses.dataclass(frozen=True)
class Job:
    """One image and where its results go, below the output folder and without suffix."""

    file: Path
    name: Path


def find(paths: Sequence[Path], output: Path, exclude: str | None = None) -> list[Job]:
    """The images that ``paths`` are or hold, sorted; what lies below ``output`` is none.

    ``exclude`` is a glob of file names in folders that are left alone.

    Raises:
        DatasetError: a path that does not exist, or no image at all.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        if not path.exists():
            raise DatasetError(f"{path} does not exist: give images, or a folder that holds some")
        inside = [path] if path.is_file() else sorted(path.rglob("*"))
        root = path.parent if path.is_file() else path
        for file in inside:
            own = output.resolve() in file.resolve().parents
            unwanted = own or (exclude is not None and file.match(exclude))
            if file.is_file() and (path.is_file() or (file.suffix.lower() in SUFFIXES and not unwanted)):
                found.setdefault(file, file.relative_to(root))
    if not found:
        raise DatasetError(
            f"no image in {', '.join(map(str, paths))}: known are {' '.join(sorted(SUFFIXES))}"
        )
    same = collections.Counter(name.with_suffix("") for name in found.values())
    # a.png and a.jpg would both become a.png.
    return [Job(f, n if same[n.with_suffix("")] > 1 else n.with_suffix("")) for f, n in found.items()]


def predict_files(
    predict: Predict,
    jobs: Sequence[Job],
    output: Path,
    *,
    view: View,
    classes: Sequence[str],
    channels: int,
    batch_size: int,
    probabilities: bool = False,
    progress: Callable[[], None] = lambda: None,
) -> list[str]:
    """Write ``masks/`` ``overlays/`` (``probabilities/``) and ``areas.csv`` below ``output``.

    Masks are PNG at the image's own size: 0 and 255 for two classes, class indices for more. Probabilities
    of the foreground are 16-bit PNG, 65535 being 1. ``areas.csv`` has one row an image, written at once.

    Args:
        predict: ``(batch, h, w, C)`` to probabilities ``(batch, h, w, K)``.
        jobs: images, see :func:`find`.
        output: made if it is not there; files of the same names are replaced.
        view: how images are seen, and masks decided.
        classes: names, background first.
        channels: of the images, 1 or 3.
        batch_size: images predicted at once.
        probabilities: write them too.
        progress: called after each image.

    Returns:
        One line for each image that could not be read.

    Raises:
        RunFolderError: the results cannot be written.
    """
    skipped: list[str] = []
    columns = [
        "image",
        "height",
        "width",
        *(f"{name}_{what}" for name in classes[1:] for what in ("pixels", "share")),
    ]
    with _table(output / "areas.csv", columns) as add:
        for chunk in _chunks(_readable(jobs, channels, skipped, progress), batch_size):
            inputs, places = zip(*(view.prepare(image) for _, image in chunk), strict=True)
            filled = np.stack([*inputs, *[inputs[-1]] * (batch_size - len(inputs))])
            output_of = np.asarray(predict(filled), np.float32)
            for (job, image), where, found in zip(chunk, places, output_of, strict=False):
                mask, foreground = view.decide(found, where)
                _write(output, job, image, mask, foreground if probabilities else None, len(classes))
                counts = [int((mask == c).sum()) for c in range(1, len(classes))]
                areas = [v for n in counts for v in (n, f"{n / mask.size:.6f}")]
                add([str(job.file), *mask.shape, *areas])
                progress()
    return skipped


def check_channels(channels: int) -> None:
    """Files can be read as grey or as RGB, nothing else."""
    if channels not in (1, 3):
        raise ConfigError(f"the network takes images with {channels} channels: `dmf predict` reads 1 or 3")


def _readable(
    jobs: Sequence[Job], channels: int, skipped: list[str], progress: Callable[[], None]
) -> Iterator[tuple[Job, np.ndarray]]:
    for job in jobs:
        try:
            yield job, read_image(job.file, channels)
        except DatasetError as error:
            skipped.append(str(error))
            progress()


def _chunks(items: Iterator[Any], size: int) -> Iterator[list[Any]]:
    chunk: list[Any] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


@contextlib.contextmanager
def _table(file: Path, columns: Sequence[str]) -> Iterator[Callable[[Sequence[Any]], None]]:
    """Appends rows that are on disk at once: what is computed survives an interruption."""
    with told(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        stream = file.open("w", newline="", encoding="utf-8")
    writer = csv.writer(stream, lineterminator="\n")

    def add(row: Sequence[Any]) -> None:
        with told(file):
            writer.writerow(row)
            stream.flush()

    with stream:
        add(columns)
        yield add


def _write(
    output: Path, job: Job, image: np.ndarray, mask: np.ndarray, foreground: np.ndarray | None, classes: int
) -> None:
    made: dict[str, np.ndarray] = {
        "masks": mask * 255 if classes == 2 else mask,
        "overlays": overlay(image, mask),
    }
    if foreground is not None:
        made["probabilities"] = np.round(np.clip(foreground, 0, 1) * 65535).astype(np.uint16)
    for folder, pixels in made.items():
        file = output / folder / f"{job.name}.png"
        with told(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(file)


def overlay(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """``image`` ``(H, W, C)`` uint8 as RGB, with the inner border of each class of ``mask`` in its colour."""
    made = np.repeat(image, 3, axis=-1) if image.shape[-1] == 1 else image.copy()
    padded = np.pad(mask, 1)
    neighbours = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    border = (mask > 0) & np.any([mask != other for other in neighbours], axis=0)
    made[border] = np.array(COLOURS, np.uint8)[(mask[border] - 1) % len(COLOURS)]
    return made
