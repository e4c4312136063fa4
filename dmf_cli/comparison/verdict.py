"""What a comparison says in words: who is better, what can be excluded, and what it takes to know more."""

import dataclasses
import math
from collections.abc import Sequence

from dmf_cli import metrics
from dmf_cli.comparison import naming, needs, significance
from dmf_cli.comparison.equivalence import Equivalence
from dmf_cli.comparison.versus import Versus
from dmf_cli.terminal.formats import significant

# Differences that people ask about: of a share, of a distance, and of a count of mistakes per image.
SHARES, PIXELS, COUNTS = (0.01, 0.02, 0.05), (1.0, 2.0, 5.0), (0.5, 1.0, 2.0)
MUCH = 2 / 3  # share of the variance from which one source limits the answer
LOPSIDED = 2.0  # ratio of the ends of an interval from which each is said


@dataclasses.dataclass(frozen=True)
class Contrast:
    """A setting that was compared with a baseline.

    Args:
        name: the setting.
        versus: its difference.
        equivalence: the test against the margin; None if no margin was given.
    """

    name: str
    versus: Versus
    equivalence: Equivalence | None = None

    @property
    def base(self) -> str:
        """Name of the baseline."""
        return self.versus.baseline.name


def of(compared: Sequence[Contrast], metric: str, lower: bool) -> str:
    """The answer in one sentence; no winner is named that chance could have made.

    Args:
        compared: each setting that was compared with a baseline; without any there is no question.
        metric: what the difference is in.
        lower: whether small values are good.
    """
    if not compared:
        return "One setting only, so there is nothing to compare: give runs that differ in more than the seed"
    rest = [one for one in compared if not one.versus.significant]
    equal = [one for one in rest if one.equivalence and one.equivalence.shown]
    rest = [one for one in rest if not (one.equivalence and one.equivalence.shown)]
    parts = [_winner(one, metric, lower) for one in compared if one.versus.significant]
    if equal:
        parts.append(_equivalent(equal, metric))
    if rest:
        parts.append(_open(rest, len(rest) == len(compared), metric))
    return "; ".join(parts)


def _winner(one: Contrast, metric: str, lower: bool) -> str:
    gap = one.versus.difference
    which = "better" if (gap.mean < 0) == lower else "worse"
    ends = sorted((abs(gap.low), abs(gap.high)))
    p = max(one.versus.p_seeds, one.versus.p_both)
    said = (
        f"{one.name} is {which} than {one.base} by {naming.amount(abs(gap.mean), metric)} "
        f"(95 % interval {significant(ends[0])} to {significant(ends[1])}, p = {p:.2g})"
    )
    if one.equivalence is None or not one.equivalence.shown:
        return said
    return f"{said}, which is within the margin of {significant(one.equivalence.margin)}"


def _equivalent(equal: Sequence[Contrast], metric: str) -> str:
    tests = [one.equivalence for one in equal if one.equivalence]
    margin, p = tests[0].margin, max(test.p for test in tests)
    are = "is" if len(equal) == 1 else "are"
    bases = naming.listed(list(dict.fromkeys(one.base for one in equal)), join="or")
    return (
        f"{naming.listed([one.name for one in equal])} {are} practically equivalent to {bases}: "
        f"a difference of {naming.amount(margin, metric)} or more is excluded (p = {p:.2g})"
    )


def _open(rest: Sequence[Contrast], all_of_them: bool, metric: str) -> str:
    bases = naming.listed(list(dict.fromkeys(one.base for one in rest)), join="or")
    margins = [one.equivalence.margin for one in rest if one.equivalence]
    within = f", nor equivalent to it within {naming.amount(margins[0], metric)}" if margins else ""
    if len(rest) > 1 and all_of_them:
        return f"No setting was shown to be better or worse than {bases}{within}"
    names = naming.listed([one.name for one in rest])
    names = names if len(rest) <= 3 else f"the other {names}"
    return (
        f"{names} {'was' if len(rest) == 1 else 'were'} not shown to be better or worse than {bases}{within}"
    )


