"""What happened on one image beside its score, from the per-image table of a run.

Dice of an image without a lesion is undefined, until a network marks something there: then it is 0. A mean
over what happens to be defined would count that image for one network and not for the other. So whether an
image counts is decided by its truth, and a false alarm or a missed lesion is a case of its own.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

OVERLAP = ("dice", "iou", "precision", "f1")  # undefined where truth and prediction are both empty
DISTANCES = ("hd95", "assd")  # never defined without a structure in the truth
SURFACE_DICE = "nsd"

Table = Sequence[Mapping[str, Any]]


@dataclasses.dataclass(frozen=True)
class ImageCase:
    """One image as one network saw it.

    Args:
        there: whether the truth has what is scored; None where the table does not say.
        false_alarms: structures (of a mean over classes: classes) that were predicted and are not there; NaN
            where all are there, or unknown.
        missed: structures that are there, of which no pixel was predicted; NaN where none is there.
    """

    there: bool | None = None
    false_alarms: float = math.nan
    missed: float = math.nan


def by_truth(metric: str, settings: Mapping[str, Any]) -> bool:
    """Whether ``metric`` is a question about structures that are there, by the rules of ``settings``.

    With ``empty=one`` or ``zero`` the user has decided that an image without a lesion has a Dice.
    """
    leaf = metric.rsplit(".", 1)[-1].removesuffix("_mm")
    undefined = str(settings.get("empty", "nan")) == "nan"
    if leaf == SURFACE_DICE:
        return undefined or settings.get("missed") == "nan"
    return leaf in DISTANCES or (leaf in OVERLAP and undefined)


def read(table: Table, metric: str, truth: bool) -> tuple[dict[str, float], dict[str, ImageCase]]:
    """Image id -> score, and image id -> case.

    Args:
        table: rows of ``test_per_image.csv`` as text.
        metric: one of its columns.
        truth: see :func:`by_truth`. A mean over classes is then one of those that are there.
    """
    scope, leaf = metric.rsplit(".", 1)
    scopes = _classes(table[0]) if scope == "mean" else [scope]
    known = [{one: _structure(row, one) for one in scopes} for row in table]
    score: Callable[[Mapping[str, Any], Mapping[str, ImageCase]], float]
    if scope == "mean" and truth and all(f"{one}.{leaf}" in table[0] for one in scopes) and scopes:
        score = lambda row, cases: _mean(row, leaf, cases)  # noqa: E731
    else:
        score = lambda row, cases: _number(row, metric)  # noqa: E731
    pairs = list(zip(table, known, strict=True))
    return (
        {row["id"]: score(row, cases) for row, cases in pairs},
        {row["id"]: _together(list(cases.values())) for row, cases in pairs},
    )


def _structure(row: Mapping[str, Any], scope: str) -> ImageCase:
    """By recall, which is undefined without a structure, and the false positive rate."""
    if f"{scope}.recall" not in row or f"{scope}.fpr" not in row:
        return ImageCase()
    recall, fpr = _number(row, f"{scope}.recall"), _number(row, f"{scope}.fpr")
    predicted = recall > 0 or fpr > 0
    if math.isnan(recall):
        return ImageCase(there=False, false_alarms=float(predicted))
    return ImageCase(there=True, missed=float(not predicted))


def _together(cases: Sequence[ImageCase]) -> ImageCase:
    """Of several classes: there if one is."""
    if not cases or any(case.there is None for case in cases):
        return ImageCase()
    false = [case.false_alarms for case in cases if not case.there]
    missed = [case.missed for case in cases if case.there]
    return ImageCase(bool(missed), sum(false) if false else math.nan, sum(missed) if missed else math.nan)


def _mean(row: Mapping[str, Any], leaf: str, cases: Mapping[str, ImageCase]) -> float:
    """Over the classes that are there, NaN if one of them is undefined: no class leaves for being missed."""
    if any(case.there is None for case in cases.values()):
        return _number(row, f"mean.{leaf}")
    values = [_number(row, f"{scope}.{leaf}") for scope, case in cases.items() if case.there]
    return sum(values) / len(values) if values else math.nan


def _classes(row: Mapping[str, Any]) -> list[str]:
    """``class.NAME`` of each class but the background, which comes first."""
    scopes = [key.rsplit(".", 1)[0] for key in row if key and key.startswith("class.")]
    return list(dict.fromkeys(scopes))[1:]


def _number(row: Mapping[str, Any], column: str) -> float:
    return float(row[column] or math.nan)
