"""Metrics: one metric is one pure function in NumPy.

Most are metrics of counts, ``(counts, **params) -> values``: confusion matrices of label maps come first
(:func:`confusion`), then the :class:`Counts` of a structure against the rest, then any number of metrics of
them, per image or pooled. The others (surface distances, calibration, detection) need the masks or the
probabilities, and are those of ``metrics=full``. Nothing here imports Keras but
:mod:`dmf_cli.metrics.streaming`, the one metric that runs inside a compiled step.

A new metric of counts is one function with the decorator, one re-export below, and its place in tables. A
metric with a keyword ``empty`` returns that value where truth and prediction are both empty; the others say
in their docstring where they are NaN. Metrics of users are in :mod:`dmf_cli.metrics.own`.
"""

from typing import Any

from dmf_cli.metrics._calibration import ece as ece
from dmf_cli.metrics._calibration import reliability as reliability
from dmf_cli.metrics._counts import Counts as Counts
from dmf_cli.metrics._counts import class_counts as class_counts
from dmf_cli.metrics._counts import confusion as confusion
from dmf_cli.metrics._counts import foreground_counts as foreground_counts
from dmf_cli.metrics._empty import EMPTY as EMPTY
from dmf_cli.metrics._empty import empty_name as empty_name
from dmf_cli.metrics._empty import empty_score as empty_score
from dmf_cli.metrics._empty import rules as rules
from dmf_cli.metrics._empty import values as values
from dmf_cli.metrics._full import Full as Full
from dmf_cli.metrics._full import measure as measure
from dmf_cli.metrics._lesions import Lesions as Lesions
from dmf_cli.metrics._lesions import lesion_confusion as lesion_confusion
from dmf_cli.metrics._lesions import lesion_fp as lesion_fp
from dmf_cli.metrics._lesions import lesion_sensitivity as lesion_sensitivity
from dmf_cli.metrics._lesions import lesions as lesions
from dmf_cli.metrics._mean import mean_over_classes as mean_over_classes
from dmf_cli.metrics._overlap import cb_dice as cb_dice
from dmf_cli.metrics._overlap import class_balanced_dice as class_balanced_dice
from dmf_cli.metrics._overlap import dice as dice
from dmf_cli.metrics._overlap import f1 as f1
from dmf_cli.metrics._overlap import iou as iou
from dmf_cli.metrics._rates import accuracy as accuracy
from dmf_cli.metrics._rates import fnr as fnr
from dmf_cli.metrics._rates import fpr as fpr
from dmf_cli.metrics._rates import npv as npv
from dmf_cli.metrics._rates import precision as precision
from dmf_cli.metrics._rates import recall as recall
from dmf_cli.metrics._rates import specificity as specificity
from dmf_cli.metrics._surface import assd as assd
from dmf_cli.metrics._surface import hd95 as hd95
from dmf_cli.metrics._surface import nsd as nsd
from dmf_cli.metrics._surface import surfaces as surfaces
from dmf_cli.parts.definitions import of_package

# In the order of tables.
__registry__ = (
    "dice", "iou", "precision", "recall", "specificity", "f1", "accuracy", "fpr", "fnr", "npv", "cb_dice",
    "hd95", "assd", "nsd", "lesion_sensitivity", "lesion_fp", "ece",
)  # fmt: skip
_KNOWN = of_package("metric")
LOWER_IS_BETTER = tuple(name for name in __registry__ if _KNOWN[name].options["better"] == "low")
OF_COUNTS = tuple(name for name in __registry__ if _KNOWN[name].arguments == ("counts",))


def __getattr__(name: str) -> Any:
    # Only on request: this package stays importable without Keras.
    if name in ("ForegroundDice", "MeanDice"):
        from dmf_cli.metrics import streaming

        return getattr(streaming, name)
    raise AttributeError(f"module 'dmf_cli.metrics' has no attribute {name!r}")
