"""Masks for image files that belong to no dataset: what `dmf predict` does.

Images are read, predicted and written a batch at a time, so memory does not grow with their number; a file
that cannot be read is listed and skipped.
"""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from dmf_cli.datasets.input import input_profile
from dmf_cli.datasets.input_spec import InputSpec
from dmf_cli.datasets.sources import dicom
from dmf_cli.datasets.sources.image_files import image_size, read_image
from dmf_cli.datasets.sources.suffixes import is_dicom
from dmf_cli.errors import ConfigError, DatasetError
from dmf_cli.inference.find_files import TABLE, Job
from dmf_cli.inference.mask_files import Read, Writer, table
from dmf_cli.inference.prediction import Prediction
from dmf_cli.inference.tiles import ProbabilitiesOf
from dmf_cli.machine import processors

PIXELS = 2**26  # of all images that are in memory at once; a larger one is alone


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of the images.

    Args:
        skipped: one error for each image that could not be read.
        empty: how many masks have no foreground.
        unlike: one line for each image that is unlike those of the training.
        expected: the Dice to expect of each mask, by the path of its image.
    """

    skipped: list[DatasetError]
    empty: int
    unlike: list[str]
    expected: dict[Path, float] = dataclasses.field(default_factory=dict)

    def doubtful(self, below: float) -> list[tuple[Path, float]]:
        """The masks with a lower expected Dice, the lowest first."""
        low = [(file, dice) for file, dice in self.expected.items() if dice < below]
        return sorted(low, key=lambda one: one[1])


def predict_files(
    predict: ProbabilitiesOf,
    jobs: Sequence[Job],
    output: Path,
    *,
    prediction: Prediction,
    classes: Sequence[str],
    batch_size: int,
    spacing: Sequence[float] | None = None,
    trained: input_profile.Note | None = None,
    probabilities: bool = False,
    uncertain: bool = False,
    progress: Callable[[], None] = lambda: None,
) -> Outcome:
    """Write ``masks/`` ``overlays/`` (``probabilities/`` ``uncertainty/``) and ``areas.csv`` in ``output``,
    with several classes also ``legend.png``, which says the colours of the overlays.

    Masks are PNG at the image's own size, turned as viewers show the image (EXIF orientation), so that a
    viewer that lays one over the other finds them in place: 0 and 255 for two classes, class indices for
    more. Probabilities are 16-bit PNG, 65535 being 1: of the foreground, and with more than two classes of
    each of them; so is the uncertainty. ``areas.csv`` has one row an image, written at once. Images are read
    and results written by threads.

    Args:
        predict: ``(batch, h, w, C)`` to probabilities ``(batch, h, w, K)``.
        jobs: images, see :func:`find`.
        output: made if it is not there; files of the same names are replaced.
        prediction: how images are read and become inputs, and how masks are decided.
        classes: names, background first.
        batch_size: images predicted at once.
        spacing: millimetres per pixel (row, column) for areas in mm2; None: what DICOM files say.
        trained: what network inputs of the training looked like, see
            :mod:`dmf_cli.datasets.input.input_profile`.
        probabilities: write them too.
        uncertain: write ``uncertainty/`` too.
        progress: called after each image.

    Raises:
        DatasetError: no image can be read; nothing was written.
        RunFolderError: the results cannot be written.
    """
    outcome = Outcome([], 0, [])
    measured = spacing is not None or any(is_dicom(job.file) for job in jobs)
    write = Writer(output, prediction, classes, measured, probabilities, uncertain)
    read = functools.partial(_read, spec=prediction.spec, spacing=spacing)
    apply = prediction.applied(predict, batch_size)
    add = None
    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(processors()))
        for batch in _batches(jobs, batch_size):
            results = list(pool.map(read, batch))
            good = [one for one in results if isinstance(one, Read)]
            bad = [one for one in results if isinstance(one, DatasetError)]
            outcome.skipped.extend(bad)
            if good:
                # Not before there is something to write: what cannot be read at all leaves no folder.
                if add is None:
                    add = stack.enter_context(table(output / TABLE, write.columns))
                    write.legend()
                inputs = prediction.filled(np.stack([one.network for one in good]), batch_size)
                output_of = np.asarray(apply(inputs), np.float32)[: len(good)]
                for row in pool.map(write, good, output_of):
                    add(row)
                    progress()
                outcome.unlike.extend(_unlike(trained, good))
            for _ in bad:
                progress()
    if jobs and len(outcome.skipped) == len(jobs):
        first = outcome.skipped[0]
        raise first if len(jobs) == 1 else first.within(f"none of the {len(jobs)} images can be read, first")
    return dataclasses.replace(outcome, empty=write.empty, expected=write.expected)


def check_channels(channels: int) -> None:
    """Files can be read as grey or as RGB, nothing else."""
    if channels not in (1, 3):
        what = f"the network takes images with {channels} channels"
        raise ConfigError(what, key="dataset.channels", value=channels, hint="`dmf predict` reads 1 or 3")


def _read(job: Job, spec: InputSpec, spacing: Sequence[float] | None) -> "Read | DatasetError":
    """The image with its network input, or why it cannot be read."""
    try:
        image = read_image(job.file, spec.channels, spec.reading)
        network, where = spec.image(image)
        own = dicom.spacing(job.file) if spacing is None and is_dicom(job.file) else spacing
        return Read(job, image, network, where, own)
    except DatasetError as error:
        return error
    except MemoryError:
        return DatasetError(path=job.file, reason="does not fit into memory", hint="make it smaller")


def _unlike(trained: input_profile.Note | None, read: Sequence[Read]) -> Iterator[str]:
    for one in read if trained else ():
        why = input_profile.unlike(trained, one.network) if trained else None
        if why:
            yield f"{one.job.file} ({why})"


def _batches(jobs: Sequence[Job], size: int) -> Iterator[list[Job]]:
    """At most ``size`` images at once, and fewer when they are so large that memory would run out."""
    batch: list[Job] = []
    pixels = 0
    for job in jobs:
        try:
            height, width = image_size(job.file)
        except DatasetError:
            height = width = 0  # reported when it is read
        if batch and (len(batch) == size or pixels + height * width > PIXELS):
            yield batch
            batch, pixels = [], 0
        batch.append(job)
        pixels += height * width
    if batch:
        yield batch
