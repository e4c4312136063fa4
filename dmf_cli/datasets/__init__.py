"""Datasets: where images and masks come from, how they are split, and how they become batches.

A dataset is opened from the ``dataset`` group of a config; its ``kind`` says by which function.
"""

import importlib
import sys
from collections.abc import Mapping
from typing import Any

from dmf_cli.datasets.base import Dataset as Dataset
from dmf_cli.datasets.base import Sample as Sample
from dmf_cli.errors import UnknownNameError
from dmf_cli.quiet import quiet

# kind -> (module, function); imported on use, so that a folder needs no tensorflow-datasets.
KINDS = {
    "folder": ("dmf_cli.datasets.sources.folder", "open_folder"),
    "phantom": ("dmf_cli.datasets.sources.phantom.builder", "open_phantom"),
    "tfds": ("dmf_cli.datasets.sources.tfds", "open_tfds"),
}


def check_place(config: Mapping[str, Any]) -> None:
    """Whether the images of the ``dataset`` group are where it says, as far as a moment can tell.

    Raises:
        DatasetError: their folder is not there.
    """
    if config["kind"] == "folder":
        importlib.import_module("dmf_cli.datasets.sources.folder_place").check_place(config)


def open_dataset(config: Mapping[str, Any]) -> Dataset:
    """The dataset that the ``dataset`` group describes.

    Raises:
        DatasetError: the data are missing or cannot be used.
        UnknownNameError: an unknown ``kind``.
    """
    if config["kind"] not in KINDS:
        raise UnknownNameError("dataset.kind", config["kind"], KINDS)
    module, function = KINDS[config["kind"]]
    dataset: Dataset = getattr(_loaded(module), function)(config)
    return dataset


def _loaded(module: str) -> Any:
    """The module, with TensorFlow if it needs that."""
    if module in sys.modules:
        return sys.modules[module]
    with quiet():
        return importlib.import_module(module)
