"""What a comparison says in words: who differs, or why nobody can be named and what it would take."""

import math
from collections.abc import Sequence

import numpy as np

from dmf_cli.results.comparison import significance
from dmf_cli.results.comparison.intervals import NOTHING, Parts
from dmf_cli.results.comparison.versus import Versus

# Differences that people ask about: of a share, and of a distance or a count of mistakes.
SHARES, PIXELS = (0.01, 0.02, 0.05), (1.0, 2.0, 5.0)


def of(found: Sequence[tuple[str, Versus]], lower: bool) -> str:
    """The answer; no winner is named that chance could have made.

    Without a second setting there is no question.

    Args:
        found: name and comparison of each setting that was held against a baseline.
        lower: whether small values are good.
    """
    if not found:
        return "one setting, which is held against nothing: give runs that differ in more than seed and fold"
    said = [
        f"{name} is {'better' if (one.difference.mean < 0) == lower else 'worse'} than {one.baseline.name} "
        f"(p = {max(one.p_seeds, one.p_both):.3g})"
        for name, one in found
        if one.significant
    ]
    return "; ".join(said) if said else _undecided([one for _, one in found])


def power(found: Sequence[Versus], metric: str, differences: Sequence[float] | None = None) -> str:
    """How many paired seeds given differences would need; empty if no spread is known.

    Args:
        found: every setting that was held against a baseline.
        metric: decides which differences are usual.
        differences: others; None: the usual ones.
    """
    spread, images = _by_seed(found), _images(found)
    if math.isnan(spread):
        return ""
    leaf = metric.rsplit(".", 1)[-1]
    usual = PIXELS if leaf.startswith(("hd95", "assd")) else SHARES
    needs = {d: significance.seeds_needed(d, spread, images, len(found)) for d in differences or usual}
    said = [f"{n or 'not with these images'} for {d:g}" for d, n in needs.items()]
    return "seeds to find a true difference four times in five: " + ", ".join(said)


def _undecided(found: Sequence[Versus]) -> str:
    """Why no winner is named, and what it would take."""
    names = " or ".join(dict.fromkeys(one.baseline.name for one in found))
    text = f"no setting differs from {names} by more than chance could make"
    least = min(one.smallest_p for one in found)
    if least > significance.ALPHA:
        enough = significance.seeds_to_reach(len(found))
        text += f"; with these seeds p cannot fall below {least:.2g}: it takes {enough} paired seeds"
    spread, images = _by_seed(found), _images(found)
    sizes = [abs(one.difference.mean) for one in found if one.paired]
    largest = max(sizes, default=0.0)
    if largest < significance.TIE or math.isnan(spread):
        return text
    needed = significance.seeds_needed(largest, spread, images, len(found))
    return f"{text}; to find a difference as large as the largest seen ({largest:.2g}), " + (
        f"about {needed} seeds" if needed else "these test images are too few, whatever the seeds"
    )


def _by_seed(found: Sequence[Versus]) -> float:
    """Standard deviation of one pair's difference, pooled over the settings; NaN if unknown."""
    known = [one.by_seed for one in found if len(one.by_seed) > 1]
    freedom = sum(len(values) - 1 for values in known)
    if not freedom:
        return math.nan
    return math.sqrt(sum(float(np.var(values)) * len(values) for values in known) / freedom)


def _images(found: Sequence[Versus]) -> Parts:
    """What the images add to the variance of a difference: the mean over the settings."""
    known = [one.difference.parts for one in found if one.paired and one.difference.parts.images_freedom > 0]
    if not known:
        return NOTHING
    part = sum(parts.images for parts in known) / len(known)
    return Parts(0.0, 0.0, part, known[0].images_freedom)
