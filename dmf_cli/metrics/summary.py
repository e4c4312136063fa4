"""Dataset-level figures from the confusion matrices of single images; NumPy only.

Everything is computed from one matrix an image, so nothing here can depend on batches.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dmf_cli import metrics
from dmf_cli.metrics import Counts

Summary = dict[str, Any]
OF_FALSE_ALARMS = ("specificity", "fpr", "npv", "lesion_fp")  # say something of a class that no image holds
OF_ALL_CLASSES = ("accuracy", "cb_dice")  # have a form of their own for several classes, see `all_classes`


def summarize(
    matrices: np.ndarray,
    classes: Sequence[str],
    *,
    empty: str = "nan",
    lesions: np.ndarray | None = None,
) -> Summary:
    """Per-image and pooled figures of the foreground, of each class and of trivial predictors.

    Args:
        matrices: ``(images, classes, classes)`` confusion matrices, truth in the rows.
        classes: class names, background first.
        empty: ``nan``, ``zero`` or ``one``, see :func:`dmf_cli.metrics.rules`.
        lesions: ``(classes, classes)`` of :func:`dmf_cli.metrics.lesion_confusion`, over all images; of
            several classes only.

    Returns:
        ``{"foreground": {METRIC: statistics}, "classes": {NAME: {METRIC: statistics, "counts": ...}},
        "all_classes": {"accuracy": statistics, "cb_dice": statistics}, "counts": ...,
        "trivial": {"nothing": {METRIC: statistics}, "everything": ...}}``; see :func:`statistics`
        and :func:`outcomes`. With several classes above 0 also ``"mean": {METRIC: statistics}``, see
        :func:`mean_scores`, and ``"confusion": {"pixels": ..., "lesions": ...}``, matrices with the truth
        in the rows. Undefined figures are NaN.
    """
    foreground, each = metrics.foreground_counts(matrices), metrics.class_counts(matrices)
    of_classes = {
        name: {**scores(column, empty), "counts": outcomes(column)}
        for name, column in zip(classes, _columns(each), strict=True)
    }
    several: Summary = {}
    if len(classes) > 2:
        above = list(of_classes.values())[1:]
        several["mean"] = mean_scores(above, per_image_means(each, empty), empty)
        several["confusion"] = {"pixels": matrices.sum(axis=0).tolist()}
        if lesions is not None:
            several["confusion"]["lesions"] = lesions.tolist()
    return {
        **several,
        "foreground": scores(foreground, empty),
        "classes": of_classes,
        "all_classes": _all_classes(matrices, each),
        "counts": outcomes(foreground),
        "trivial": {name: scores(counts, empty) for name, counts in trivial(foreground).items()},
    }


def scores(counts: Counts, empty: str) -> Summary:
    """Statistics of every metric over the images of ``counts``, each of shape ``(images,)``."""
    each, pooled = metrics.values(counts, empty=empty), metrics.values(counts.pooled(), empty=empty)
    return {name: statistics(each[name], pooled[name]) for name in each}


def per_image_means(each: Counts, empty: str) -> dict[str, np.ndarray]:
    """The mean over the classes above 0 of each metric, one value an image; see ``mean_over_classes``.

    Args:
        each: counts ``(images, classes)``.
        empty: see :func:`summarize`.
    """
    values = metrics.values(each, empty=empty)
    return {k: metrics.mean_over_classes(v[:, 1:]) for k, v in values.items() if k not in OF_ALL_CLASSES}


def mean_scores(
    classes: Sequence[Summary], per_image: Mapping[str, np.ndarray], empty: str = "nan"
) -> Summary:
    """Each statistic as its mean over classes, so that a rare class weighs as much as a frequent one.

    Of images that hold one class each, a mean over images would be little but the score of the class that
    most of them hold. A class that no image holds counts in the figures of false alarms alone, unless
    ``empty`` gives it a score.

    Args:
        classes: the figures of each class above the background, with its ``counts``.
        per_image: by metric one value an image, see :func:`per_image_means`: ``n`` is how many are defined.
        empty: see :func:`summarize`.
    """
    held = [figures for figures in classes if is_scored(figures, empty)]
    scores = {}
    for name, column in per_image.items():
        counted = classes if name in OF_FALSE_ALARMS else held
        means = {
            key: float(metrics.mean_over_classes([figures[name][key] for figures in counted]))
            for key in ("mean", "std", "median", "pooled")
        }
        n = int(np.sum(~np.isnan(column))) if counted else 0
        scores[name] = {**{k: means[k] for k in ("mean", "std", "median")}, "n": n, "pooled": means["pooled"]}
    return scores


def is_scored(figures: Summary, empty: str) -> bool:
    """Whether a class counts in the mean over classes: an image holds it, or ``empty`` gives it a score."""
    return metrics.empty_name(empty) != "nan" or bool(figures["counts"]["with_truth"])


def statistics(values: np.ndarray, pooled: float | np.ndarray) -> dict[str, float]:
    """Mean, standard deviation (of the sample, n - 1), median and number of the values that are not NaN.

    ``pooled`` is passed on: the metric of the counts added up over all images. What cannot be computed
    (the mean of no image, the deviation of one) is NaN.
    """
    values = np.asarray(values, np.float64)
    values = values[~np.isnan(values)]
    n = len(values)
    return {
        "mean": float(values.mean()) if n else math.nan,
        "std": float(values.std(ddof=1)) if n > 1 else math.nan,
        "median": float(np.median(values)) if n else math.nan,
        "n": n,
        "pooled": float(pooled),
    }


def full_scores(columns: Mapping[str, np.ndarray], pooled: Mapping[str, float]) -> Summary:
    """Statistics of the figures of ``metrics=full`` over the images.

    Args:
        columns: one value an image, by name; ``lesions``, ``lesions_found`` and ``lesion_fp`` are counts.
        pooled: what was computed from all pixels together, by name. Distances have no pooled form (NaN);
            detection is pooled over the lesions of all images.
    """
    covered, lesions = columns["lesions_found"].sum(), columns["lesions"].sum()
    sensitivity = float(covered / lesions) if lesions else math.nan
    known = {"lesion_sensitivity": sensitivity, "lesion_fp": float(columns["lesion_fp"].mean()), **pooled}
    shown = [name for name in columns if name not in ("lesions", "lesions_found")]
    return {name: statistics(columns[name], known.get(name, math.nan)) for name in shown}


def outcomes(counts: Counts) -> dict[str, int]:
    """How many images fall under which case of the rule for empty masks.

    ``with_truth``: the structure is there; of these ``missed``: nothing was predicted, and
    ``no_overlap``: something was, but none of it right. Of the others ``false_alarm``: something was
    predicted, and ``both_empty``: nothing was.
    """
    kinds = outcome(counts)
    cases = {
        name: int(np.sum(kinds == name)) for name in ("missed", "no_overlap", "false_alarm", "both_empty")
    }
    return {"images": kinds.size, "with_truth": int(np.sum(counts.truth > 0)), **cases}


def outcome(counts: Counts) -> np.ndarray:
    """The case of each image: ``found``, ``no_overlap``, ``missed``, ``false_alarm`` or ``both_empty``."""
    truth, predicted = counts.truth > 0, counts.predicted > 0
    cases = [counts.tp > 0, truth & predicted, truth, predicted]
    return np.select(cases, ["found", "no_overlap", "missed", "false_alarm"], "both_empty")


def trivial(counts: Counts) -> dict[str, Counts]:
    """What a predictor that says ``nothing``, or ``everything``, would have got; needs only the truth."""
    inside, outside, zero = counts.truth, counts.total - counts.truth, np.zeros_like(counts.truth)
    return {
        "nothing": Counts(tp=zero, fp=zero, fn=inside, tn=outside),
        "everything": Counts(tp=inside, fp=outside, fn=zero, tn=zero),
    }


def jsonable(value: Any) -> Any:
    """``value`` with NaN and infinities as None and NumPy numbers as Python's, for strict JSON."""
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _columns(counts: Counts) -> list[Counts]:
    """``(images, classes)`` counts as one ``(images,)`` set a class."""
    return [counts[:, c] for c in range(counts.tp.shape[1])]


def _all_classes(matrices: np.ndarray, each: Counts) -> Summary:
    """The two figures that are not of one class: right pixels, and CB-Dice over every class."""
    return {
        "accuracy": statistics(_right(matrices), _right(matrices.sum(axis=0))),
        "cb_dice": statistics(metrics.class_balanced_dice(each), metrics.class_balanced_dice(each.pooled())),
    }


def _right(matrices: np.ndarray) -> np.ndarray:
    """Share of the pixels with the right class."""
    share: np.ndarray = np.trace(matrices, axis1=-2, axis2=-1) / matrices.sum(axis=(-2, -1))
    return share
