"""A folder of images and masks: which file belongs to which is said by patterns in the config."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dmf_cli import lookup
from dmf_cli.config.dataset_schema import Folder, Published
from dmf_cli.datasets.finding import Finding
from dmf_cli.datasets.sources.folder_place import check_place, existing, images_folder
from dmf_cli.datasets.sources.image_report import skipped
from dmf_cli.datasets.sources.paired import PairedDataset
from dmf_cli.datasets.sources.pairing import Pair, find_pairs
from dmf_cli.datasets.sources.patterns import Patterns


class FolderDataset(PairedDataset):
    """Pairs of image and mask files below one folder.

    Args:
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
        common: see :class:`~dmf_cli.datasets.sources.paired.PairedDataset`.

    Raises:
        ConfigError: patterns, classes or values that make no sense.
        DatasetError: the folder is missing or empty, or a mask is missing.
    """

    def __init__(
        self,
        *,
        dir: str | Path | None,  # the key of the config
        images: str,
        masks: str,
        exclude: str | None = None,
        parse: str | None = None,
        table: Mapping[str, str] | None = None,
        **common: Any,
    ) -> None:
        self._dir = dir
        self._files = {"images": images, "masks": masks, "exclude": exclude, "parse": parse, "table": table}
        super().__init__(**common)

    def find(self, left_out: Counter[str]) -> list[Pair]:
        """See :meth:`PairedDataset.find`."""
        given: Any = {**self._files, "strata": self._strata, "missing_mask": self._missing_mask}
        self._patterns = Patterns(**given)
        self.root = existing(self.name, self._dir)
        return find_pairs(self.root, self._patterns, self.name, left_out)

    def said(self, pair: Pair) -> bytes:
        """Nothing: names say it, which are in the ids, or the table, which ids of runs have never known."""
        return b""

    def remarks(self) -> list[Finding]:
        """See :meth:`Dataset.remarks`."""
        return skipped(self.root, self._patterns) if self.root else []


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
