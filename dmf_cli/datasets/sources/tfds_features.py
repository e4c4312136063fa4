"""Features of a set of tensorflow-datasets: which are pictures, and their values as pixels, masks or text."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from dmf_cli.datasets.sources import grey_depth
from dmf_cli.errors import ConfigError, DatasetError


def picture_named(features: Mapping[str, Any], given: str | None, usual: Sequence[str], what: str) -> str:
    """``given``, or the first usual name of a feature that is a picture."""
    pictures = [key for key, feature in features.items() if is_image(feature)]
    for key in [given] if given else usual:
        if key in pictures:
            return str(key)
    if given and given in features and len(getattr(features[given], "shape", ()) or ()) == 4:
        raise ConfigError(
            f"dataset.{what}={given} is a volume or a film",
            key=f"dataset.{what}",
            value=given,
            hint="only pictures of two dimensions work",
        )
    unclear = (
        f"no feature {given!r} that is a picture" if given else f"which feature is the {what} is not clear"
    )
    names = f"dataset.{what}=NAME (pictures: {', '.join(pictures) or 'none'})"
    raise ConfigError(unclear, key=f"dataset.{what}", value=given, allowed=names)


def is_image(feature: Any) -> bool:
    """Whether a feature is a picture."""
    return isinstance(feature, tfds.features.Image) or (
        isinstance(feature, tfds.features.Tensor) and len(feature.shape) in (2, 3)
    )


def as_pixels(values: Any, key: str, limits: grey_depth.Range | None = None) -> np.ndarray:
    """As ``(H, W, C)`` uint8, or float32 from 0 to 255 for 16 bits or with ``limits``."""
    values = np.asarray(values)
    pixels: np.ndarray = values[..., None] if values.ndim == 2 else values
    if pixels.dtype not in (np.uint8, np.uint16) or pixels.shape[-1] not in (1, 3, 4):
        raise DatasetError(
            f"feature {key} holds {pixels.dtype} with {pixels.shape[-1]} channels",
            hint="only 8 or 16 bits with 1, 3 or 4 channels can be used",
        )
    pixels = pixels[..., :3]
    if limits is None and pixels.dtype == np.uint8:
        return pixels
    return grey_depth.scaled(grey_depth.Values(pixels, 0.0, float(np.iinfo(pixels.dtype).max)), limits)


def as_text(feature: Any, value: Any) -> str:
    """What a value of the feature says; of a class label its name."""
    if isinstance(feature, tfds.features.ClassLabel):
        return str(feature.int2str(int(value)))
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
