"""Datasets: where images and masks come from, how they are split, and how they become batches.

A dataset is opened from the ``dataset`` group of a config; its ``kind`` says by which function.
"""

import importlib
import sys
from typing import Any

from dmf_cli.config import dataset_schema
from dmf_cli.datasets.base import Dataset as Dataset
from dmf_cli.datasets.base import Sample as Sample
from dmf_cli.datasets.case import Case as Case
from dmf_cli.quiet import quiet

# kind -> (module, function); imported on use, so that a folder needs no tensorflow-datasets.
KINDS = {
    "folder": ("dmf_cli.datasets.sources.folder", "open_folder"),
    "own": ("dmf_cli.datasets.sources.own", "open_own"),
    "phantom": ("dmf_cli.datasets.sources.phantom.builder", "open_phantom"),
    "table": ("dmf_cli.datasets.sources.case_table", "open_table"),
    "tfds": ("dmf_cli.datasets.sources.tfds", "open_tfds"),
}


def check_place(dataset: dataset_schema.Dataset) -> None:
    """Whether the images of the ``dataset`` group are where it says, as far as a moment can tell.

    Raises:
        DatasetError: their folder is not there.
    """
    if isinstance(dataset, dataset_schema.Folder | dataset_schema.Table):
        importlib.import_module("dmf_cli.datasets.sources.folder_place").check_place(dataset)


def open_files(dataset: dataset_schema.Dataset) -> Dataset | None:
    """The dataset, if it is made of files that are opened without a framework; None for all others.

    What is wrong with its patterns, its masks or its table is then said before one is imported.

    Raises:
        UsageError: see :func:`open_dataset`.
    """
    of_files = isinstance(dataset, dataset_schema.Folder | dataset_schema.Table)
    return open_dataset(dataset) if of_files else None


def open_dataset(dataset: dataset_schema.Dataset) -> Dataset:
    """The dataset that the ``dataset`` group describes.

    Raises:
        DatasetError: the data are missing or cannot be used.
        ConfigError: a key has a value that makes no sense with these data.
    """
    module, function = KINDS[dataset.kind]
    opened: Dataset = getattr(_loaded(module), function)(dataset)
    return opened


def _loaded(module: str) -> Any:
    """The module, with TensorFlow if it needs that."""
    if module in sys.modules:
        return sys.modules[module]
    with quiet():
        return importlib.import_module(module)
