"""A folder of images and masks: which file belongs to which is said by patterns in the config."""

import hashlib
import logging
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dmf_cli import lookup
from dmf_cli.config.inputs import check_classes
from dmf_cli.config.schema import Folder, Published
from dmf_cli.datasets.base import Dataset, Examined, Ignored, Sample
from dmf_cli.datasets.finding import Finding
from dmf_cli.datasets.input_spec import MAX_PIXELS, Reading
from dmf_cli.datasets.sources import bad_files, dicom, grouping
from dmf_cli.datasets.sources.folder_place import check_place, existing, images_folder
from dmf_cli.datasets.sources.image_files import open_image
from dmf_cli.datasets.sources.image_report import skipped
from dmf_cli.datasets.sources.mask_reader import MaskReader
from dmf_cli.datasets.sources.mask_values import MaskFacts
from dmf_cli.datasets.sources.pair_reader import PairReader
from dmf_cli.datasets.sources.pairing import Pair, find_pairs
from dmf_cli.datasets.sources.patterns import Patterns
from dmf_cli.datasets.sources.sizes import other_sizes
from dmf_cli.datasets.sources.suffixes import is_dicom
from dmf_cli.datasets.sources.survey import adopt, survey
from dmf_cli.errors import ConfigError, UnknownNameError

log = logging.getLogger("dmf")


