"""Surface distances, calibration, detection and metrics of users on a dataset, image by image.

Nothing is kept of an image but a row of numbers, and one histogram of all of them together.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dmf_cli import metrics
from dmf_cli.inference.calibration import Calibration
from dmf_cli.inference.prediction import Prediction
from dmf_cli.inference.predictor import Predicted
from dmf_cli.metrics import summary
from dmf_cli.metrics.own import Own

Row = dict[str, float]
PixelSizes = Mapping[int, tuple[float, float]] | None  # index -> millimetres per (row, column); None: unknown


class FullScores:
    """What ``metrics=full`` adds to an evaluation.

    Args:
        options: see :class:`dmf_cli.metrics.Full`.
        classes: names, background first; with several, each class above 0 is scored beside their union.
        spacing: index -> millimetres per pixel (row, column) of the image as it is; None: not known.
        empty: ``nan``, ``zero`` or ``one``.

    Attributes:
        rows: one an image: ``foreground.METRIC``, ``class.NAME.METRIC`` and with several classes
            ``mean.METRIC``, see :func:`dmf_cli.metrics.measure`; ``foreground.ece``.
    """

    def __init__(
        self,
        options: metrics.Full,
        classes: Sequence[str],
        spacing: PixelSizes,
        empty: str,
    ) -> None:
        self.options, self.classes, self.spacing, self.empty = options, classes, spacing, empty
        self.rows: list[Row] = []
        self._histogram = np.zeros((3, options.bins))

    def add(self, one: Predicted) -> None:
        """Score one more image."""
        row: Row = {}
        spacing = _spacing(one, self.spacing)
        for scope, (truth, prediction) in _structures(one, self.classes).items():
            scores = metrics.measure(truth, prediction, self.options, spacing=spacing, empty=self.empty)
            row |= {f"{scope}.{name}": value for name, value in scores.items()}
        row |= _means(row, self.classes)
        histogram = metrics.reliability(
            one.scored(one.truth), one.scored(one.foreground), bins=self.options.bins
        )
        self._histogram += histogram
        row["foreground.ece"] = float(metrics.ece(histogram))
        self.rows.append(row)

    def complete(self, figures: dict[str, Any]) -> None:
        """Add the statistics to a summary of :func:`dmf_cli.metrics.summary.summarize` with ``settings``."""
        ece = float(metrics.ece(self._histogram))
        figures["foreground"] |= summary.full_scores(_columns(self.rows, "foreground"), {"ece": ece})
        for name in self.classes[1:]:
            scope = f"class.{name}" if len(self.classes) > 2 else "foreground"
            figures["classes"][name] |= summary.full_scores(_columns(self.rows, scope), {"ece": ece})
        if len(self.classes) > 2:
            above = [figures["classes"][name] for name in self.classes[1:]]
            figures["mean"] |= summary.mean_scores(above, _columns(self.rows, "mean"), self.empty)
        figures["settings"] |= {
            "missed": self.options.missed,
            "spacing": _said(self.spacing),
            "full_rules": self.options.rules(self.spacing is not None),
        }


class CalibrationScores:
    """The calibration error before and after the temperature, of pixels as the network sees them.

    Attributes:
        rows: one an image, empty: it is of all images together.
    """

    def __init__(self, prediction: Prediction) -> None:
        self._prediction, self.rows = prediction, list[Row]()
        self._before, self._after = Calibration(), Calibration()

    def add(self, one: Predicted) -> None:
        """Count the pixels of one more image."""
        truth, counted = self._label(one.truth), one.counted
        if counted is not None:
            counted = self._label(counted.astype(np.uint8))[one.inside] > 0
        for pixels, values in ((self._before, one.given), (self._after, one.probabilities)):
            pixels.add(values[one.inside], truth[one.inside], counted)
        self.rows.append({})

    def complete(self, figures: dict[str, Any]) -> None:
        """Add both to the settings, as :meth:`FullScores.complete`."""
        figures["settings"]["ece"] = {"before": self._before.ece(), "after": self._after.ece()}

    def _label(self, part: np.ndarray) -> np.ndarray:
        return self._prediction.spec.label(part) if self._prediction.resolution == "original" else part


class OwnScores:
    """What metrics of users add to an evaluation: a number for each structure of each image.

    Args:
        own: the metrics.
        classes: see :class:`FullScores`; so are ``spacing`` and ``empty``.
        spacing: see ``classes``.
        empty: see ``classes``.

    Attributes:
        rows: one an image: ``foreground.NAME``, ``class.NAME.NAME`` and with several classes ``mean.NAME``.
    """

    def __init__(self, own: Sequence[Own], classes: Sequence[str], spacing: PixelSizes, empty: str) -> None:
        self.own, self.classes, self.spacing, self.empty = own, classes, spacing, empty
        self.rows: list[Row] = []
        self._counts: dict[str, metrics.Counts] = {}  # of each structure, over all images

    def add(self, one: Predicted) -> None:
        """Score one more image; raises ``PluginError`` where a metric fails."""
        row: Row = {}
        spacing = _spacing(one, self.spacing)
        for scope, masks in _structures(one, self.classes).items():
            matrix = metrics.confusion(one.scored(masks[0]), one.scored(masks[1]), 2)
            counts = metrics.foreground_counts(matrix)
            for metric in self.own:
                value = metric.counts(counts) if metric.of_counts else metric.masks(*masks, spacing)
                row[f"{scope}.{metric.name}"] = value
            self._counts[scope] = counts + self._counts[scope] if scope in self._counts else counts
        self.rows.append({**row, **_means(row, self.classes)})

    def complete(self, figures: dict[str, Any]) -> None:
        """Add the statistics, as :meth:`FullScores.complete`; only counts have a pooled form."""
        figures["foreground"] |= self._statistics("foreground")
        several = len(self.classes) > 2
        for name in self.classes[1:]:
            figures["classes"][name] |= self._statistics(f"class.{name}" if several else "foreground")
        if several:
            above = [figures["classes"][name] for name in self.classes[1:]]
            figures["mean"] |= summary.mean_scores(above, _columns(self.rows, "mean"), self.empty)
        figures["settings"]["own_metrics"] = {one.name: one.described for one in self.own}
        if any(one.takes_spacing for one in self.own):
            figures["settings"]["spacing"] = _said(self.spacing)

    def _statistics(self, scope: str) -> dict[str, Any]:
        columns = _columns(self.rows, scope)
        pooled = {one.name: one.counts(self._counts[scope]) for one in self.own if one.of_counts}
        return {
            name: summary.statistics(column, pooled.get(name, math.nan)) for name, column in columns.items()
        }


def _structures(one: Predicted, classes: Sequence[str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Masks of the foreground, and of each class above 0 if there are several."""
    masks = {"foreground": (one.truth > 0, one.prediction > 0)}
    for index, name in enumerate(classes[1:] if len(classes) > 2 else (), start=1):
        masks[f"class.{name}"] = (one.truth == index, one.prediction == index)
    return masks


