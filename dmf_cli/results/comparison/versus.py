"""One setting held against the baseline."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from dmf_cli.results.comparison import significance
from dmf_cli.results.comparison.groups import Group
from dmf_cli.results.comparison.intervals import Interval, interval


@dataclasses.dataclass(frozen=True)
class Versus:
    """A setting minus the baseline.

    Args:
        difference: of the means, with its interval.
        paired: whether repetitions with the same seeds were compared with each other.
        p_images: Wilcoxon over images, repetitions averaged first.
        p_seeds: exact permutation over repetitions.
        smallest_p: the least that this many repetitions can give.
        effect: Hedges' g over paired repetitions.
        seeds_needed: repetitions with which a difference like this would be found, or None if unknown.

    All p values are Holm corrected over the settings that are held against the baseline.
    """

    difference: Interval
    paired: bool
    p_images: float
    p_seeds: float
    smallest_p: float
    effect: float
    seeds_needed: int | None

    @property
    def significant(self) -> bool:
        """Whether chance alone would give this in fewer than 5 % of studies; by repetitions, not images."""
        return self.p_seeds <= significance.ALPHA


def versus(others: Sequence[Group], baseline: Group) -> list[Versus]:
    """Each of ``others`` against ``baseline``."""
    found = [_one(group, baseline, len(others)) for group in others]
    images = significance.holm([one.p_images for one in found])
    seeds = significance.holm([one.p_seeds for one in found])
    return [
        dataclasses.replace(one, p_images=p, p_seeds=q, smallest_p=min(1.0, len(found) * one.smallest_p))
        for one, p, q in zip(found, images, seeds, strict=True)
    ]


def _one(group: Group, baseline: Group, comparisons: int) -> Versus:
    paired = group.repetitions == baseline.repetitions
    by_seed = group.means - baseline.means if paired else np.array([])
    if paired:
        p_seeds = significance.paired_permutation(by_seed)
        smallest = significance.smallest_p(len(by_seed))
        spread = interval(group.scores - baseline.scores)
    else:
        p_seeds = significance.unpaired_permutation(group.means, baseline.means)
        smallest = significance.smallest_p(len(group.means), len(baseline.means))
        spread = _unpaired(interval(group.scores), interval(baseline.scores))
    mean = float(np.nanmean(group.means) - np.nanmean(baseline.means))
    return Versus(
        # Images that do not count everywhere are in the means and not in the spread.
        Interval(mean, spread.low + mean - spread.mean, spread.high + mean - spread.mean, spread.over),
        paired,
        significance.wilcoxon(group.per_image - baseline.per_image),
        p_seeds,
        smallest,
        significance.effect_size(by_seed),
        significance.seeds_needed(by_seed, comparisons),
    )


def _unpaired(a: Interval, b: Interval) -> Interval:
    """The difference of two means as if they were independent: wider than need be, for they share images."""
    mean = a.mean - b.mean
    half = math.hypot(a.high - a.mean, b.high - b.mean)
    return Interval(mean, mean - half, mean + half, a.over)
