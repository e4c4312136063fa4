"""From images to masks: what a network predicts for each image of a dataset, one after the other.

NumPy only: the network is a function that is passed in. Images are loaded and predicted batch by batch, so
memory does not grow with their number.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from dmf_cli.datasets.base import IGNORED, Dataset
from dmf_cli.errors import ConfigError, NonFiniteError
from dmf_cli.inference.calibration import tempered
from dmf_cli.inference.prediction import Prediction
from dmf_cli.inference.tiles import ProbabilitiesOf


@dataclasses.dataclass(frozen=True)
class Predicted:
    """One image with its masks.

    Args:
        index: of the image in its dataset.
        image: ``(H, W, C)`` as decoded, see :class:`dmf_cli.datasets.base.Sample`.
        network: ``(h, w, C)`` float32, as the network saw it.
        truth: uint8 labels at the resolution of the decision.
        prediction: uint8 labels of the same shape.
        foreground: probability of the union of all classes above 0, float32 of the same shape.
        probabilities: ``(h, w, K)`` float32, of the network input, with mirrors and temperature.
        given: the same before the temperature.
        box: (top, left, height, width) of the image inside the network input.
        pixel: (height, width) of a pixel of the masks, in pixels of the image.
        counted: booleans of the same shape: pixels that are scored; None: all. The others are background in
            ``truth`` and in ``prediction``.
        made: the mask before pixels that are not scored become background; None: ``prediction``.
    """

    index: int
    image: np.ndarray
    network: np.ndarray
    truth: np.ndarray
    prediction: np.ndarray
    foreground: np.ndarray
    probabilities: np.ndarray
    given: np.ndarray
    box: tuple[int, int, int, int]
    pixel: tuple[float, float] = (1.0, 1.0)
    counted: np.ndarray | None = None
    made: np.ndarray | None = None

    @property
    def inside(self) -> tuple[slice, slice]:
        """The rows and columns of the network input that hold the image."""
        top, left, height, width = self.box
        return slice(top, top + height), slice(left, left + width)

    def scored(self, part: np.ndarray) -> np.ndarray:
        """The pixels of ``part`` that are scored, ``(n,)``, or all of them as they are."""
        return part if self.counted is None else part[self.counted]


Source = Callable[[Sequence[int]], Iterator[Predicted]]  # of the images of a dataset, by their indices


def predictions(
    predict: ProbabilitiesOf,
    dataset: Dataset,
    indices: Sequence[int],
    prediction: Prediction,
    batch_size: int,
) -> Iterator[Predicted]:
    """Images ``indices`` of ``dataset`` with truth and prediction, one by one, in order.

    Args:
        predict: ``(batch, h, w, C)`` float32 to probabilities ``(batch, h, w, K)``; K = 1 is a sigmoid
            foreground, else the number of classes.
        dataset: images and truth at their original size.
        indices: which images.
        prediction: how inputs are made, and probabilities become masks.
        batch_size: images predicted at once, at least 1.

    Raises:
        DatasetError: a bad file.
        ConfigError: no image at once, or the network does not give probabilities of the dataset's classes.
        NonFiniteError: it gives NaN or infinity.
    """
    if batch_size < 1:
        allowed = "a whole number of 1 or above"
        raise ConfigError(key="trainer.batch_size", value=batch_size, allowed=allowed)
    joined = prediction.joined(predict, batch_size)
    for start in range(0, len(indices), batch_size):
        chunk = indices[start : start + batch_size]
        samples = [dataset.load(i) for i in chunk]
        inputs, places = zip(*(prediction.spec.image(s.image) for s in samples), strict=True)
        stacked = prediction.filled(np.stack(inputs), batch_size if start else len(chunk))
        # Checked before the temperature, which would hide what the network gives.
        given = _checked(np.asarray(joined(stacked)), stacked.shape, dataset)
        output = tempered(given, prediction.temperature)
        each = zip(chunk, samples, inputs, places, output, given, strict=False)
        for i, sample, network, where, values, untempered in each:
            truth, (made, foreground) = prediction.truth(sample.label), prediction.decide(values, where)
            mask = made
            counted = truth != IGNORED if dataset.ignores else None
            if counted is not None:
                truth, mask = (np.where(counted, part, 0).astype(np.uint8) for part in (truth, mask))
            seen = sample.image, network, truth, mask, foreground, values, untempered, where.box
            yield Predicted(i, *seen, pixel=prediction.pixel(where), counted=counted, made=made)


def _checked(output: np.ndarray, shape: tuple[int, ...], dataset: Dataset) -> np.ndarray:
    """Probabilities of the right shape and range, float32."""
    classes = len(dataset.classes)
    allowed = (1, 2) if classes == 2 else (classes,)
    if output.ndim != 4 or output.shape[:3] != shape[:3] or output.shape[3] not in allowed:
        raise ConfigError(
            f"the network gives an array of shape {output.shape} for images of shape {shape}, and "
            f"{dataset.name} has {classes} classes",
            hint="evaluate on a dataset with the classes it was trained on",
        )
    if not np.isfinite(output).all():
        what = "the network predicts NaN or infinite values"
        raise NonFiniteError(what, hint="its training diverged, train again")
    if output.min() < -1e-3 or output.max() > 1.001:
        raise ConfigError(
            f"the network predicts values from {output.min():.3g} to {output.max():.3g}",
            hint="let it end with a softmax or a sigmoid, so that they are probabilities",
        )
    return output.astype(np.float32, copy=False)
