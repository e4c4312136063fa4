"""Classes of a dataset in the order of a network that was trained on another one: matched by their names."""

import logging
from collections.abc import Sequence

import numpy as np

from dmf_cli import bounded
from dmf_cli.config import dataset_schema
from dmf_cli.config.typed import Config
from dmf_cli.datasets.base import IGNORED, Dataset, Sample
from dmf_cli.datasets.sources.phantom.scan import TASKS
from dmf_cli.datasets.view import DatasetView
from dmf_cli.errors import ConfigError
from dmf_cli.run_folder.folder import RunFolder

log = logging.getLogger("dmf")


class Reordered(DatasetView):
    """``whole`` with the classes ``classes``, which it has in another order."""

    def __init__(self, whole: Dataset, classes: Sequence[str]) -> None:
        super().__init__(whole)
        self.classes = tuple(classes)
        names = [_plain(name) for name in classes]
        self._table = np.full(256, IGNORED, np.uint8)
        self._table[: len(names)] = [names.index(_plain(name)) for name in whole.classes]

    def load(self, index: int) -> Sample:
        """See :meth:`Dataset.load`."""
        sample = super().load(index)
        return Sample(sample.image, self._table[sample.label])

    def label(self, index: int) -> np.ndarray:
        """See :meth:`Dataset.label`."""
        label: np.ndarray = self._table[super().label(index)]
        return label

    def reading(self) -> str:
        """See :meth:`Dataset.reading`."""
        return repr((super().reading(), self.classes))


def as_trained(dataset: Dataset, classes: Sequence[str] | None) -> Dataset:
    """``dataset`` with its classes in the order of ``classes``.

    Two classes may have other names, as *lesion* and *tumour*, as long as the background is the background.

    Args:
        dataset: to be scored.
        classes: those of the network, background first; None: unknown.

    Raises:
        ConfigError: as many classes, but others.
    """
    if classes is None or len(classes) != len(dataset.classes):
        return dataset  # the number is compared with that of the network
    own, wanted = ([_plain(name) for name in names] for names in (dataset.classes, classes))
    if own == wanted:
        return dataset
    if sorted(own) == sorted(wanted):
        order = f"{', '.join(dataset.classes)} as {', '.join(classes)}"
        log.info("classes of %s are matched with those of the network by name: %s", dataset.name, order)
        return Reordered(dataset, classes)
    moved = [name for name in own if name in wanted and own.index(name) != wanted.index(name)]
    if len(own) == 2 and not moved:
        return dataset
    given, trained = ", ".join(dataset.classes), ", ".join(classes)
    what = f"the network was trained on the classes {trained} and {dataset.name} has {given}"
    hint = "give its classes those names, in the order of their values, by dataset.classes"
    raise ConfigError(what, key="dataset.classes", value=list(dataset.classes), hint=hint)


def trained_classes(run: RunFolder, trained: Config) -> Sequence[str] | None:
    """Names of the classes of a run: of its config, or of its scores where the dataset names its own."""
    if isinstance(trained.dataset, dataset_schema.Labelled):
        return trained.dataset.classes
    if isinstance(trained.dataset, dataset_schema.Phantom):
        return TASKS[trained.dataset.task]
    try:
        scores = bounded.read_json(run.metrics / "test_summary.json", most=bounded.MOST_SCORES)
        return list(scores["classes"])
    except (OSError, ValueError, KeyError):
        return None


def _plain(name: str) -> str:
    return str(name).strip().casefold()
