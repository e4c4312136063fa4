"""Masks for image files that belong to no dataset: what `dmf predict` does.

Images are read, predicted and written a batch at a time, so memory does not grow with their number; a file
that cannot be read is listed and skipped.
"""

import contextlib
import csv
import dataclasses
import functools
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dmf_cli.datasets.input import input_profile
from dmf_cli.datasets.input_spec import Geometry, InputSpec, restore
from dmf_cli.datasets.sources import dicom
from dmf_cli.datasets.sources.grey_depth import shown
from dmf_cli.datasets.sources.image_files import image_size, read_image
from dmf_cli.datasets.sources.suffixes import is_dicom
from dmf_cli.errors import ConfigError, DatasetError, RunFolderError
from dmf_cli.figures import palette
from dmf_cli.inference.find_files import TABLE, Job
from dmf_cli.inference.prediction import Predict, Prediction
from dmf_cli.machine import processors

PIXELS = 2**26  # of all images that are in memory at once; a larger one is alone


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of the images.

    Args:
        skipped: one error for each image that could not be read.
        empty: how many masks have no foreground.
        unlike: one line for each image that is unlike those of the training.
    """

    skipped: list[DatasetError]
    empty: int
    unlike: list[str]


@dataclasses.dataclass(frozen=True)
class _Read:
    """An image as decoded, its network input, and millimetres per pixel if it says so itself."""

    job: Job
    image: np.ndarray
    network: np.ndarray
    where: Geometry
    spacing: Sequence[float] | None


def predict_files(
    predict: Predict,
    jobs: Sequence[Job],
    output: Path,
    *,
    prediction: Prediction,
    classes: Sequence[str],
    batch_size: int,
    spacing: Sequence[float] | None = None,
    trained: input_profile.Note | None = None,
    probabilities: bool = False,
    progress: Callable[[], None] = lambda: None,
) -> Outcome:
    """Write ``masks/`` ``overlays/`` (``probabilities/``) and ``areas.csv`` below ``output``, with several
    classes also ``legend.png``, which says the colours of the overlays.

    Masks are PNG at the image's own size, turned as viewers show the image (EXIF orientation), so that a
    viewer that lays one over the other finds them in place: 0 and 255 for two classes, class indices for
    more. Probabilities are 16-bit PNG, 65535 being 1: of the foreground, and with more than two classes of
    each of them. ``areas.csv`` has one row an image, written at once. Images are read and results written by
    threads.

    Args:
        predict: ``(batch, h, w, C)`` to probabilities ``(batch, h, w, K)``.
        jobs: images, see :func:`find`.
        output: made if it is not there; files of the same names are replaced.
        prediction: how images are read and become inputs, and how masks are decided.
        classes: names, background first.
        batch_size: images predicted at once.
        spacing: millimetres per pixel (row, column) for areas in mm2; None: what DICOM files say.
        trained: what network inputs of the training looked like, see
            :mod:`dmf_cli.datasets.input.input_profile`.
        probabilities: write them too.
        progress: called after each image.

    Raises:
        DatasetError: no image can be read; nothing was written.
        RunFolderError: the results cannot be written.
    """
    outcome = Outcome([], 0, [])
    measured = spacing is not None or any(is_dicom(job.file) for job in jobs)
    write = _Writer(output, prediction, classes, measured, probabilities)
    read = functools.partial(_read, spec=prediction.spec, spacing=spacing)
    apply = prediction.applied(predict)
    add = None
    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(processors()))
        for batch in _batches(jobs, batch_size):
            results = list(pool.map(read, batch))
            good = [one for one in results if isinstance(one, _Read)]
            bad = [one for one in results if isinstance(one, DatasetError)]
            outcome.skipped.extend(bad)
            if good:
                # Not before there is something to write: what cannot be read at all leaves no folder.
                if add is None:
                    add = stack.enter_context(_table(output / TABLE, write.columns))
                    write.legend()
                stacked = [one.network for one in good]
                # Filled up: a smaller batch would be compiled once more.
                filled = np.stack([*stacked, *[stacked[-1]] * (batch_size - len(good))])
                output_of = np.asarray(apply(filled), np.float32)[: len(good)]
                for row in pool.map(write, good, output_of):
                    add(row)
                    progress()
                outcome.unlike.extend(_unlike(trained, good))
            for _ in bad:
                progress()
    if jobs and len(outcome.skipped) == len(jobs):
        first = outcome.skipped[0]
        raise first if len(jobs) == 1 else first.within(f"none of the {len(jobs)} images can be read, first")
    return dataclasses.replace(outcome, empty=write.empty)


def check_channels(channels: int) -> None:
    """Files can be read as grey or as RGB, nothing else."""
    if channels not in (1, 3):
        what = f"the network takes images with {channels} channels"
        raise ConfigError(what, key="dataset.channels", value=channels, hint="`dmf predict` reads 1 or 3")


def _read(job: Job, spec: InputSpec, spacing: Sequence[float] | None) -> "_Read | DatasetError":
    """The image with its network input, or why it cannot be read."""
    try:
        image = read_image(job.file, spec.channels, spec.reading)
        network, where = spec.image(image)
        own = dicom.spacing(job.file) if spacing is None and is_dicom(job.file) else spacing
        return _Read(job, image, network, where, own)
    except DatasetError as error:
        return error
    except MemoryError:
        return DatasetError(path=job.file, reason="does not fit into memory", hint="make it smaller")


def _unlike(trained: input_profile.Note | None, read: Sequence["_Read"]) -> Iterator[str]:
    for one in read if trained else ():
        why = input_profile.unlike(trained, one.network) if trained else None
        if why:
            yield f"{one.job.file} ({why})"


def _batches(jobs: Sequence[Job], size: int) -> Iterator[list[Job]]:
    """At most ``size`` images at once, and fewer when they are so large that memory would run out."""
    batch: list[Job] = []
    pixels = 0
    for job in jobs:
        try:
            height, width = image_size(job.file)
        except DatasetError:
            height = width = 0  # reported when it is read
        if batch and (len(batch) == size or pixels + height * width > PIXELS):
            yield batch
            batch, pixels = [], 0
        batch.append(job)
        pixels += height * width
    if batch:
        yield batch


@contextlib.contextmanager
def _writing(file: Path) -> Iterator[None]:
    """Turn what the disk refuses into one line."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        hint = "give another folder with -o DIR; what was written before stays"
        raise RunFolderError(f"cannot write {file} ({reason})", path=file, hint=hint) from error


