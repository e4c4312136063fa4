"""Images with their masks, however they are found: what a folder, a table and a program have in common."""

import abc
import hashlib
import logging
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dmf_cli.config.inputs import check_classes
from dmf_cli.datasets.base import Dataset, Examined, Ignored, Sample
from dmf_cli.datasets.finding import Finding
from dmf_cli.datasets.input_spec import MAX_PIXELS, Reading
from dmf_cli.datasets.sources import bad_files, content, grouping
from dmf_cli.datasets.sources.content import Source
from dmf_cli.datasets.sources.mask_reader import MaskReader
from dmf_cli.datasets.sources.mask_values import MaskFacts
from dmf_cli.datasets.sources.pair_reader import PairReader
from dmf_cli.datasets.sources.pairing import Pair
from dmf_cli.datasets.sources.sizes import other_sizes
from dmf_cli.datasets.sources.survey import adopt, survey
from dmf_cli.errors import ConfigError, DatasetError, UnknownNameError

log = logging.getLogger("dmf")


class PairedDataset(Dataset):
    """Images, each with its masks.

    Args:
        name: what tables call it.
        classes: names, the background first.
        values: pixel value -> class index of a label map; None: a mask of two classes is foreground where
            it is above ``threshold``, a mask of more classes holds the indices themselves. Keys such as
            ``red`` or ``"#ff0000"`` are colours: each pixel has the class of the nearest.
        threshold: see ``values``; 0 means every value but 0. ``auto``: 0, or half of the largest value where
            masks have soft edges, see :mod:`dmf_cli.datasets.sources.mask_values`.
        ignore: a pixel value or colour of masks, or a list of them, whose pixels count nowhere: in no loss,
            no score and no figure; None: none.
        channels: 1 reads images as grey, 3 as RGB.
        strata: strata to use; None uses all.
        folders: what the folders of the images are, see :func:`dmf_cli.datasets.sources.grouping.group`.
        missing_mask: ``error``, or ``empty`` for images without a mask.
        size_mismatch: ``error``, or ``skip`` to leave out images whose mask has another size.
        on_bad: ``error``, or ``skip`` to leave out images that cannot be used, or whose masks cannot.
        spacing: millimetres per pixel (row, column); None: what a DICOM file says of itself, else nothing.
        range: grey values that become black and white, see
            :class:`dmf_cli.datasets.input_spec.Reading`.
        max_pixels: images with more are refused.

    Raises:
        ConfigError: classes or values that make no sense.
        DatasetError: see :meth:`find`.
    """

    def __init__(
        self,
        *,
        name: str,
        classes: Sequence[str] = ("background", "lesion"),
        values: Mapping[int | str, int] | None = None,
        threshold: int | Literal["auto"] = "auto",
        ignore: int | str | Sequence[int | str] | None = None,
        channels: Literal[1, 3] = 1,
        strata: Sequence[str] | None = None,
        folders: Literal["auto", "strata", "patients", "none"] = "auto",
        missing_mask: Literal["error", "empty"] = "error",
        size_mismatch: Literal["error", "skip"] = "error",
        on_bad: Literal["error", "skip"] = "error",
        spacing: Sequence[float] | None = None,
        range: Sequence[float] | None = None,  # the key of the config
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        self.name, self.classes, self.channels = name, tuple(classes), channels
        if channels not in (1, 3):
            raise ConfigError(key="dataset.channels", value=channels, hint="1 (grey) or 3 (RGB)")
        check_classes(classes)
        self.mask_reader = MaskReader(
            self.classes, values, threshold, ignore,
            key=lambda: f"{self.fingerprint()}\0{self.reading()}",
            facts=self._facts, count=lambda: len(self._masks),
        )  # fmt: skip
        self.ignore: Ignored = self.mask_reader.ignore
        self.ignores = self.mask_reader.ignores
        self.spacing = _checked_spacing(spacing) if spacing is not None else None
        self._reading, self.max_pixels = Reading(range, max_pixels), max_pixels
        if on_bad not in ("error", "skip"):
            raise UnknownNameError("dataset.on_bad", on_bad, ["error", "skip"])
        self.left_out, self.unusable = Counter[str](), {}
        self._strata, self._missing_mask, self._on_bad = strata, missing_mask, on_bad
        # Whoever chooses strata by their folders has said what the folders are.
        self._folders = "strata" if folders == "auto" and strata is not None else folders
        self._digests = dict[str, bytes]()
        pairs = self.find(self.left_out)
        self._reader = PairReader(self.root, channels, self._reading, self.mask_reader)
        self.unusable = {**self.unusable, **other_sizes(pairs, size_mismatch)}
        self._use([pair for pair in pairs if pair.id not in self.unusable])
        if on_bad == "skip":
            self._skip_bad()

    root: Path | None = None  # errors call files by their paths below it

    @abc.abstractmethod
    def find(self, left_out: Counter[str]) -> list[Pair]:
        """The images with their masks, sorted by id.

        Args:
            left_out: counts the images of each stratum that is not used.

        Raises:
            DatasetError: there are none, or something is wrong with all or some.
        """

    def _use(self, pairs: list[Pair]) -> None:
        """``pairs`` are the images."""
        self._pairs = pairs
        masks = {
            str(mask): (index, i) for index, pair in enumerate(pairs) for i, mask in enumerate(pair.masks)
        }
        self._masks = [masks[name] for name in sorted(masks, key=Path)]
        self.mask_reader.forget()
        self.ids = tuple(pair.id for pair in pairs)
        self.parts = tuple(pair.part for pair in pairs) if any(pair.part for pair in pairs) else None
        self.strata, self.groups, self.grouping = grouping.group(pairs, self.name, self._folders)

    def _skip_bad(self) -> None:
        """Images that cannot be used are excluded, and a warning names them."""
        found = survey(self, alike=True)
        if len(found.errors) == len(self):
            found.refuse()
        if not found.errors:
            return
        errors = [found.errors[index] for index in sorted(found.errors)]
        self._warn(errors, len(self))
        wrong = {self.ids[index]: str(error) for index, error in sorted(found.errors.items())}
        self.unusable = {**self.unusable, **wrong}
        masks, rest = self.mask_reader, found.of(found.good)
        level = masks.level() if masks.binary else 0.0
        self._use([self._pairs[index] for index in found.good])
        if len(rest.values) == len(self):
            self.settle([one for values in rest.values.values() for one in values])
        if not masks.binary or masks.level() == level:  # else labels are others without the bad masks
            adopt(self, rest)

    def exclude(self, wrong: Mapping[str, DatasetError], count: int) -> None:
        """Images that cannot even be opened stop everything, or are excluded, as ``on_bad`` says.

        Args:
            wrong: id -> what is wrong with it.
            count: how many images there are with them.
        """
        if wrong and (self._on_bad == "error" or len(wrong) == count):
            bad_files.refuse(list(wrong.values()))
        if wrong:
            self._warn(list(wrong.values()), count)
            self.unusable = {**self.unusable, **{name: str(error) for name, error in wrong.items()}}

    @staticmethod
    def _warn(errors: Sequence[DatasetError], count: int) -> None:
        log.warning(
            "excluded because they cannot be used (dataset.on_bad=skip): %d of %d images\n%s",
            len(errors), count, bad_files.listed(errors),
        )  # fmt: skip

    def pair(self, index: int) -> Pair:
        """Image ``index`` with its masks, ready to be read."""
        return self._pairs[index]

    def load(self, index: int) -> Sample:
        """See :meth:`Dataset.load`."""
        return self._reader.load(self.pair(index))

    def label(self, index: int) -> np.ndarray:
        """See :meth:`Dataset.label`."""
        return self._reader.label(self.pair(index))

    def examine(self, index: int) -> Examined:
        """See :meth:`Dataset.examine`."""
        return self._reader.examine(self.pair(index))

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
            digest.update(pair.id.encode() + self.said(pair))
            for source in (pair.image, *pair.masks):
                digest.update(self._digest(source))
        return digest.hexdigest()[:16]

    def said(self, pair: Pair) -> bytes:
        """What the dataset says of an image beside its pixels, which a split and a score depend on."""
        return repr((pair.stratum, pair.patient, pair.part, pair.spacing)).encode()

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
        pair = self._pairs[index]
        return pair.spacing or self.spacing or content.spacing(pair.image)

    def masks(self, index: int) -> tuple[Source, ...]:
        """The masks of image ``index``; none where ``missing_mask`` is ``empty``."""
        return self._pairs[index].masks

    def _digest(self, source: Source) -> bytes:
        """The hash of a file, which is read once."""
        if str(source) not in self._digests:
            self._digests[str(source)] = content.digest(source)
        return self._digests[str(source)]

    def _facts(self, number: int) -> MaskFacts:
        index, position = self._masks[number]
        source = self.pair(index).masks[position]
        return self.mask_reader.facts(content.open_image(source, self._reading.max_pixels), str(source))


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
