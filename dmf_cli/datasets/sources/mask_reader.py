"""How the mask files of one dataset become labels, and what the values of all of them say."""

import contextlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from PIL import Image

from dmf_cli import bounded
from dmf_cli.datasets.cache import cache_folder
from dmf_cli.datasets.finding import Finding
from dmf_cli.datasets.sources import bad_files, label_coding, mask_planes, mask_values, value_report
from dmf_cli.datasets.sources.mask_values import MaskFacts
from dmf_cli.errors import DatasetError, DmfError
from dmf_cli.files import write_atomic
from dmf_cli.hashes import digest

VERSION = 2  # of what is kept; another one is not read


class MaskValues(NamedTuple):
    """What the values of all masks say: the threshold of foreground, and remarks."""

    level: float
    remarks: list[Finding]


class MaskReader:
    """Labels of mask files by the keys of the ``dataset`` group.

    What is foreground in a mask of two classes may depend on all masks, see
    :func:`dmf_cli.datasets.sources.mask_values.threshold`. :meth:`settle` takes what a look at all files has
    found; without one, the masks alone are looked at once.

    Args:
        classes: names, the background first.
        values: pixel value or colour -> class; None: see ``threshold``.
        threshold: of masks of two classes; ``auto``: what their values say.
        ignore: a pixel value or colour, or a list of them, whose pixels count nowhere.
        key: of the cache: what the masks are and how they are read; an ``OSError`` of it keeps nothing.
        facts: what the masks hold, by number; raises ``DatasetError`` for those that cannot be read.
        count: how many masks there are.
    """

    def __init__(
        self,
        classes: Sequence[str],
        values: Mapping[int | str, int] | None,
        threshold: float | Literal["auto"],
        ignore: int | str | Sequence[int | str] | None,
        *,
        key: Callable[[], str],
        facts: Callable[[int], MaskFacts],
        count: Callable[[], int],
    ) -> None:
        self.classes, self.threshold = tuple(classes), None if threshold == "auto" else threshold
        self.values, self.colours = label_coding.split(values or {}, len(self.classes))
        self.ignore, self.ignores = label_coding.ignored(ignore, len(self.classes)), ignore is not None
        self.binary = self.values is None and self.colours is None and len(self.classes) == 2
        self._key, self._facts, self._count = key, facts, count
        self._looked: MaskValues | None = None
        self._lock = threading.Lock()

    def label(self, image: Image.Image, where: object, *, guess: bool = False) -> np.ndarray:
        """Labels ``(H, W)`` uint8 of a decoded mask.

        Args:
            image: the mask.
            where: what an error calls it.
            guess: take the masks as hard ones until :meth:`settle` knows better.

        Raises:
            LabelError: a value or a colour that no class has.
        """
        if self.colours:
            pixels, lossy = mask_planes.colours(image), image.format in mask_planes.LOSSY
            return label_coding.nearest(pixels, self.colours, where, lossy=lossy, ignore=self.ignore.colours)
        if self.binary:
            void = mask_values.void(image, self.ignore) if self.ignores else None
            labels = self._foreground(image, void, guess).astype(np.uint8)
            return labels if void is None else label_coding.leave_out(labels, void)
        if self.values is None and mask_planes.is_coloured(image):
            raise label_coding.coloured(where)
        pixels = mask_planes.plane(image, keep_indices=True)
        return label_coding.by_value(pixels, self.values, len(self.classes), where, self.ignore.values)

    def facts(self, image: Image.Image, name: str) -> MaskFacts:
        """What the decoded mask holds."""
        return mask_values.facts(image, name, self.ignore)

    def remarks(self) -> list[Finding]:
        """What the values of all masks say against their reading."""
        return self._look().remarks if self.binary else []

    def level(self) -> float:
        """Foreground is above it; for masks of two classes."""
        return self._look().level

    def forget(self) -> None:
        """The masks are others from now on."""
        self._looked = None

    def settle(self, found: Sequence[MaskFacts]) -> bool:
        """``found`` is what all masks hold; whether labels by guess were right."""
        if not self.binary:
            return True
        with self._lock:
            if self._looked is not None:
                return True
            self._looked = self._recalled() or self._judged(found)
            return self.threshold is not None or self._looked.level == 0

    def _foreground(self, image: Image.Image, void: np.ndarray | None, guess: bool) -> np.ndarray:
        pixels = mask_planes.plane(image, keep_indices=False)
        if self.threshold is not None:
            return pixels > self.threshold
        level = 0.0 if guess and self._looked is None else self.level()
        lossy, counted = image.format in mask_planes.JPEG, None if void is None else ~void
        return mask_values.foreground(pixels, level, lossy=lossy, counted=counted)

    def _look(self) -> MaskValues:
        """All masks, once."""
        with self._lock:
            if self._looked is None:
                self._looked = self._recalled()
            if self._looked is None:
                read = bad_files.attempts(self._facts, range(self._count()))
                # What cannot be read is reported when it is loaded.
                self._looked = self._judged([one for one in read if not isinstance(one, DatasetError)])
            return self._looked

    def _judged(self, found: Sequence[MaskFacts]) -> MaskValues:
        """What follows from ``found``, which is put into the cache; the cache is no must."""
        level = mask_values.threshold(found) if self.threshold is None else self.threshold
        made = MaskValues(level, value_report.remarks(found, self.classes, self.threshold))
        with contextlib.suppress(OSError, DmfError):
            file = self._file()
            file.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(file, json.dumps({"level": level, "remarks": [r._asdict() for r in made.remarks]}))
        return made

    def _recalled(self) -> MaskValues | None:
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            kept: dict[str, Any] = bounded.read_json(self._file(), most=bounded.MOST)
            remarks = [Finding(r["kind"], tuple(r["where"]), r["text"]) for r in kept["remarks"]]
            return MaskValues(float(kept["level"]), remarks)
        return None

    def _file(self) -> Path:
        facts = f"{VERSION}\0values\0{self._key()}\0{self.threshold}"
        return cache_folder() / "masks" / f"{digest(facts, 24)}.json"
