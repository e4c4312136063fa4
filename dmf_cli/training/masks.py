"""Masks for image files that belong to no dataset: what `dmf predict` does.

Images are read, predicted and written a batch at a time, so memory does not grow with their number; a file
that cannot be read is listed and left out.
"""

import collections
import contextlib
import csv
import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dmf_cli._machine import processors
from dmf_cli.datasets.decode import image_size, read_image
from dmf_cli.datasets.images import Geometry, restore
from dmf_cli.errors import ConfigError, DatasetError, RunFolderError
from dmf_cli.results import palette
from dmf_cli.training.predicting import Predict, View

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif"})
MASK = re.compile(r"(.+)_mask(?:_\d+)?")
PIXELS = 2**26  # of all images that are in memory at once; a larger one is alone


@dataclasses.dataclass(frozen=True)
class Job:
    """One image and where its results go, below the output folder and without suffix."""

    file: Path
    name: Path


def find(paths: Sequence[Path], output: Path, exclude: str | None = None) -> list[Job]:
    """The images that ``paths`` are or hold, sorted, each under a name of its own.

    In folders, what lies below ``output`` is no image, nor is the mask of one: ``X_mask.png`` or
    ``X_mask_1.png`` beside an image ``X``, as in BUSI. ``exclude`` is a glob of more to leave out.

    Raises:
        DatasetError: a path that does not exist, no image at all, or ``exclude`` leaves none.
    """
    known: dict[Path, tuple[Path, Path]] = {}  # a file that is given twice is one
    for path in paths:
        if not path.exists():
            raise DatasetError(f"{path} does not exist: give images, or a folder that holds some")
        alone = path.is_file()  # who names a file means it
        for file in [path] if alone else _images_below(path, output, exclude):
            known.setdefault(file.resolve(), (file, path.parent if alone else path))
    if not known:
        excluded = [file for path in paths for file in _images_below(path, output, None)] if exclude else []
        if excluded:
            raise DatasetError(
                f"--exclude {exclude!r} leaves none of the {len(excluded)} images in "
                f"{', '.join(map(str, paths))}: give a narrower pattern"
            )
        raise DatasetError(
            f"no image in {', '.join(map(str, paths))}: known are {' '.join(sorted(SUFFIXES))}"
        )
    return [Job(file, name) for file, name in _names(dict(known.values())).items()]


def _images_below(folder: Path, output: Path, exclude: str | None) -> list[Path]:
    """The files in ``folder`` that :func:`find` takes, sorted."""
    files = [file for file in sorted(folder.rglob("*")) if file.suffix.lower() in SUFFIXES and file.is_file()]
    results, bare = output.resolve(), {file.with_suffix("") for file in files}

    def wanted(file: Path) -> bool:
        mask_of = MASK.fullmatch(file.stem)
        is_mask = mask_of is not None and file.parent / mask_of[1] in bare
        excluded = exclude is not None and file.match(exclude)
        return not (is_mask or excluded or results in file.resolve().parents)

    return [file for file in files if wanted(file)]


def _names(found: Mapping[Path, Path]) -> dict[Path, Path]:
    """File -> name of its results, the shortest of four that no other file has; ``found``: file -> root.

    ``scans/a`` may be ``scans/a.png`` and ``scans/a.jpg``, ``a`` may lie in two of the folders given.
    """

    def forms(file: Path) -> tuple[Path, ...]:
        inside = file.relative_to(found[file])
        whole = file.absolute()
        return inside.with_suffix(""), inside, found[file].resolve().name / inside, whole.relative_to("/")

    level = dict.fromkeys(found, 0)
    while True:
        names = {file: forms(file)[depth] for file, depth in level.items()}
        count = collections.Counter(names.values())
        shared = [file for file, name in names.items() if count[name] > 1 and level[file] < 3]
        if not shared:
            return names
        level |= {file: level[file] + 1 for file in shared}


def predict_files(
    predict: Predict,
    jobs: Sequence[Job],
    output: Path,
    *,
    view: View,
    classes: Sequence[str],
    channels: int,
    batch_size: int,
    spacing: Sequence[float] | None = None,
    probabilities: bool = False,
    progress: Callable[[], None] = lambda: None,
) -> list[str]:
    """Write ``masks/`` ``overlays/`` (``probabilities/``) and ``areas.csv`` below ``output``, with several
    classes also ``legend.png``, which says the colours of the overlays.

    Masks are PNG at the image's own size: 0 and 255 for two classes, class indices for more. Probabilities
    are 16-bit PNG, 65535 being 1: of the foreground, and with more than two classes of each of them.
    ``areas.csv`` has one row an image, written at once. Images are read and results written by threads.

    Args:
        predict: ``(batch, h, w, C)`` to probabilities ``(batch, h, w, K)``.
        jobs: images, see :func:`find`.
        output: made if it is not there; files of the same names are replaced.
        view: how images are seen, and masks decided.
        classes: names, background first.
        channels: of the images, 1 or 3.
        batch_size: images predicted at once.
        spacing: millimetres per pixel (row, column) for areas in mm2, or None.
        probabilities: write them too.
        progress: called after each image.

    Returns:
        One line for each image that could not be read.

    Raises:
        DatasetError: no image can be read; nothing was written.
        RunFolderError: the results cannot be written.
    """
    skipped: list[str] = []
    write = _Writer(output, view, classes, spacing, probabilities)
    add = None
    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(processors()))
        for batch in _batches(jobs, batch_size):
            read = list(pool.map(lambda job: _read(job, channels), batch))
            bad = [found for found in read if isinstance(found, str)]
            good = [
                (job, found) for job, found in zip(batch, read, strict=True) if not isinstance(found, str)
            ]
            skipped += bad
            if good:
                # Not before there is something to write: what cannot be read at all leaves no folder.
                if add is None:
                    add = stack.enter_context(_table(output / "areas.csv", write.columns))
                    write.legend()
                inputs, places = zip(*(view.prepare(image) for _, image in good), strict=True)
                # Filled up: a smaller batch would be compiled once more.
                filled = np.stack([*inputs, *[inputs[-1]] * (batch_size - len(inputs))])
                output_of = np.asarray(predict(filled), np.float32)[: len(good)]
                for row in pool.map(write, good, places, output_of):
                    add(row)
                    progress()
            for _ in bad:
                progress()
    if jobs and len(skipped) == len(jobs):
        what = "" if len(jobs) == 1 else f"none of the {len(jobs)} images can be read, first: "
        raise DatasetError(what + skipped[0])
    return skipped


