"""Whether probabilities mean what they say."""

import numpy as np

from dmf_cli import parameters
from dmf_cli.errors import DatasetError
from dmf_cli.metrics._ratio import ratio
from dmf_cli.parts import metric
from dmf_cli.ranges import Count


def reliability(truth: np.ndarray, probability: np.ndarray, *, bins: Count = 15) -> np.ndarray:
    """Pixels, summed probability and foreground pixels in each of ``bins`` equal ranges: ``(3, bins)``.

    Histograms of several images add up to that of all their pixels; that is what "pooled" means here.

    Args:
        truth: mask of any shape; everything that is not 0 is foreground.
        probability: of the foreground, the same shape, in [0, 1].
        bins: 1 or more; probabilities on a bound belong to the range above it.

    Raises:
        DatasetError: arrays of different shapes.
        ConfigError: fewer than one bin.
    """
    truth, probability = np.asarray(truth) != 0, np.asarray(probability)
    parameters.check(reliability, {"bins": bins}, "metrics.")
    if truth.shape != probability.shape:
        reason = f"has shape {truth.shape} and probability {probability.shape}"
        raise DatasetError(key="truth", reason=reason, allowed="masks of one size")
    place = np.clip((probability * bins).astype(np.int64), 0, bins - 1).ravel()
    sums = (np.bincount(place, weights, bins) for weights in (None, probability.ravel(), truth.ravel()))
    return np.stack([np.asarray(part, np.float64) for part in sums])


@metric(better="low")
def ece(histogram: np.ndarray) -> np.ndarray:
    """Expected calibration error, sum_b n_b / N |mean probability of b - share of foreground in b|.

    Range [0, 1], 0 is best. It is about the foreground, so it is defined for every image, also without a
    lesion; most pixels are plain background and keep it small, so compare it on the same images only.

    Args:
        histogram: of :func:`reliability`, ``(..., 3, bins)``.

    Returns:
        ``(...)`` values; NaN for no pixel.

    Source: Naeini et al., AAAI 2015 (of a binary problem); Guo et al., ICML 2017 (15 bins).

    Example:
        >>> float(ece(reliability(np.array([1, 0]), np.array([0.8, 0.8]))).round(3))
        0.3
    """
    pixels, confidence, right = np.moveaxis(np.asarray(histogram), -2, 0)
    return ratio(np.abs(confidence - right).sum(axis=-1), pixels.sum(axis=-1))
