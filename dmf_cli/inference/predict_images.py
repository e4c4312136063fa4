"""Masks for images in memory, or in files, that belong to no dataset."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dmf_cli.datasets.input_spec import InputSpec, restore
from dmf_cli.datasets.sources import content, grey_depth
from dmf_cli.datasets.sources.image_files import read_image
from dmf_cli.errors import DatasetError
from dmf_cli.inference.prediction import Prediction
from dmf_cli.inference.tiles import ProbabilitiesOf

CHANNELS = (1, 3)


def predict_images(
    predict: ProbabilitiesOf, images: Sequence[Any], prediction: Prediction, batch_size: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Mask ``(H, W)`` uint8 and probabilities ``(H, W, K)`` float32 of each of ``images``, in order.

    Args:
        predict: ``(batch, h, w, C)`` to probabilities ``(batch, h, w, K)``.
        images: see :func:`as_image`.
        prediction: how inputs are made, and masks are decided.
        batch_size: images predicted at once, at most.

    Raises:
        DatasetError: something that is no image.
    """
    probabilities = prediction.applied(predict, batch_size)
    for start in range(0, len(images), batch_size):
        chunk = [as_image(image, prediction.spec) for image in images[start : start + batch_size]]
        inputs, places = zip(*map(prediction.spec.image, chunk), strict=True)
        for values, where in zip(
            np.asarray(probabilities(np.stack(inputs)), np.float32), places, strict=True
        ):
            yield prediction.decide(values, where)[0], restore(values, where)


def as_image(image: Any, spec: InputSpec) -> np.ndarray:
    """An image as it is decoded from a file, ``(H, W, C)``.

    Args:
        image: a path, or an array ``(H, W)`` or ``(H, W, 1 or 3)``: uint8, or floats in which black is 0 and
            white 255; or pixels, which are read as those of a dataset.
        spec: of the network's inputs.

    Raises:
        DatasetError: another shape, other values, or a file that cannot be read.
    """
    if isinstance(image, str | Path):
        return read_image(Path(image), spec.channels, spec.reading)
    if isinstance(image, content.Pixels):
        return content.read_image(image, spec.channels, spec.reading)
    pixels = np.asarray(image)
    if (
        pixels.ndim not in (2, 3)
        or (pixels.ndim == 3 and pixels.shape[-1] not in CHANNELS)
        or not pixels.size
    ):
        raise DatasetError(
            f"an image has the shape {pixels.shape}",
            key="image",
            allowed="(H, W) or (H, W, 1 or 3); a batch as a list of images",
        )
    if pixels.dtype != np.uint8:
        pixels = _floats(pixels)
    return grey_depth.as_channels(pixels, spec.channels)


def _floats(pixels: np.ndarray) -> np.ndarray:
    """Values of which it is sure what is black and what is white."""
    highest = float(pixels.max()) if pixels.dtype.kind == "f" else float("nan")
    if not 1 < highest <= 255 or pixels.min() < 0:
        raise DatasetError(
            f"an image has values of {pixels.dtype} from {pixels.min()} to {pixels.max()}",
            key="image",
            allowed="uint8, or floats in which black is 0 and white 255",
        )
    return pixels.astype(np.float32)