def _spacing(one: Predicted, sizes: PixelSizes) -> tuple[float, float] | None:
    """Millimetres per pixel of the masks, which may be smaller than the image."""
    if sizes is None:
        return None
    rows, columns = sizes[one.index]
    return rows * one.pixel[0], columns * one.pixel[1]


def _said(sizes: PixelSizes) -> tuple[float, float] | str | None:
    """What the summary says: images of several scanners have pixels of several sizes."""
    different = set((sizes or {}).values())
    return "of each image" if len(different) > 1 else next(iter(different), None)


def _means(row: Row, classes: Sequence[str]) -> Row:
    """Means over the classes above 0, of one image; the counts of lesions are no scores."""
    names = [k.removeprefix("foreground.") for k in row if k.startswith("foreground.")]
    above = classes[1:] if len(classes) > 2 else ()
    return {
        f"mean.{name}": float(metrics.mean_over_classes([row[f"class.{c}.{name}"] for c in above]))
        for name in names
        if above and name not in ("lesions", "lesions_found")
    }


def _columns(rows: Sequence[Row], scope: str) -> dict[str, np.ndarray]:
    """Metric -> one value an image."""
    prefix = f"{scope}."
    names = [name for name in rows[0] if name.startswith(prefix)]
    return {n.removeprefix(prefix): np.array([row[n] for row in rows], np.float64) for n in names}
