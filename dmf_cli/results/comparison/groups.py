"""The runs of one setting as a matrix of scores, one row a repetition, one column an image."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from dmf_cli.errors import ConfigError
from dmf_cli.results.comparison.loading import Run
from dmf_cli.results.comparison.settings import Label, Placed


@dataclasses.dataclass(frozen=True)
class Group:
    """One setting, repeated.

    Args:
        label: what it is.
        repetitions: what else differs, one a row of ``scores``, sorted; equal in two groups: a pair.
        runs: the folders of each repetition, in the same order: one a fold.
        scores: ``(repetitions, images)``, NaN where the metric is undefined.
    """

    label: Label
    repetitions: tuple[Label, ...]
    runs: tuple[tuple[Path, ...], ...]
    scores: np.ndarray

    @property
    def name(self) -> str:
        """The overrides that make it: ``weighting=var, loss=cbdice+bce``."""
        return ", ".join(f"{key}={value}" for key, value in self.label) or "all runs"

    @property
    def means(self) -> np.ndarray:
        """One figure a repetition: the mean over the images that count, as in the run's own table."""
        return means(self.scores)

    @property
    def per_image(self) -> np.ndarray:
        """Repetitions averaged first; NaN where an image does not count in any of them."""
        return per_image(self.scores)

    def mean_of(self, repetition: Label) -> float:
        """The figure of one repetition."""
        return float(self.means[self.repetitions.index(repetition)])

    def rows(self, repetitions: Sequence[Label]) -> np.ndarray:
        """Scores of some repetitions, in their order."""
        return self.scores[[self.repetitions.index(repetition) for repetition in repetitions]]


def means(scores: np.ndarray) -> np.ndarray:
    """One figure a repetition: the mean over the images that count, as in the run's own table."""
    return np.array([np.nanmean(row) if not np.isnan(row).all() else math.nan for row in scores])


def per_image(scores: np.ndarray) -> np.ndarray:
    """Repetitions averaged first; NaN where an image does not count in any of them."""
    counts = (~np.isnan(scores)).sum(axis=0)
    return np.where(counts > 0, np.nansum(scores, axis=0) / np.maximum(counts, 1), math.nan)


def same_images(runs: Sequence[Run]) -> tuple[list[Run], list[str]]:
    """The largest set of runs that were scored on the same images in the same way; a line for each other.

    The folds of one split are one set.

    Raises:
        ConfigError: two such sets of one size.
    """
    parts: dict[str, list[Run]] = {}
    for run in runs:
        parts.setdefault(run.images, []).append(run)
    sizes = sorted((len(part) for part in parts.values()), reverse=True)
    if len(sizes) > 1 and sizes[0] == sizes[1]:
        kinds = "; ".join(f"{part[0].described} ({part[0].path})" for part in list(parts.values())[:3])
        raise ConfigError(
            f"the runs were scored on different test images, or in different ways: {kinds}; compare each "
            "apart, as with --only dataset=NAME"
        )
    kept = max(parts.values(), key=len)
    others = [run for part in parts.values() if part is not kept for run in part]
    where = f"than the other runs ({kept[0].described})"
    return kept, [
        f"{run.path}: scored on other test images or in another way ({run.described}) {where}"
        for run in others
    ]


def collect(placed: Sequence[Placed]) -> tuple[list[Group], tuple[str, ...], list[str]]:
    """Groups sorted by label, the images, and a line for each run that was left out.

    The folds of one repetition become one row; a repetition that lacks some is left out. Of two runs with
    one setting, seed and fold the newer name is kept.
    """
    found: dict[Label, dict[Label, dict[int, Run]]] = {}
    left_out = []
    for one in sorted(placed, key=lambda p: str(p.run.path), reverse=True):
        folds = found.setdefault(one.setting, {}).setdefault(one.repetition, {})
        if one.run.fold in folds:
            used = folds[one.run.fold].path
            left_out.append(f"{one.run.path}: the same setting and seed as {used}, which is used")
        else:
            folds[one.run.fold] = one.run
    whole = {label: {r: f for r, f in each.items() if _complete(f)} for label, each in found.items()}
    left_out += [
        _incomplete(folds)
        for label, each in found.items()
        for r, folds in each.items()
        if r not in whole[label]
    ]
    images = tuple(
        sorted(
            {i for each in whole.values() for f in each.values() for run in f.values() for i in run.scores}
        )
    )
    groups = [_group(label, each, images) for label, each in sorted(whole.items()) if each]
    return groups, images, left_out


def _group(label: Label, each: Mapping[Label, Mapping[int, Run]], images: Sequence[str]) -> Group:
    names = sorted(each)
    pooled = [{k: v for run in each[name].values() for k, v in run.scores.items()} for name in names]
    rows = np.array([[scores.get(image, math.nan) for image in images] for scores in pooled])
    runs = tuple(tuple(run.path for _, run in sorted(each[name].items())) for name in names)
    return Group(label, tuple(names), runs, rows)


def _complete(folds: Mapping[int, Run]) -> bool:
    return len(folds) == next(iter(folds.values())).folds


def _incomplete(folds: Mapping[int, Run]) -> str:
    one = next(iter(folds.values()))
    lacks = ", ".join(str(fold) for fold in range(one.folds) if fold not in folds)
    return f"{one.path}: of its {one.folds} folds {lacks} are missing, and it takes all"
