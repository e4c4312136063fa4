"""Agreement of two masks: ratios that are 1 when truth and prediction are the same."""

import math

import numpy as np

from dmf_cli.metrics._counts import Counts
from dmf_cli.metrics._ratio import ratio
from dmf_cli.parts import metric


@metric(better="high")
def dice(counts: Counts, *, empty: float = math.nan) -> np.ndarray:
    """Dice similarity coefficient, 2 TP / (2 TP + FP + FN).

    Range [0, 1], 1 is best. A missed structure and a false alarm are 0; where truth and prediction are
    both empty it is undefined (0/0) and ``empty`` is returned.

    Source: Dice, Ecology 26 (1945) 297; Maier-Hein et al., Nat. Methods 21 (2024) 195.

    Example:
        >>> float(dice(Counts(*np.array([2, 1, 1, 5]))).round(4))
        0.6667
    """
    return ratio(2 * counts.tp, 2 * counts.tp + counts.fp + counts.fn, undefined=empty)


@metric(better="high")
def iou(counts: Counts, *, empty: float = math.nan) -> np.ndarray:
    """Intersection over union (Jaccard index), TP / (TP + FP + FN).

    Range [0, 1], 1 is best, never above Dice: IoU = Dice / (2 - Dice). A missed structure and a false
    alarm are 0; ``empty`` where truth and prediction are both empty (0/0).

    Source: Jaccard, New Phytol. 11 (1912) 37; Maier-Hein et al., Nat. Methods 21 (2024) 195.
    """
    return ratio(counts.tp, counts.tp + counts.fp + counts.fn, undefined=empty)


@metric(better="high")
def f1(counts: Counts, *, empty: float = math.nan) -> np.ndarray:
    """F1 score, the harmonic mean 2 P R / (P + R) of the same mask's precision and recall.

    Range [0, 1], 1 is best. For one mask it is the same number as Dice, and listed because papers report
    both; the harmonic mean of averaged precision and recall is another figure.
    A missed structure and a false alarm are 0; ``empty`` where truth and prediction are both empty.

    Source: van Rijsbergen, Information Retrieval (1979); Maier-Hein et al., Nat. Methods 21 (2024) 195.
    """
    return ratio(2 * counts.tp, counts.truth + counts.predicted, undefined=empty)


@metric(better="high")
def cb_dice(counts: Counts, *, eps: float = 1e-6) -> np.ndarray:
    """Class-balanced Dice of structure and rest, sum_c w_c Dice_c with w_c proportional to 1 / (f_c + eps).

    f_c is the share of the truth's pixels that belong to class c. Range [0, 1], 1 is best. A class that
    the truth does not have weighs nothing (``absent="zero"`` of the loss ``cbdice``), so it is defined
    for every image: without a lesion it is the Dice of the background. Of one image the shares are the
    image's own; pooled, those of all pixels together.

    Source: Golnari & Diba, Biomed. Signal Process. Control 111 (2026) 108388.
    """
    rest = counts.complement()
    both = (np.stack([getattr(counts, k), getattr(rest, k)], axis=-1) for k in ("tp", "fp", "fn", "tn"))
    return class_balanced_dice(Counts(*both), eps=eps)


def class_balanced_dice(counts: Counts, *, eps: float = 1e-6) -> np.ndarray:
    """CB-Dice over several classes, which are the last axis of ``counts``; see :func:`cb_dice`.

    Returns:
        ``counts.shape[:-1]`` values in [0, 1]; NaN for no pixel at all.
    """
    share = ratio(counts.truth, counts.truth.sum(axis=-1, keepdims=True))
    weights = np.where(counts.truth > 0, 1.0 / (share + eps), 0.0)
    weights = ratio(weights, weights.sum(axis=-1, keepdims=True))
    # A class in neither mask has weight 0; its Dice must not turn the sum into NaN.
    scores: np.ndarray = np.sum(weights * dice(counts, empty=0.0), axis=-1)
    return scores