class FolderDataset(Dataset):
    """Pairs of image and mask files below one folder.

    Args:
        name: what tables call it.
        dir: the folder.
        images: glob of the images, relative to ``dir``.
        masks: pattern of the masks of one image, relative to ``dir``; ``{folder}``, ``{stem}`` and the named
            groups of ``parse`` stand for those of the image, ``*`` for anything. Several masks are united:
            where they overlap, the higher class index stays.
        exclude: glob of files that ``images`` matches but that are no images, relative to ``dir``, or of
            names alone; None: none.
        parse: regular expression for an image's path below ``dir`` without its suffix, or None. Its named
            groups may stand in ``masks``; a group called ``class`` is the stratum, in place of the folder;
            one called ``patient`` says which images belong on one side of a split.
        table: a CSV file that tells more of each image, see
            :func:`dmf_cli.datasets.sources.table.read_table`;
            its fields are as the named groups of ``parse``.
        strata: strata to use; None uses all.
        classes: names, the background first.
        values: pixel value -> class index of a label map; None: a mask of two classes is foreground where
            it is above ``threshold``, a mask of more classes holds the indices themselves. Keys such as
            ``red`` or ``"#ff0000"`` are colours: each pixel has the class of the nearest.
        threshold: see ``values``; 0 means every value but 0. ``auto``: 0, or half of the largest value where
            masks have soft edges, see :mod:`dmf_cli.datasets.sources.mask_values`.
        ignore: a pixel value or colour of masks, or a list of them, whose pixels count nowhere: in no loss,
            no score and no figure; None: none.
        channels: 1 reads images as grey, 3 as RGB.
        missing_mask: ``error``, or ``empty`` for images without a mask file.
        size_mismatch: ``error``, or ``skip`` to leave out images whose mask has another size.
        folders: what the folders of the images are, see :func:`dmf_cli.datasets.sources.grouping.group`.
        spacing: millimetres per pixel (row, column); None: what a DICOM file says of itself, else nothing.
        range: grey values that become black and white, see
            :class:`dmf_cli.datasets.input_spec.Reading`.
        max_pixels: images with more are refused.
        on_bad: ``error``, or ``skip`` to leave out images that cannot be used, or whose masks cannot.

    Raises:
        ConfigError: patterns, classes or values that make no sense.
        DatasetError: the folder is missing or empty, or a mask is missing.
    """

    ignore: Ignored

    def __init__(
        self,
        *,
        name: str,
        dir: str | Path | None,  # the key of the config
        images: str,
        masks: str,
        exclude: str | None = None,
        parse: str | None = None,
        strata: Sequence[str] | None = None,
        classes: Sequence[str] = ("background", "lesion"),
        values: Mapping[int | str, int] | None = None,
        threshold: int | Literal["auto"] = "auto",
        ignore: int | str | Sequence[int | str] | None = None,
        channels: Literal[1, 3] = 1,
        missing_mask: Literal["error", "empty"] = "error",
        table: Mapping[str, str] | None = None,
        size_mismatch: Literal["error", "skip"] = "error",
        folders: Literal["auto", "strata", "patients", "none"] = "auto",
        spacing: Sequence[float] | None = None,
        range: Sequence[float] | None = None,  # the key of the config
        max_pixels: int = MAX_PIXELS,
        on_bad: Literal["error", "skip"] = "error",
    ) -> None:
        self.name, self.classes, self.channels = name, tuple(classes), channels
        if channels not in (1, 3):
            raise ConfigError(key="dataset.channels", value=channels, hint="1 (grey) or 3 (RGB)")
        check_classes(classes)
        self.mask_reader = MaskReader(
            self.classes, values, threshold, ignore,
            key=lambda: f"{self.fingerprint()}\0{self.reading()}",
            facts=self._facts, count=lambda: len(self._files),
        )  # fmt: skip
        self.ignore, self.ignores = self.mask_reader.ignore, self.mask_reader.ignores
        self.spacing = _checked_spacing(spacing) if spacing is not None else None
        self._patterns = Patterns(images, masks, exclude, parse, strata, missing_mask, table)
        self._reading, self.max_pixels = Reading(range, max_pixels), max_pixels
        if on_bad not in ("error", "skip"):
            raise UnknownNameError("dataset.on_bad", on_bad, ["error", "skip"])
        self.left_out, self._digests = Counter[str](), dict[Path, bytes]()
        self._root = existing(name, dir)
        self._reader = PairReader(self._root, channels, self._reading, self.mask_reader)
        # Whoever chooses strata by their folders has said what the folders are.
        self._folders = "strata" if folders == "auto" and strata is not None else folders
        pairs = find_pairs(self._root, self._patterns, name, self.left_out)
        self.unusable = other_sizes(pairs, size_mismatch)
        self._use([pair for pair in pairs if pair.id not in self.unusable])
        if on_bad == "skip":
            self._skip_bad()

    def _use(self, pairs: list[Pair]) -> None:
        """``pairs`` are the images."""
        self._pairs = pairs
        self._files = sorted({file for pair in pairs for file in pair.masks})
        self.mask_reader.forget()
        self.ids = tuple(pair.id for pair in pairs)
        self.strata, self.groups, self.grouping = grouping.group(pairs, self.name, self._folders)

    def _skip_bad(self) -> None:
        """Images that cannot be used are excluded, and a warning names them."""
        found = survey(self, alike=True)
        if len(found.errors) == len(self):
            found.refuse()
        if not found.errors:
            return
        errors = [found.errors[index] for index in sorted(found.errors)]
        log.warning(
            "excluded because they cannot be used (dataset.on_bad=skip): %d of %d images\n%s",
            len(errors), len(self), bad_files.listed(errors),
        )  # fmt: skip
        wrong = {self.ids[index]: str(error) for index, error in sorted(found.errors.items())}
        self.unusable = {**self.unusable, **wrong}
        masks, rest = self.mask_reader, found.of(found.good)
        level = masks.level() if masks.binary else 0.0
        self._use([self._pairs[index] for index in found.good])
        if len(rest.values) == len(self):
            self.settle([one for values in rest.values.values() for one in values])
        if not masks.binary or masks.level() == level:  # else labels are others without the bad masks
            adopt(self, rest)

    def load(self, index: int) -> Sample:
        """See :meth:`Dataset.load`."""
        return self._reader.load(self._pairs[index])

    def label(self, index: int) -> np.ndarray:
        """See :meth:`Dataset.label`."""
        return self._reader.label(self._pairs[index])

    def examine(self, index: int) -> Examined:
        """See :meth:`Dataset.examine`."""
        return self._reader.examine(self._pairs[index])

    def settle(self, values: Sequence[MaskFacts]) -> bool:
        """See :meth:`Dataset.settle`."""
        return self.mask_reader.settle(sorted(values, key=lambda one: Path(one.name)))

    def mask_remarks(self) -> list[Finding]:
        """See :meth:`Dataset.mask_remarks`."""
        return self.mask_reader.remarks()

    def fingerprint(self) -> str:
        """See :meth:`Dataset.fingerprint`."""
        digest = hashlib.sha256()
        for pair in self._pairs:
            digest.update(pair.id.encode())
            for file in (pair.image, *pair.masks):
                digest.update(self._digest(file))
        return digest.hexdigest()[:16]

    def reading(self) -> str:
        """See :meth:`Dataset.reading`."""
        masks = self.mask_reader
        coded = (masks.threshold, masks.values, masks.colours, self.ignore)
        return repr((self.classes, self.channels, *coded, self._reading.limits))

    def content(self, index: int) -> str:
        """See :meth:`Dataset.content`; of the file, so that nothing is decoded."""
        return self._digest(self._pairs[index].image).hex()[:16]

    def pixel_size(self, index: int) -> tuple[float, float] | None:
        """See :meth:`Dataset.pixel_size`."""
        file = self._pairs[index].image
        return dicom.spacing(file) if self.spacing is None and is_dicom(file) else self.spacing

    def remarks(self) -> list[Finding]:
        """See :meth:`Dataset.remarks`."""
        return skipped(self._root, self._patterns)

    def masks(self, index: int) -> tuple[Path, ...]:
        """The mask files of image ``index``; none where ``missing_mask`` is ``empty``."""
        return self._pairs[index].masks

    def _digest(self, file: Path) -> bytes:
        """The hash of a file, which is read once."""
        if file not in self._digests:
            self._digests[file] = hashlib.sha256(file.read_bytes()).digest()
        return self._digests[file]

    def _facts(self, number: int) -> MaskFacts:
        file = self._files[number]
        return self.mask_reader.facts(open_image(file, self._reading.max_pixels), str(file))


def _checked_spacing(spacing: Any) -> tuple[float, float]:
    """Millimetres per pixel, row and column: a wrong one would give wrong distances without a word."""
    sides = spacing if isinstance(spacing, Sequence) else ()
    right = [side for side in sides if isinstance(side, int | float) and 0 < side < math.inf]
    if not len(sides) == len(right) == 2:
        raise ConfigError(
            key="dataset.spacing",
            value=spacing,
            allowed="millimetres per pixel, row and column: [0.1,0.1], or null",
        )
    return float(spacing[0]), float(spacing[1])


def open_folder(dataset: Folder) -> FolderDataset:
    """The dataset of a ``dataset`` group with ``kind: folder``.

    Raises:
        ConfigError: see :class:`FolderDataset`.
        DatasetError: see :class:`FolderDataset`; one that can be had says by which command.
    """
    check_place(dataset)
    params = {key: getattr(dataset, key) for key in lookup.keywords(FolderDataset)}
    if isinstance(dataset, Published):
        params["dir"] = images_folder(dataset)
    return FolderDataset(**params)