@contextlib.contextmanager
def _table(file: Path, columns: Sequence[str]) -> Iterator[Callable[[Sequence[Any]], None]]:
    """Appends rows that are on disk at once: what is computed survives an interruption."""
    with _writing(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        stream = file.open("w", newline="", encoding="utf-8")
    writer = csv.writer(stream, lineterminator="\n")

    def add(row: Sequence[Any]) -> None:
        with _writing(file):
            writer.writerow(row)
            stream.flush()

    with stream:
        add(columns)
        yield add


class _Writer:
    """Decides and writes the masks of one image; its row of ``areas.csv`` comes back."""

    def __init__(
        self,
        output: Path,
        prediction: Prediction,
        classes: Sequence[str],
        measured: bool,
        probabilities: bool,
    ) -> None:
        self.output, self.prediction = output, prediction
        self.classes, self.probabilities = classes, probabilities
        self.measured, self.empty, self._lock = measured, 0, threading.Lock()
        what = ("pixels", "share", *(["mm2"] if measured else []))
        self.columns = ["image", "height", "width", *(f"{name}_{w}" for name in classes[1:] for w in what)]

    def __call__(self, one: _Read, output: np.ndarray) -> list[Any]:
        job, where = one.job, one.where
        mask, foreground = self.prediction.decide(output, where)
        with self._lock:
            self.empty += not mask.any()
        several = len(self.classes) > 2
        self._save("masks", job.name, mask if several else mask * 255)
        self._save("overlays", job.name, overlay(shown(one.image), mask, len(self.classes)))
        if self.probabilities:
            self._save("probabilities", job.name, _sixteen_bits(foreground))
        if self.probabilities and several:
            for name, plane in zip(self.classes, np.moveaxis(restore(output, where), -1, 0), strict=True):
                folder = "probabilities_" + re.sub(r"[^\w.-]", "_", name)
                self._save(folder, job.name, _sixteen_bits(plane))
        return [str(job.file), *mask.shape, *self._areas(mask, one.spacing)]

    def _areas(self, mask: np.ndarray, spacing: Sequence[float] | None) -> Iterator[Any]:
        for c in range(1, len(self.classes)):
            pixels = int((mask == c).sum())
            yield from (pixels, f"{pixels / mask.size:.6f}")
            if self.measured:  # a DICOM file among others may not say how large its pixels are
                yield f"{pixels * spacing[0] * spacing[1]:.4f}" if spacing else ""

    def legend(self) -> None:
        """Which colour of the overlays is which class, where there are several."""
        pixels = legend(self.classes)
        if pixels is not None:
            self._save("", Path("legend"), pixels)

    def _save(self, folder: str, name: Path, pixels: np.ndarray) -> None:
        """Under a temporary name first: whoever finds a file finds a whole one."""
        file = self.output / folder / f"{name}.png"
        temporary = file.with_name(f".{file.name}.tmp")
        with _writing(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            try:
                # Level 1 takes a quarter of the time of Pillow's own choice, for files a tenth larger.
                Image.fromarray(pixels).save(temporary, "png", compress_level=1)
                temporary.replace(file)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise


def _sixteen_bits(probabilities: np.ndarray) -> np.ndarray:
    scaled: np.ndarray = np.clip(probabilities, 0, 1) * 65535
    return np.round(scaled).astype(np.uint16)


def overlay(image: np.ndarray, mask: np.ndarray, classes: int = 2) -> np.ndarray:
    """``image`` ``(H, W, C)`` uint8 as RGB, with the inner border of each class of ``mask`` in its colour.

    Args:
        image: as decoded.
        mask: class indices ``(H, W)``.
        classes: background included.
    """
    made = np.repeat(image, 3, axis=-1) if image.shape[-1] == 1 else image.copy()
    padded = np.pad(mask, 1)
    neighbours = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    border = (mask > 0) & np.any([mask != other for other in neighbours], axis=0)
    colours = [palette.rgb(colour) for colour in palette.outlines(classes, palette.PREDICTION)]
    made[border] = np.array(colours, np.uint8)[(mask[border] - 1) % len(colours)]
    return made


def legend(classes: Sequence[str]) -> np.ndarray | None:
    """A picture with the name of each class beside its colour, RGB; None for one class."""
    entries = palette.legend(classes)
    if not entries:
        return None
    font = ImageFont.load_default(16)
    width = 48 + max(round(font.getlength(name)) for name, _ in entries)
    picture = Image.new("RGB", (width, 28 * len(entries) + 8), "black")
    draw = ImageDraw.Draw(picture)
    for row, (name, colour) in enumerate(entries):
        top = 28 * row + 4
        draw.rectangle((8, top + 6, 28, top + 22), fill=colour)
        draw.text((38, top + 5), name, fill="white", font=font)
    return np.asarray(picture)
