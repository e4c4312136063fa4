"""Is a difference smaller than what matters? Two one-sided tests against a margin that the user gives.

"Not shown to differ" says little after three seeds. A setting is practically equivalent to its baseline if
both "worse by the margin or more" and "better by the margin or more" can be rejected (Schuirmann, J.
Pharmacokinet. Biopharm. 15, 1987): its 90 % interval then lies within the margin on either side.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from dmf_cli.comparison import significance
from dmf_cli.comparison.groups import Group
from dmf_cli.comparison.versus import Versus, versus
from dmf_cli.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class Equivalence:
    """One setting tested against its baseline.

    Args:
        margin: differences below it do not matter, in units of the metric.
        p: of the two one-sided tests, the larger, Holm over the settings; NaN with one repetition on a side.
    """

    margin: float
    p: float

    @property
    def shown(self) -> bool:
        """Whether the setting is practically equivalent to its baseline."""
        return self.p <= significance.ALPHA


def check(margin: float) -> float:
    """``margin``, if it is one.

    Raises:
        ConfigError: not positive, or not finite.
    """
    if not 0 < margin < math.inf:
        number = "a finite number above 0 in units of the metric, as --margin 0.01"
        allowed = f"the smallest difference that matters, {number}"
        raise ConfigError(key="--margin", value=margin, allowed=allowed)
    return margin


def equivalence(against: Sequence[Versus], margin: float) -> list[Equivalence]:
    """Each difference tested against ``margin``; Holm over all, so that none is claimed for being many.

    Raises:
        ConfigError: see :func:`check`.
    """
    check(margin)
    return [Equivalence(margin, p) for p in significance.holm([_p(one, margin) for one in against])]


def _p(one: Versus, margin: float) -> float:
    """The least level at which the interval for new seeds and new images lies within the margin."""
    parts, gap = one.difference.parts, abs(one.difference.mean)
    if not (parts.seeds_freedom > 0 and parts.images_freedom > 0) or math.isnan(gap):
        return math.nan  # of one seed, or one image, nothing is known of others
    one_sided = parts.p(margin - gap) / 2.0
    return one_sided if gap < margin else 1.0 - one_sided


def claims(
    studies: int, seeds: int, images: int, settings: int, reacts: float, gain: float, margin: float = 0.02
) -> float:
    """Simulated: the share of studies that claim equivalence of any setting.

    Args:
        studies: how many are drawn.
        seeds: paired repetitions.
        images: test images.
        settings: that are compared with one baseline.
        reacts: how differently an image reacts to the settings.
        gain: true difference of all settings. At ``margin`` each claim is false, and .05 is promised at most;
            at 0 each claim is right.
        margin: of the test.
    """
    rng = np.random.default_rng(0)
    drawn = (_study(rng, seeds, images, settings, reacts, gain, margin) for _ in range(studies))
    return sum(any(one.shown for one in tests) for tests in drawn) / studies


def _study(
    rng: np.random.Generator,
    seeds: int,
    images: int,
    settings: int,
    reacts: float,
    gain: float,
    margin: float,
) -> list[Equivalence]:
    """A study of settings that are ``gain`` better than their baseline."""
    image, names = rng.normal(0.7, 0.2, (1, images)), tuple((("seed", str(i)),) for i in range(seeds))
    made = []
    for i in range(settings + 1):
        own = (gain if i else 0.0) + rng.normal(0, 0.01, (seeds, 1)) + rng.normal(0, reacts, (1, images))
        x = image + own + rng.normal(0, 0.05, (seeds, images))
        made.append(Group((("setting", str(i)),), names, ((),) * seeds, x))
    return equivalence(versus([(group, made[0]) for group in made[1:]]), margin)