def excluded(compared: Sequence[Contrast], metric: str, lower: bool) -> str:
    """How large a difference can be ruled out for the settings of which nothing was shown; empty without any.

    The intervals hold for all settings at once, so their farthest end does.
    """
    rest = [
        one for one in compared if not (one.versus.significant or (one.equivalence and one.equivalence.shown))
    ]
    known = [one.versus.difference for one in rest if not math.isnan(one.versus.difference.low)]
    unknown = [one.name for one in rest if math.isnan(one.versus.difference.low)]
    if rest and not known:
        return "How large a difference could be is not known: it takes two seeds or more of each setting"
    if not known:
        return ""
    up, down = max(gap.high for gap in known), max(-gap.low for gap in known)
    better, worse = (down, up) if lower else (up, down)
    about = "Excluded, with 95 % confidence, is anything beyond about"
    if min(up, down) > 0 and max(up, down) > LOPSIDED * min(up, down):
        text = f"{about} {naming.amount(better, metric)} for the better or {significant(worse)} for the worse"
    else:
        text = f"{about} {naming.amount(max(up, down), metric)} in either direction"
    if any("seeds" not in gap.over for gap in known):
        text += "; with one seed each, this is about other images and not about other seeds"
    if unknown:
        text += f"; of {naming.listed(unknown)} it is not known, which takes two seeds or more on each side"
    return text


def power(
    compared: Sequence[Contrast], metric: str, images: int, differences: Sequence[float] | None = None
) -> str:
    """Whether seeds or images limit the answer, and how many paired seeds given differences would need.

    Args:
        compared: every setting that was compared with a baseline.
        metric: decides which differences are usual.
        images: test images that count.
        differences: others; None: the usual ones, of which a metric of the user's has none.
    """
    if not compared:
        return ""
    against = [one.versus for one in compared]
    needed = needs.needed(against, differences or _usual(metric), images)
    plain = [f"{_takes(one)} for {significant(one.difference)}" for one in needed if one.images is None]
    more = [f"{_images(one, images)} for {significant(one.difference)}" for one in needed if one.images]
    what = f"a true difference in {naming.metric(metric)} four times in five"
    finds = f"paired seeds to find {what}: {', '.join(plain)}" if plain else ""
    finds += (", and " if plain else f"to find {what} it takes ") + ", ".join(more) if more else ""
    return "; ".join(part for part in (_limit(against), finds) if part)


def _usual(metric: str) -> tuple[float, ...]:
    leaf = metric.rsplit(".", 1)[-1]
    if leaf.removesuffix("_mm") not in metrics.__registry__:
        return ()
    if leaf == "lesion_fp":
        return COUNTS
    return PIXELS if leaf.startswith(("hd95", "assd")) else SHARES


def _limit(against: Sequence[Versus]) -> str:
    """What keeps the answer from being sharper; empty where it is not known."""
    if min(one.smallest_p for one in against) > significance.ALPHA:
        enough = significance.seeds_to_reach(len(against))
        have = _seeds(min(against, key=lambda one: one.smallest_p))
        return (
            f"The seeds limit this answer: with {have} no difference, however large, could have been shown "
            f"(p cannot fall below {min(one.smallest_p for one in against):.2g}); "
            f"it takes {enough} paired seeds"
        )
    share = needs.seeds_share(against)
    if math.isnan(share):
        return ""
    if share >= MUCH:
        return (
            f"The seeds limit this answer ({100 * share:.0f} % of its variance): more seeds make it sharper"
        )
    if share <= 1 - MUCH:
        return (
            f"The test images limit this answer ({100 - 100 * share:.0f} % of its variance): more seeds help "
            "little, more images do"
        )
    return f"Seeds ({100 * share:.0f} % of the variance) and test images limit this answer about equally"


def _seeds(one: Versus) -> str:
    """``3 seeds``, ``1 seed against 20``."""
    mine, other = one.repetitions, len(one.baseline.means)
    return f"{mine} seed{'s' * (mine > 1)}" + (f" against {other}" if other != mine else "")


def _takes(need: needs.Need) -> str:
    return f"more than {significance.MANY}" if need.seeds is None else str(need.seeds)


def _images(need: needs.Need, images: int) -> str:
    """More seeds alone would not do."""
    least = "more than" if need.images == needs.MOST else "about"
    return f"{least} {need.images} test images ({images} count now) with {need.seeds} seeds"
