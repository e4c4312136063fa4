"""Surface distances, calibration and detection of a dataset, image by image.

Nothing is kept of an image but a row of numbers, and one histogram of all of them together.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dmf_cli import metrics
from dmf_cli.inference.predictor import Predicted
from dmf_cli.metrics import summary


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
        spacing: Mapping[int, tuple[float, float]] | None,
        empty: str,
    ) -> None:
        self.options, self.classes, self.spacing, self.empty = options, classes, spacing, empty
        self.rows: list[dict[str, float]] = []
        self._histogram = np.zeros((3, options.bins))

    def add(self, one: Predicted) -> None:
        """Score one more image."""
        row: dict[str, float] = {}
        for scope, (truth, prediction) in self._structures(one).items():
            scores = metrics.measure(
                truth, prediction, self.options, spacing=self._spacing(one), empty=self.empty
            )
            row |= {f"{scope}.{name}": value for name, value in scores.items()}
        row |= self._means(row)
        histogram = metrics.reliability(
            one.scored(one.truth), one.scored(one.foreground), bins=self.options.bins
        )
        self._histogram += histogram
        row["foreground.ece"] = float(metrics.ece(histogram))
        self.rows.append(row)

    def complete(self, figures: dict[str, Any]) -> None:
        """Add the statistics to a summary of :func:`dmf_cli.metrics.summary.summarize` with ``settings``."""
        ece = float(metrics.ece(self._histogram))
        figures["foreground"] |= summary.full_scores(self._columns("foreground"), {"ece": ece})
        for name in self.classes[1:]:
            scope = f"class.{name}" if len(self.classes) > 2 else "foreground"
            figures["classes"][name] |= summary.full_scores(self._columns(scope), {"ece": ece})
        if len(self.classes) > 2:
            above = [figures["classes"][name] for name in self.classes[1:]]
            figures["mean"] |= summary.mean_scores(above, self._columns("mean"), self.empty)
        figures["settings"] |= {
            "missed": self.options.missed,
            "spacing": self._said(),
            "full_rules": self.options.rules(self.spacing is not None),
        }

    def _means(self, row: dict[str, float]) -> dict[str, float]:
        """Means over the classes above 0, of one image; the counts of lesions are no scores."""
        names = [k.removeprefix("foreground.") for k in row if k.startswith("foreground.")]
        above = self.classes[1:] if len(self.classes) > 2 else ()
        return {
            f"mean.{name}": float(metrics.mean_over_classes([row[f"class.{c}.{name}"] for c in above]))
            for name in names
            if above and name not in ("lesions", "lesions_found")
        }

    def _structures(self, one: Predicted) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Masks of the foreground, and of each class above 0 if there are several."""
        masks = {"foreground": (one.truth > 0, one.prediction > 0)}
        for index, name in enumerate(self.classes[1:] if len(self.classes) > 2 else (), start=1):
            masks[f"class.{name}"] = (one.truth == index, one.prediction == index)
        return masks

    def _spacing(self, one: Predicted) -> tuple[float, float] | None:
        """Millimetres per pixel of the masks, which may be smaller than the image."""
        if self.spacing is None:
            return None
        rows, columns = self.spacing[one.index]
        return rows * one.pixel[0], columns * one.pixel[1]

    def _said(self) -> tuple[float, float] | str | None:
        """What the summary says: images of several scanners have pixels of several sizes."""
        sizes = set((self.spacing or {}).values())
        return "of each image" if len(sizes) > 1 else next(iter(sizes), None)

    def _columns(self, scope: str) -> dict[str, np.ndarray]:
        prefix = f"{scope}."
        names = [name for name in self.rows[0] if name.startswith(prefix)]
        return {n.removeprefix(prefix): np.array([row[n] for row in self.rows], np.float64) for n in names}
