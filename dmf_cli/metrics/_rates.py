"""Shares of the pixels that were right or wrong, each with a denominator of its own.

What an empty mask gives follows from the denominator. Precision and NPV divide by what was predicted: a
network that predicts nothing where there is something made a mistake, and gets 0. Recall, FNR,
specificity and FPR divide by what is there: without a lesion nothing can be found or missed, whatever was
predicted, so the value is NaN and the image is excluded from the mean.
"""

import math

import numpy as np

from dmf_cli.metrics._counts import Counts
from dmf_cli.metrics._ratio import ratio
from dmf_cli.parts import metric


@metric(better="high")
def precision(counts: Counts, *, empty: float = math.nan) -> np.ndarray:
    """Precision (positive predictive value), TP / (TP + FP): how much of the prediction is right.

    Range [0, 1], 1 is best. A false alarm is 0. A missed structure (nothing predicted, 0/0) is 0 by rule;
    ``empty`` where truth and prediction are both empty.

    Source: Maier-Hein et al., Nat. Methods 21 (2024) 195; MetricsReloaded `positive_predictive_value`.
    """
    return ratio(counts.tp, counts.predicted, undefined=np.where(counts.truth > 0, 0.0, empty))


@metric(better="high")
def recall(counts: Counts) -> np.ndarray:
    """Recall (sensitivity), TP / (TP + FN): how much of the structure was found.

    Range [0, 1], 1 is best. A missed structure is 0. NaN where the truth is empty, with or without a false
    alarm: there is nothing to find.

    Source: Maier-Hein et al., Nat. Methods 21 (2024) 195; MetricsReloaded `sensitivity`.
    """
    return ratio(counts.tp, counts.truth)


@metric(better="high")
def specificity(counts: Counts) -> np.ndarray:
    """Specificity, TN / (TN + FP): how much of the rest was left alone.

    Range [0, 1], 1 is best, and close to 1 for any small prediction. NaN where the structure fills the
    whole truth.

    Source: Maier-Hein et al., Nat. Methods 21 (2024) 195; MetricsReloaded `specificity`.
    """
    return ratio(counts.tn, counts.tn + counts.fp)


@metric(better="high")
def accuracy(counts: Counts) -> np.ndarray:
    """Accuracy, (TP + TN) / all pixels.

    Range [0, 1], 1 is best. Always defined; mostly background, so predicting nothing scores high.

    Source: Maier-Hein et al., Nat. Methods 21 (2024) 195.
    """
    return ratio(counts.tp + counts.tn, counts.total)


@metric(better="low")
def fpr(counts: Counts) -> np.ndarray:
    """False positive rate, FP / (FP + TN) = 1 - specificity.

    Range [0, 1], 0 is best. NaN where the structure fills the whole truth.

    Source: Fawcett, Pattern Recognit. Lett. 27 (2006) 861.
    """
    return ratio(counts.fp, counts.fp + counts.tn)


@metric(better="low")
def fnr(counts: Counts) -> np.ndarray:
    """False negative rate, FN / (FN + TP) = 1 - recall.

    Range [0, 1], 0 is best. A missed structure is 1. NaN where the truth is empty.

    Source: Fawcett, Pattern Recognit. Lett. 27 (2006) 861.
    """
    return ratio(counts.fn, counts.truth)


@metric(better="high")
def npv(counts: Counts, *, empty: float = math.nan) -> np.ndarray:
    """Negative predictive value, TN / (TN + FN): how much of the predicted background is right.

    Range [0, 1], 1 is best. It is the precision of the background, with the same rules: 0 if everything
    was predicted although there is background, ``empty`` if truth and prediction are both full.

    Source: Maier-Hein et al., Nat. Methods 21 (2024) 195.
    """
    return precision(counts.complement(), empty=empty)
