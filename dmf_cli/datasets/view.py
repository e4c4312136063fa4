"""A dataset seen through another: some of its images, or with something changed; the rest is handed on."""

from collections.abc import Sequence

import numpy as np

from dmf_cli.datasets.base import Dataset, Sample
from dmf_cli.datasets.finding import Finding


class DatasetView(Dataset):
    """Some images of another dataset, or all of them.

    Args:
        whole: the other dataset.
        indices: of its images; None: all.
    """

    def __init__(self, whole: Dataset, indices: Sequence[int] | None = None) -> None:
        self._whole = whole
        self._indices = tuple(range(len(whole)) if indices is None else indices)
        self.name, self.classes, self.channels = whole.name, whole.classes, whole.channels
        self.spacing, self.synthetic = whole.spacing, whole.synthetic
        self.ignores, self.ignore, self.max_pixels = whole.ignores, whole.ignore, whole.max_pixels
        self.grouping, self.left_out, self.unusable = whole.grouping, whole.left_out, whole.unusable
        self.ids, self.strata = self._chosen(whole.ids), self._chosen(whole.strata)
        self.groups = None if whole.groups is None else self._chosen(whole.groups)
        self.parts = None if whole.parts is None else self._chosen(whole.parts)

    def _chosen(self, each: Sequence[str]) -> tuple[str, ...]:
        return tuple(each[index] for index in self._indices)

    def load(self, index: int) -> Sample:
        """See :meth:`Dataset.load`."""
        return self._whole.load(self._indices[index])

    def label(self, index: int) -> np.ndarray:
        """See :meth:`Dataset.label`."""
        return self._whole.label(self._indices[index])

    def pixel_size(self, index: int) -> tuple[float, float] | None:
        """See :meth:`Dataset.pixel_size`; a DICOM file says its own."""
        return self._whole.pixel_size(self._indices[index])

    def content(self, index: int) -> str:
        """See :meth:`Dataset.content`."""
        return self._whole.content(self._indices[index])

    def mask_remarks(self) -> list[Finding]:
        """See :meth:`Dataset.mask_remarks`; of the whole."""
        return self._whole.mask_remarks()

    def remarks(self) -> list[Finding]:
        """See :meth:`Dataset.remarks`; of the whole."""
        return self._whole.remarks()

    def fingerprint(self) -> str:
        """That of the whole; which of its images these are is in :meth:`reading`."""
        return self._whole.fingerprint()

    def reading(self) -> str:
        """See :meth:`Dataset.reading`: what a cache knows of the whole is not true of some of its images."""
        read = self._whole.reading()
        return read if len(self) == len(self._whole) else repr((read, self.ids))
