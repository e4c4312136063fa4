"""What it would take to know more: seeds, or test images where these are too few whatever the seeds."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from dmf_cli.comparison import significance
from dmf_cli.comparison.intervals import NOTHING, Parts
from dmf_cli.comparison.versus import Versus

SEEDS = 20  # what people are ready to train, where images are the problem
MOST = 100_000  # test images; more than any study has


@dataclasses.dataclass(frozen=True)
class Need:
    """What finds a true difference four times in five.

    Args:
        difference: to be found.
        seeds: paired repetitions; None: more than anybody trains.
        images: test images that it takes; None: those there are, or any number where ``seeds`` is None.
    """

    difference: float
    seeds: int | None
    images: int | None = None


def needed(against: Sequence[Versus], differences: Sequence[float], images: int) -> list[Need]:
    """For each of ``differences``, from the spread that was seen; empty if none is known.

    Args:
        against: every setting that was compared with a baseline.
        differences: in units of the metric.
        images: test images that count.
    """
    spread, part = by_seed(against), by_image(against)
    if math.isnan(spread):
        return []
    return [_need(size, spread, part, len(against), images) for size in differences]


def _need(size: float, spread: float, part: Parts, comparisons: int, images: int) -> Need:
    # Whether more images would do is asked first: no number of seeds may be found without them.
    alone = significance.seeds_needed(size, spread, comparisons=comparisons)
    if alone is None:
        return Need(size, None)
    seeds = significance.seeds_needed(size, spread, part, comparisons)
    if seeds:
        return Need(size, seeds)
    seeds, alpha = max(SEEDS, 2 * alone), significance.ALPHA / comparisons
    for factor in np.geomspace(1.0, max(1.0, MOST / images), 200):
        more = Parts(spread**2 / seeds, seeds - 1, part.images / factor, factor * images - 1)
        if significance.reach(size, more, alpha):
            return Need(size, seeds, _round(factor * images))
    return Need(size, seeds, MOST)


def _round(images: float) -> int:
    """Up, to two digits: it is an estimate."""
    step: int = 10 ** max(0, math.floor(math.log10(images)) - 1)
    return math.ceil(images / step) * step


def seeds_share(against: Sequence[Versus]) -> float:
    """Which share of the variance of a difference the seeds make, mean over the settings; NaN if unknown."""
    shares = [
        (parts.seeds + parts.others) / parts.total
        for parts in (one.difference.parts for one in against)
        if parts.seeds_freedom > 0 and parts.images_freedom > 0 and parts.total > 0
    ]
    return sum(shares) / len(shares) if shares else math.nan


def by_seed(against: Sequence[Versus]) -> float:
    """Standard deviation of one pair's difference, pooled over the settings; NaN if unknown."""
    known = [one.by_seed for one in against if len(one.by_seed) > 1]
    freedom = sum(len(values) - 1 for values in known)
    if not freedom:
        return math.nan
    return math.sqrt(sum(float(np.var(values)) * len(values) for values in known) / freedom)


def by_image(against: Sequence[Versus]) -> Parts:
    """What the images add to the variance of a difference: the mean over the settings."""
    known = [
        one.difference.parts for one in against if one.paired and one.difference.parts.images_freedom > 0
    ]
    if not known:
        return NOTHING
    part = sum(parts.images for parts in known) / len(known)
    return Parts(0.0, 0.0, part, known[0].images_freedom)
