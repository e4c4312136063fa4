"""Sizes, grey values, lesions and classes of a dataset, image by image: a few numbers of each are kept."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dmf_cli.datasets.base import IGNORED
from dmf_cli.datasets.sources.image_facts import ImageFacts, LabelFacts


class Statistics:
    """Collects what :meth:`summary` reports.

    Args:
        classes: names, background first.
        ignores: pixels may count nowhere; shares of classes are of the others.
    """

    def __init__(self, classes: Sequence[str], ignores: bool = False) -> None:
        self.classes, self._ignores = tuple(classes), ignores
        self._ignored: list[float] = []
        self.strata: list[str] = []
        self._rows: list[tuple[float, ...]] = []  # height, width, mean, deviation, black, white, lesion
        self.ranges: list[tuple[float, float]] = []  # darkest and brightest grey of each image
        self._shares: list[np.ndarray] = []

    def add(self, stratum: str, facts: ImageFacts, label: LabelFacts) -> None:
        """The next image."""
        number = dict(label.counts)
        counts = np.array([number.get(index, 0) for index in range(len(self.classes))])
        shares = counts / max(counts.sum(), 1)
        self._rows.append((*facts.grey, float(shares[1:].sum())))
        self._shares.append(shares)
        self._ignored.append(number.get(IGNORED, 0) / label.pixels if self._ignores else 0.0)
        self.ranges.append(facts.ends)
        self.strata.append(stratum)

    def summary(self) -> dict[str, Any]:
        """Medians and ranges over the images, by stratum and of all; shares are of pixels, in [0, 1]."""
        if not self._rows:
            return {}
        ignored = np.array(self._ignored)
        rows, shares, strata = np.array(self._rows), np.array(self._shares), np.array(self.strata)
        return {
            "height": _spread(rows[:, 0]),
            "width": _spread(rows[:, 1]),
            "sizes": len(np.unique(rows[:, :2], axis=0)),
            "mean grey": _spread(rows[:, 2]),
            "deviation of grey": _spread(rows[:, 3]),
            "black pixels": _spread(rows[:, 4]),
            "white pixels": _spread(rows[:, 5]),
            "strata": {name: _stratum(rows[strata == name, 6]) for name in sorted(set(self.strata))},
            "classes": {name: _share(share) for name, share in zip(self.classes, shares.T, strict=True)},
            **({"ignored": _share(ignored)} if self._ignores else {}),
        }


def _share(shares: np.ndarray) -> dict[str, Any]:
    """In how many images something is, and its share of their pixels."""
    return {"images": int((shares > 0).sum()), "pixels": round(float(shares.mean()), 5)}


def _stratum(lesions: np.ndarray) -> dict[str, Any]:
    present = lesions[lesions > 0]
    spread: Mapping[str, Any] = {"lesion": _spread(present)} if len(present) else {}
    return {"images": len(lesions), "without lesion": int((lesions == 0).sum()), **spread}


def _spread(values: np.ndarray) -> dict[str, float]:
    named = {"min": values.min(), "median": np.median(values), "max": values.max()}
    return {name: round(float(value), 5) for name, value in named.items()}
