"""The runs of one setting as a matrix of scores, one row a repetition, one column an image."""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dmf_cli.errors import ConfigError
from dmf_cli.results.comparison import settings
from dmf_cli.results.comparison.loading import Run
from dmf_cli.results.comparison.settings import Label, Placed


@dataclasses.dataclass(frozen=True)
class Group:
    """One setting, repeated.

    Args:
        label: what it is.
        repetitions: what else differs, one a row of ``scores``, sorted; equal in two groups: a pair.
        runs: the folders, in the same order (of several folds: the first).
        scores: ``(repetitions, images)``, NaN where the metric is undefined.
    """

    label: Label
    repetitions: tuple[Label, ...]
    runs: tuple[Path, ...]
    scores: np.ndarray

    @property
    def name(self) -> str:
        """The overrides that make it: ``weighting=var, loss=cbdice+bce``."""
        return ", ".join(f"{key}={value}" for key, value in self.label) or "all runs"

    @property
    def means(self) -> np.ndarray:
        """One figure a repetition: the mean over the images that count, as in the run's own table."""
        return np.array([np.nanmean(row) if not np.isnan(row).all() else math.nan for row in self.scores])

    @property
    def per_image(self) -> np.ndarray:
        """Repetitions averaged first; NaN where an image does not count in any of them."""
        counts = (~np.isnan(self.scores)).sum(axis=0)
        return np.where(counts > 0, np.nansum(self.scores, axis=0) / np.maximum(counts, 1), math.nan)

    def mean_of(self, repetition: Label) -> float:
        """The figure of one repetition."""
        return float(self.means[self.repetitions.index(repetition)])


def same_images(runs: Sequence[Run]) -> tuple[list[Run], list[str]]:
    """The largest set of runs that were scored on the same images in the same way; a line for each other.

    Raises:
        ConfigError: two such sets of one size.
    """
    kind = "data" if len({_fold(run) for run in runs}) > 1 else "images"
    parts: dict[str, list[Run]] = {}
    for run in runs:
        parts.setdefault(getattr(run, kind), []).append(run)
    sizes = sorted((len(part) for part in parts.values()), reverse=True)
    if len(sizes) > 1 and sizes[0] == sizes[1]:
        kinds = "; ".join(f"{part[0].described} ({part[0].path})" for part in list(parts.values())[:3])
        raise ConfigError(f"the runs were scored on different test images: {kinds}; compare each apart")
    kept = max(parts.values(), key=len)
    others = [run for part in parts.values() if part is not kept for run in part]
    where = f"than the other runs ({kept[0].described})"
    return kept, [f"{run.path}: scored on other test images ({run.described}) {where}" for run in others]


def collect(placed: Sequence[Placed]) -> tuple[list[Group], tuple[str, ...], list[str]]:
    """Groups sorted by label, the images, and a line for each run that was left out.

    The folds of one repetition become one row. Of two runs with one setting and seed the newer name is kept.
    """
    found: dict[Label, dict[Label, tuple[Run, dict[str, float]]]] = {}
    seen: dict[tuple[Label, Label, str], Run] = {}
    left_out = []
    for one in sorted(placed, key=lambda p: str(p.run.path), reverse=True):
        key = (one.setting, one.repetition, _fold(one.run))
        if key in seen:
            left_out.append(f"{one.run.path}: the same setting and seed as {seen[key].path}, which is used")
            continue
        seen[key] = one.run
        _, scores = found.setdefault(one.setting, {}).setdefault(one.repetition, (one.run, {}))
        scores |= one.run.scores
    images = tuple(
        sorted({name for each in found.values() for _, scores in each.values() for name in scores})
    )
    groups = []
    for label, each in sorted(found.items()):
        whole = {r: pair for r, pair in sorted(each.items()) if len(pair[1]) == len(images)}
        left_out += [
            f"{run.path}: folds are missing ({len(scores)} of {len(images)} images)"
            for r, (run, scores) in each.items()
            if r not in whole
        ]
        if whole:
            rows = np.array([[scores[name] for name in images] for _, scores in whole.values()])
            groups.append(Group(label, tuple(whole), tuple(run.path for run, _ in whole.values()), rows))
    return groups, images, left_out


def _fold(run: Run) -> str:
    return str(run.config.get(settings.FOLD))
