"""One setting held against the baseline."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from dmf_cli.results.comparison import intervals, significance
from dmf_cli.results.comparison.groups import Group, means, per_image
from dmf_cli.results.comparison.intervals import Interval


@dataclasses.dataclass(frozen=True)
class Versus:
    """A setting minus its baseline.

    Args:
        baseline: the setting that it is held against.
        difference: of the means, with its interval.
        bootstrapped: ends of the percentile bootstrap of the same difference; NaN if unpaired.
        by_seed: one difference a pair of repetitions; empty if unpaired.
        paired: whether repetitions with the same seeds were compared with each other.
        p_images: Wilcoxon over images, repetitions averaged first.
        p_seeds: exact permutation over repetitions.
        p_both: for new seeds and new images, from the same parts as the interval.
        smallest_p: the least ``p_seeds`` that this many repetitions can give.
        effect: Hedges' g over paired repetitions.
        effect_images: rank-biserial correlation over images.

    All p values are Holm corrected over the settings that are held against the baseline.
    """

    baseline: Group
    difference: Interval
    bootstrapped: tuple[float, float]
    by_seed: np.ndarray
    paired: bool
    p_images: float
    p_seeds: float
    p_both: float
    smallest_p: float
    effect: float
    effect_images: float

    @property
    def significant(self) -> bool:
        """Whether neither other seeds nor other images would have made it: both tests are at .05 or below.

        The permutation test alone speaks of these test images; the other alone trusts a normal distribution
        of as few as three seeds.
        """
        return max(self.p_seeds, self.p_both) <= significance.ALPHA


def versus(pairs: Sequence[tuple[Group, Group]]) -> list[Versus]:
    """Each (setting, baseline)."""
    found = [_one(group, baseline) for group, baseline in pairs]
    tests = zip(
        significance.holm([one.p_images for one in found]),
        significance.holm([one.p_seeds for one in found]),
        significance.holm([one.p_both for one in found]),
        strict=True,
    )
    return [
        dataclasses.replace(
            one, p_images=images, p_seeds=seeds, p_both=both, smallest_p=min(1.0, len(found) * one.smallest_p)
        )
        for one, (images, seeds, both) in zip(found, tests, strict=True)
    ]


def _one(group: Group, baseline: Group) -> Versus:
    """Paired over the repetitions that both have, if these are two or more or all there are."""
    common = [r for r in group.repetitions if r in set(baseline.repetitions)]
    paired = len(common) > 1 or group.repetitions == baseline.repetitions
    if paired:
        a, b = group.rows(common), baseline.rows(common)
        by_seed = means(a) - means(b)
        p_seeds, smallest = significance.paired_permutation(by_seed), significance.smallest_p(len(by_seed))
        parts, bootstrapped = intervals.parts(a - b), intervals.bootstrap(a - b)
    else:
        a, b, by_seed = group.scores, baseline.scores, np.empty(0)
        p_seeds = significance.unpaired_permutation(means(a), means(b))
        smallest = significance.smallest_p(len(a), len(b))
        parts, bootstrapped = intervals.unpaired_parts(a, b), (math.nan, math.nan)
    # Images that do not count everywhere are in the means and not in the spread.
    mean = intervals.mean_of(a) - intervals.mean_of(b)
    by_image = per_image(a) - per_image(b)
    return Versus(
        baseline,
        intervals.around(mean, parts),
        bootstrapped,
        by_seed,
        paired,
        significance.wilcoxon(by_image),
        p_seeds,
        parts.p(mean),
        smallest,
        significance.effect_size(by_seed),
        significance.rank_biserial(by_image),
    )
