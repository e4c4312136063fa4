"""One setting compared with the baseline."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from dmf_cli.comparison import intervals, significance
from dmf_cli.comparison.groups import Group
from dmf_cli.comparison.intervals import Interval


@dataclasses.dataclass(frozen=True)
class Versus:
    """A setting minus its baseline, both with the same images and all of their runs.

    Args:
        baseline: the setting that it is compared with.
        difference: of the means, with its interval. The intervals of all settings hold at once
            (Bonferroni), so that one that excludes 0 has a ``p_both`` below .05, and the other way round.
        bootstrapped: ends of the percentile bootstrap of the same difference; NaN if unpaired.
        by_seed: one difference a pair of repetitions; empty if unpaired.
        paired: whether repetitions with the same seeds were compared with each other: both have the same.
        repetitions: how many the setting has; those of the baseline are in ``baseline``.
        shared: how many repetitions both have; not all of either side if unpaired.
        comparisons: settings that are compared with a baseline, over which everything is corrected.
        p_images: Wilcoxon over images, repetitions averaged first; Holm.
        p_seeds: over repetitions, Holm. Paired: permutation. Unpaired: the larger of a permutation of
            Welch's t and of his test, as neither needs the same spread on both sides; 1 with one repetition
            on a side.
        p_both: for new seeds and new images, from the same parts as the interval; Bonferroni like it.
        smallest_p: the least ``p_seeds`` that this many repetitions can give.
        effect: Hedges' g over paired repetitions.
        effect_images: rank-biserial correlation over images.
    """

    baseline: Group
    difference: Interval
    bootstrapped: tuple[float, float]
    by_seed: np.ndarray
    paired: bool
    repetitions: int
    shared: int
    comparisons: int
    p_images: float
    p_seeds: float
    p_both: float
    smallest_p: float
    effect: float
    effect_images: float

    @property
    def drawn(self) -> bool:
        """Whether ``p_seeds`` is of permutations drawn by chance, as there are too many to try all."""
        other = None if self.paired else len(self.baseline.means)
        return significance.drawn(self.repetitions, other)

    @property
    def significant(self) -> bool:
        """Whether neither other seeds nor other images would have made it: both tests are at .05 or below.

        The permutation test alone speaks of these test images; the other alone trusts a normal distribution
        of as few as three seeds.
        """
        return self.p_seeds <= significance.ALPHA and self.p_both <= significance.ALPHA


def versus(pairs: Sequence[tuple[Group, Group]]) -> list[Versus]:
    """Each (setting, baseline)."""
    compared = [_one(group, baseline, len(pairs)) for group, baseline in pairs]
    tests = zip(
        significance.holm([one.p_images for one in compared]),
        significance.holm([one.p_seeds for one in compared]),
        strict=True,
    )
    return [
        dataclasses.replace(one, p_images=images, p_seeds=seeds)
        for one, (images, seeds) in zip(compared, tests, strict=True)
    ]


def _one(group: Group, baseline: Group, comparisons: int) -> Versus:
    """Paired if both have the same repetitions; else all of them, as two samples."""
    a, b = group.scores, baseline.scores
    shared = len(set(group.repetitions) & set(baseline.repetitions))
    paired = group.repetitions == baseline.repetitions
    by_seed = group.means - baseline.means if paired else np.empty(0)
    if paired:
        p_seeds, smallest = significance.paired_permutation(by_seed), significance.smallest_p(len(by_seed))
        parts, bootstrapped = intervals.parts(a - b), intervals.bootstrap(a - b)
    else:
        p_seeds, smallest = significance.unpaired(group.means, baseline.means)
        parts, bootstrapped = intervals.unpaired_parts(a, b), (math.nan, math.nan)
    mean = intervals.mean_of(a) - intervals.mean_of(b)
    by_image = group.per_image - baseline.per_image
    return Versus(
        baseline,
        intervals.around(mean, parts, comparisons),
        bootstrapped,
        by_seed,
        paired,
        len(a),
        shared,
        comparisons,
        significance.wilcoxon(by_image),
        p_seeds,
        min(1.0, comparisons * parts.p(mean)) if parts.over != "nothing" else math.nan,
        min(1.0, comparisons * smallest),
        significance.effect_size(by_seed),
        significance.rank_biserial(by_image),
    )
