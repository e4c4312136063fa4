"""Probabilities that mean what they say, and the threshold that validation images favour.

Both are chosen on validation images that come one after the other: of an image, a bounded number of pixels is
kept for the temperature, and one row of numbers for the threshold.

Sources: Guo et al., ICML 2017 (temperature scaling); Naeini et al., AAAI 2015 (ECE).
"""

import math
import warnings

import numpy as np

from dmf_cli import metrics

PIXELS = 16_384  # kept of an image, at most
TOTAL = 2**20  # kept of all images together
TEMPERATURES = (0.1, 10.0)
THRESHOLDS = np.round(np.arange(1, 100) / 100, 2)
TIE = 1e-9  # of the mean Dice: a smaller gain is none


def tempered(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities whose logits are divided by ``temperature``: above 1 they are less sure.

    The likeliest class stays, and so does the order of the pixels where there are two; 0.5, 0 and 1 stay as
    they are.

    Args:
        probabilities: ``(..., K)``; K = 1 is a sigmoid foreground, else they sum to 1. What rounding has
            left below 0 or above 1 counts as 0 or 1.
        temperature: above 0; 1 changes nothing, not even a bit.

    Returns:
        The same shape and type.

    Example:
        >>> tempered(np.array([[0.9]]), 2.0).round(2).tolist()
        [[0.75]]
    """
    if temperature == 1:
        return probabilities
    both = _channels(probabilities).clip(0, 1)
    # Relative to the likeliest class, so that no power underflows in all classes at once.
    powers = (both / both.max(axis=-1, keepdims=True)) ** (1 / temperature)
    shares = powers / powers.sum(axis=-1, keepdims=True)
    changed: np.ndarray = shares[..., -probabilities.shape[-1] :].astype(probabilities.dtype)
    return changed


class Calibration:
    """Pixels of validation images, every image with the same number if it has as many.

    They are spread evenly over the image, and which ones depends on its size alone. When there are more than
    ``TOTAL`` of all images together, each image gives half as many.

    Example:
        >>> pixels = Calibration()
        >>> pixels.add(np.full((10, 10, 1), 0.9), np.arange(100).reshape(10, 10) < 75)
        >>> round(pixels.temperature(), 2), round(pixels.ece(), 2)
        (2.0, 0.15)
    """

    def __init__(self) -> None:
        self._most = PIXELS
        self._images: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, probabilities: np.ndarray, truth: np.ndarray, counted: np.ndarray | None = None) -> None:
        """One more image.

        Args:
            probabilities: ``(H, W, K)``; K = 1 is a sigmoid foreground, else all classes.
            truth: label map ``(H, W)``.
            counted: booleans ``(H, W)``: pixels that count; None: all.
        """
        places = np.arange(truth.size) if counted is None else np.flatnonzero(counted)
        places = places[_spread(len(places))[: self._most]]
        values = probabilities.reshape(-1, probabilities.shape[-1])[places].astype(np.float32)
        self._images.append((values, truth.ravel()[places].astype(np.uint8)))
        while sum(len(labels) for _, labels in self._images) > TOTAL:
            self._most //= 2
            self._images = [(p[: self._most].copy(), t[: self._most].copy()) for p, t in self._images]

    def temperature(self) -> float:
        """The temperature with the lowest log loss, from 0.1 to 10; 1.0 without any pixel."""
        from scipy import optimize  # slow to import

        if not any(len(labels) for _, labels in self._images):
            return 1.0
        bounds = tuple(math.log(t) for t in TEMPERATURES)
        best = optimize.minimize_scalar(self._log_loss(), bounds=bounds, method="bounded")
        return round(math.exp(best.x), 4)

    def ece(self, temperature: float = 1.0) -> float:
        """Expected calibration error of the foreground after ``temperature``; NaN without any pixel."""
        histograms = [
            metrics.reliability(truth, _foreground(tempered(p, temperature))) for p, truth in self._images
        ]
        return float(metrics.ece(np.sum(histograms, axis=0))) if histograms else math.nan

    def _log_loss(self) -> "_LogLoss":
        probabilities, truth = (np.concatenate(parts) for parts in zip(*self._images, strict=True))
        return _LogLoss(probabilities, truth)


class _LogLoss:
    """Mean log loss of pixels as a function of the logarithm of the temperature."""

    def __init__(self, probabilities: np.ndarray, truth: np.ndarray) -> None:
        # A float32 of exactly 0 or 1 is a logit that was too large for it, not certainty.
        both = np.clip(_channels(probabilities).astype(np.float64), 1e-7, 1.0)
        labels = truth if probabilities.shape[-1] > 1 else np.minimum(truth, 1)
        self._logits = np.log(both / np.take_along_axis(both, labels[:, None].astype(np.int64), axis=-1))

    def __call__(self, log_temperature: float) -> float:
        return float(np.log(np.exp(self._logits * math.exp(-log_temperature)).sum(axis=-1)).mean())


class ThresholdChoice:
    """Dice of validation images at each of ``THRESHOLDS``; a row of 99 numbers an image.

    Example:
        >>> choice = ThresholdChoice(empty="nan")
        >>> choice.add(np.array([0.2, 0.4, 0.1]), np.array([0, 1, 0]))
        >>> choice.best()
        0.4
    """

    def __init__(self, empty: str) -> None:
        self._empty = empty
        self._rows: list[np.ndarray] = []

    def add(self, foreground: np.ndarray, truth: np.ndarray) -> None:
        """One more image.

        Args:
            foreground: probabilities of any shape, as they are compared with a threshold.
            truth: labels of the same shape; everything above 0 is foreground.
        """
        inside = np.asarray(truth).ravel() != 0
        # As float32, as in the decision: how many of the thresholds a pixel reaches.
        values = np.ravel(foreground).astype(np.float32)
        reached = np.searchsorted(THRESHOLDS.astype(np.float32), values, side="right")
        pixels = [np.bincount(reached[part], minlength=len(THRESHOLDS) + 1) for part in (inside, ~inside)]
        tp, fp = (part[::-1].cumsum()[::-1][1:] for part in pixels)
        fn, tn = (part.sum() - positive for part, positive in zip(pixels, (tp, fp), strict=True))
        score = metrics.empty_score(self._empty)
        self._rows.append(metrics.dice(metrics.Counts(tp, fp, fn, tn), empty=score))

    @property
    def means(self) -> np.ndarray:
        """Mean Dice over the images at each threshold, by the rule for empty masks; NaN where undefined."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # no image at all has a Dice
            means: np.ndarray = np.nanmean(self._rows, axis=0)
            return means

    def best(self) -> float:
        """The threshold with the highest mean; of equals the closest to 0.5, then the lower; 0.5 for none."""
        means = self.means if self._rows else np.full(len(THRESHOLDS), np.nan)
        if np.isnan(means).all():
            return 0.5
        equals = THRESHOLDS[means >= np.nanmax(means) - TIE]
        return float(equals[np.argmin(np.abs(equals - 0.5).round(6))])


def _channels(probabilities: np.ndarray) -> np.ndarray:
    """All classes, background first: a single channel is the foreground."""
    if probabilities.shape[-1] > 1:
        return probabilities
    return np.concatenate([1 - probabilities, probabilities], axis=-1)


def _foreground(probabilities: np.ndarray) -> np.ndarray:
    foreground: np.ndarray = 1 - _channels(probabilities)[..., 0]
    return foreground.clip(0, 1)


def _spread(pixels: int) -> np.ndarray:
    """All places from 0 on in an order of which every beginning is spread evenly: by the golden section."""
    step = max(1, round(pixels * 0.6180339887))
    while math.gcd(step, max(1, pixels)) > 1:
        step += 1
    return np.arange(pixels, dtype=np.int64) * step % max(1, pixels)
