"""What images with an empty truth or prediction score, for all metrics in one place."""

import math

import numpy as np

from dmf_cli import lookup
from dmf_cli.errors import UnknownNameError
from dmf_cli.metrics._counts import Counts

EMPTY = {"nan": math.nan, "zero": 0.0, "one": 1.0}


def values(counts: Counts, *, empty: str = "nan") -> dict[str, np.ndarray]:
    """Every metric of counts, by name in table order.

    Args:
        counts: of any shape, e.g. ``(images,)`` of one structure or ``(images, classes)``.
        empty: ``nan``, ``zero`` or ``one``: the value where truth and prediction are both empty, for the
            metrics that take it; see :func:`rules`.

    Raises:
        UnknownNameError: for another rule.
    """
    from dmf_cli import metrics  # the registry, which imports this module

    score = empty_score(empty)
    scores = {}
    for name in metrics.OF_COUNTS:
        metric = getattr(metrics, name)
        scores[name] = metric(counts, empty=score) if "empty" in lookup.keywords(metric) else metric(counts)
    return scores


def empty_name(empty: str | float) -> str:
    """``nan``, ``zero`` or ``one``; raises ``UnknownNameError`` with the closest rule for anything else."""
    # A command line's `nan` may arrive as the number it looks like.
    name = "nan" if isinstance(empty, float) and math.isnan(empty) else str(empty)
    if name not in EMPTY:
        raise UnknownNameError("metrics.empty", name, EMPTY)
    return name


def empty_score(empty: str | float) -> float:
    """The number that the rule ``empty`` stands for."""
    return EMPTY[empty_name(empty)]


def rules(empty: str | float) -> tuple[str, ...]:
    """What empty masks score, in words, for the header of a table."""
    score = empty_score(empty)
    both = "are excluded from the mean" if math.isnan(score) else f"count {score:.0f}"
    return (
        f"both empty: Dice, IoU, F1 and precision {both}",
        "missed lesion or false alarm: they count 0",
        "recall and FNR: only images with a lesion",
        "CB-Dice: only classes in the truth weigh",
    )
