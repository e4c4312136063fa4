"""What a mean of scores cannot count, as results of their own: false alarms, and lesions that were missed."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from dmf_cli.comparison import significance
from dmf_cli.comparison.counting import ABSENT, MISSED, UNSCORED, Counted
from dmf_cli.comparison.groups import Group
from dmf_cli.comparison.versus import Versus, versus

FALSE_ALARMS, MISSES, GAPS = "false alarms", "missed", "undefined"


@dataclasses.dataclass(frozen=True)
class EventRow:
    """How often it happened to one setting.

    Args:
        group: the setting; the means of its rows are counts a repetition.
        mean: count a repetition, over repetitions.
        std: of the repetitions' counts, n - 1; NaN for one.
        images: on how many images it happened in at least one repetition.
        only: of these, on how many it never happened to the baseline; 0 for a baseline.
        baseline_only: images on which it happened to the baseline and never here.
        versus: difference of the counts to the baseline, tested like a score, but for ``p_images``, which is
            a permutation over images here (with one seed each: McNemar's test); None for a baseline.
    """

    group: Group
    mean: float
    std: float
    images: int
    only: int
    baseline_only: int
    versus: Versus | None

    @property
    def significant(self) -> bool:
        """Whether neither seeds nor images would have made the difference by chance.

        Events are rare, and a handful of images is far from normal: their permutation has to agree.
        """
        one = self.versus
        return one is not None and one.significant and one.p_images <= significance.ALPHA


@dataclasses.dataclass(frozen=True)
class Events:
    """One kind of event.

    Args:
        kind: ``false alarms``, ``missed`` or ``undefined``; of each, less is better.
        images: on how many images it can happen.
        rows: one a setting, in the order of the comparison.
    """

    kind: str
    images: int
    rows: tuple[EventRow, ...]

    @property
    def where(self) -> str:
        """``false alarms, of 12 images``."""
        return f"{self.kind}, of {self.images} image{'s' * (self.images != 1)}"


def of(
    groups: Sequence[Group],
    pairs: Sequence[tuple[Group, Group]],
    counted: Counted,
    *,
    by_truth: bool,
) -> tuple[Events, ...]:
    """Whatever the scores do not see, counted.

    Args:
        groups: with every image, in the order in which they are shown.
        pairs: (setting, its baseline), by label.
        counted: why images do not count.
        by_truth: whether no score sees a structure that is not there, see :func:`cases.by_truth`. A mean over
            classes leaves such a class out also of an image that counts for another class.
    """
    out = {one.kind for one in counted.excluded} | ({ABSENT} if by_truth else set())
    kinds: list[tuple[str, str, Callable[[Group], np.ndarray]]] = [
        (FALSE_ALARMS, ABSENT, lambda group: group.false_alarms),
        (MISSES, MISSED, lambda group: group.missed),
        (GAPS, UNSCORED, lambda group: np.isnan(group.scores).astype(np.float64)),
    ]
    events = [
        _events(kind, [(group, matrix(group)) for group in groups], pairs)
        for kind, reason, matrix in kinds
        if reason in out
    ]
    return tuple(one for one in events if one is not None)


def _events(
    kind: str, matrices: Sequence[tuple[Group, np.ndarray]], pairs: Sequence[tuple[Group, Group]]
) -> Events | None:
    """None where no table says whether it happened."""
    possible = ~np.isnan(np.concatenate([matrix for _, matrix in matrices])).any(axis=0)
    n = int(possible.sum())
    if not n:
        return None
    # A mean over images times their number is a count.
    made = {
        group.label: dataclasses.replace(group.on(possible), scores=matrix[:, possible] * n)
        for group, matrix in matrices
    }
    matched = [(made[group.label], made[base.label]) for group, base in pairs]
    against = {
        one.label: (base, result) for (one, base), result in zip(matched, _tested(matched), strict=True)
    }
    return Events(
        kind, n, tuple(_row(group, *against.get(label, (None, None))) for label, group in made.items())
    )


def _tested(matched: Sequence[tuple[Group, Group]]) -> list[Versus]:
    """With a permutation test over images in place of Wilcoxon's, which needs more of them that differ."""
    exact = [significance.paired_permutation(_differences(one, base)) for one, base in matched]
    return [
        dataclasses.replace(result, p_images=p)
        for result, p in zip(versus(matched), significance.holm(exact), strict=True)
    ]


def _differences(group: Group, baseline: Group) -> np.ndarray:
    """One an image, of those that have one: flipping the sign of 0 changes nothing."""
    every = group.per_image - baseline.per_image
    differences: np.ndarray = every[np.abs(every) > significance.TIE]
    return differences


def _row(group: Group, baseline: Group | None, result: Versus | None) -> EventRow:
    happened = (group.scores > 0).any(axis=0)
    before = happened if baseline is None else (baseline.scores > 0).any(axis=0)
    spread = float(np.std(group.means, ddof=1)) if len(group.means) > 1 else float("nan")
    return EventRow(
        group,
        float(group.means.mean()),
        spread,
        int(happened.sum()),
        int((happened & ~before).sum()),
        int((before & ~happened).sum()),
        result,
    )