def check_channels(channels: int) -> None:
    """Files can be read as grey or as RGB, nothing else."""
    if channels not in (1, 3):
        raise ConfigError(f"the network takes images with {channels} channels: `dmf predict` reads 1 or 3")


def _read(job: Job, channels: int) -> np.ndarray | str:
    """The image, or why it cannot be read."""
    try:
        return read_image(job.file, channels)
    except DatasetError as error:
        return str(error)
    except MemoryError:
        return f"{job.file} does not fit into memory: make it smaller"


def _batches(jobs: Sequence[Job], size: int) -> Iterator[list[Job]]:
    """At most ``size`` images at once, and fewer when they are so large that memory would run out."""
    batch: list[Job] = []
    pixels = 0
    for job in jobs:
        try:
            height, width = image_size(job.file)
        except DatasetError:
            height = width = 0  # told when it is read
        if batch and (len(batch) == size or pixels + height * width > PIXELS):
            yield batch
            batch, pixels = [], 0
        batch.append(job)
        pixels += height * width
    if batch:
        yield batch


@contextlib.contextmanager
def _told(file: Path) -> Iterator[None]:
    """What the disk refuses, in one line."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise RunFolderError(
            f"cannot write {file} ({reason}): give another folder with -o DIR; what was written before stays"
        ) from error


@contextlib.contextmanager
def _table(file: Path, columns: Sequence[str]) -> Iterator[Callable[[Sequence[Any]], None]]:
    """Appends rows that are on disk at once: what is computed survives an interruption."""
    with _told(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        stream = file.open("w", newline="", encoding="utf-8")
    writer = csv.writer(stream, lineterminator="\n")

    def add(row: Sequence[Any]) -> None:
        with _told(file):
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
        view: View,
        classes: Sequence[str],
        spacing: Sequence[float] | None,
        probabilities: bool,
    ) -> None:
        self.output, self.view, self.classes, self.probabilities = output, view, classes, probabilities
        self.pixel = spacing[0] * spacing[1] if spacing else None
        what = ("pixels", "share", *(["mm2"] if spacing else []))
        self.columns = ["image", "height", "width", *(f"{name}_{w}" for name in classes[1:] for w in what)]

    def __call__(self, item: tuple[Job, np.ndarray], where: Geometry, found: np.ndarray) -> list[Any]:
        job, image = item
        mask, foreground = self.view.decide(found, where)
        several = len(self.classes) > 2
        self._save("masks", job.name, mask if several else mask * 255)
        self._save("overlays", job.name, overlay(image, mask, len(self.classes)))
        if self.probabilities:
            self._save("probabilities", job.name, _sixteen_bits(foreground))
        if self.probabilities and several:
            for name, plane in zip(self.classes, np.moveaxis(restore(found, where), -1, 0), strict=True):
                folder = "probabilities_" + re.sub(r"[^\w.-]", "_", name)
                self._save(folder, job.name, _sixteen_bits(plane))
        return [str(job.file), *mask.shape, *self._areas(mask)]

    def _areas(self, mask: np.ndarray) -> Iterator[Any]:
        for c in range(1, len(self.classes)):
            pixels = int((mask == c).sum())
            yield from (pixels, f"{pixels / mask.size:.6f}")
            if self.pixel is not None:
                yield f"{pixels * self.pixel:.4f}"

    def legend(self) -> None:
        """Which colour of the overlays is which class, where there are several."""
        pixels = legend(self.classes)
        if pixels is not None:
            self._save("", Path("legend"), pixels)

    def _save(self, folder: str, name: Path, pixels: np.ndarray) -> None:
        """Under a temporary name first: whoever finds a file finds a whole one."""
        file = self.output / folder / f"{name}.png"
        temporary = file.with_name(f".{file.name}.tmp")
        with _told(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            try:
                # Level 1 takes a quarter of the time of Pillow's own choice, for files a tenth larger.
                Image.fromarray(pixels).save(temporary, "png", compress_level=1)
                temporary.replace(file)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise


def _sixteen_bits(probabilities: np.ndarray) -> np.ndarray:
    return np.round(np.clip(probabilities, 0, 1) * 65535).astype(np.uint16)


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
