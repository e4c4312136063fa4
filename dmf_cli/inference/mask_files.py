"""What is written of the images of `dmf predict`: masks, overlays, maps, and a table of areas."""

import contextlib
import csv
import dataclasses
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dmf_cli.datasets.input_spec import Geometry
from dmf_cli.datasets.sources.grey_depth import shown
from dmf_cli.errors import RunFolderError
from dmf_cli.escapes import cell
from dmf_cli.figures import palette
from dmf_cli.inference.expected import expected_dice, uncertainty
from dmf_cli.inference.find_files import Job
from dmf_cli.inference.prediction import Prediction


@dataclasses.dataclass(frozen=True)
class Read:
    """An image as decoded, its network input, and millimetres per pixel if it says so itself."""

    job: Job
    image: np.ndarray
    network: np.ndarray
    where: Geometry
    spacing: Sequence[float] | None


@contextlib.contextmanager
def writing(file: Path) -> Iterator[None]:
    """Turn what the disk refuses into one line."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        hint = "give another folder with -o DIR; what was written before stays"
        raise RunFolderError(f"cannot write {file} ({reason})", path=file, hint=hint) from error


@contextlib.contextmanager
def table(file: Path, columns: Sequence[str]) -> Iterator[Callable[[Sequence[Any]], None]]:
    """Appends rows that are on disk at once: what is computed survives an interruption."""
    with writing(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        stream = file.open("w", newline="", encoding="utf-8", errors="backslashreplace")
    writer = csv.writer(stream, lineterminator="\n")

    def add(row: Sequence[Any]) -> None:
        with writing(file):
            writer.writerow(map(cell, row))
            stream.flush()

    with stream:
        add(columns)
        yield add


class Writer:
    """Decides and writes the masks of one image; its row of ``areas.csv`` comes back.

    Args:
        output: the folder.
        prediction: how masks are decided.
        classes: names, background first.
        measured: whether areas are in square millimetres too.
        probabilities: write them too.
        uncertain: write maps of the uncertainty too.

    Attributes:
        columns: of ``areas.csv``.
        empty: how many masks have no foreground.
        expected: the Dice to expect of each mask, by the path of its image.
    """

    def __init__(
        self,
        output: Path,
        prediction: Prediction,
        classes: Sequence[str],
        measured: bool,
        probabilities: bool,
        uncertain: bool,
    ) -> None:
        self.output, self.prediction, self.classes = output, prediction, classes
        self.measured, self.probabilities, self.uncertain = measured, probabilities, uncertain
        self.empty, self._lock = 0, threading.Lock()
        self.expected: dict[Path, float] = {}
        what = ("pixels", "share", *(["mm2"] if measured else []))
        areas = (f"{name}_{w}" for name in classes[1:] for w in what)
        self.columns = ["image", "height", "width", *areas, "expected_dice"]

    def __call__(self, one: Read, output: np.ndarray) -> list[Any]:
        """Of ``one`` image, for which the network gave ``output``."""
        job, resized = one.job, self.prediction.resized(output, one.where)
        mask, several = self.prediction.mask(resized), len(self.classes) > 2
        expected = expected_dice(resized, mask)
        with self._lock:
            self.empty += not mask.any()
            self.expected[job.file] = expected
        self._save("masks", job.name, mask if several else mask * 255)
        self._save("overlays", job.name, overlay(shown(one.image), mask, len(self.classes)))
        if self.probabilities:
            self._save_probabilities(job.name, resized)
        if self.uncertain:
            self._save("uncertainty", job.name, _sixteen_bits(uncertainty(resized)))
        return [str(job.file), *mask.shape, *self._areas(mask, one.spacing), f"{expected:.4f}"]

    def _save_probabilities(self, name: Path, resized: np.ndarray) -> None:
        """Of the foreground, and with several classes of each."""
        several = len(self.classes) > 2
        self._save("probabilities", name, _sixteen_bits(1 - resized[..., 0] if several else resized[..., 0]))
        for number, class_name in enumerate(self.classes if several else ()):
            folder = "probabilities_" + re.sub(r"[^\w.-]", "_", class_name)
            self._save(folder, name, _sixteen_bits(resized[..., number]))

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
        with writing(file):
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
