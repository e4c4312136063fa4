"""Which images a comparison counts: one set for every figure in it, and why the others are not in it."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from dmf_cli.comparison.groups import Group
from dmf_cli.errors import RunFolderError

LEAST = 0.25  # of the images that could count: with fewer, the easy ones alone would decide
ABSENT, MISSED, UNSCORED = "absent", "missed", "unscored"


@dataclasses.dataclass(frozen=True)
class Excluded:
    """Images that do not count, for one reason.

    Args:
        kind: ``absent``: the truth has nothing that could be scored; ``missed``: at least one network marks
            nothing where there is something, and the metric is undefined then; ``unscored``: undefined in at
            least one run for another reason.
        images: their ids.
        everywhere: how many of them are undefined in every run, so that no setting is alone with it.
    """

    kind: str
    images: tuple[str, ...]
    everywhere: int

    @property
    def why(self) -> str:
        """``12 without anything to find in the truth``."""
        few = len(self.images)
        if self.kind == ABSENT:
            return f"{few} without the structure in the truth"
        what = "missed by at least one network" if self.kind == MISSED else "undefined in at least one run"
        return f"{few} {what}" + (f" ({self.everywhere} in all)" if self.everywhere else "")


@dataclasses.dataclass(frozen=True)
class Counted:
    """The images of a comparison.

    Args:
        images: ids of those that count, in the order of the columns of every group's scores.
        excluded: those that do not, by reason; each image once.
    """

    images: tuple[str, ...]
    excluded: tuple[Excluded, ...] = ()

    @property
    def total(self) -> int:
        """All images that were tested."""
        return len(self.images) + sum(len(one.images) for one in self.excluded)

    @property
    def described(self) -> str:
        """``105 of 120 images count; 15 do not: 15 without the structure in the truth``."""
        if not self.excluded:
            return f"all {self.total} images count"
        why = ", ".join(one.why for one in self.excluded)
        return f"{len(self.images)} of {self.total} images count; not: {why}"


def count(
    groups: Sequence[Group], images: Sequence[str], *, by_truth: bool, metric: str = "the metric"
) -> tuple[Counted, list[Group]]:
    """The images that count, and ``groups`` with the scores of these only.

    Args:
        groups: all settings, with every image.
        images: ids of their columns.
        by_truth: whether an image without the structure in its truth cannot be scored, even where every
            network has a false alarm on it.
        metric: for the message.

    Raises:
        RunFolderError: too few are left for a fair answer.
    """
    scores = np.concatenate([group.scores for group in groups])
    undefined = np.isnan(scores)
    there = truth(groups)
    absent = (there == 0) & (by_truth | undefined.any(axis=0))
    gone = undefined.any(axis=0) & ~absent
    missed = np.any([np.nan_to_num(group.missed).any(axis=0) for group in groups], axis=0) & gone
    kept = ~absent & ~gone
    kinds = {ABSENT: absent, MISSED: missed, UNSCORED: gone & ~missed}
    if kept.sum() < max(1.0, LEAST * (kept | (gone & ~undefined.all(axis=0))).sum()):
        raise _too_few(groups, metric, kept, kinds)
    ids = np.array(images, dtype=object)
    excluded = tuple(
        Excluded(kind, tuple(ids[mask]), int(undefined[:, mask].all(axis=0).sum()))
        for kind, mask in kinds.items()
        if mask.any()
    )
    return Counted(tuple(ids[kept]), excluded), [group.on(kept) for group in groups]


def truth(groups: Sequence[Group]) -> np.ndarray:
    """1 where the truth has what is scored, 0 where it has not, NaN where no table says so."""
    known = np.concatenate([group.there for group in groups])
    return np.where(np.isnan(known).all(axis=0), np.nan, (known == 1).any(axis=0).astype(np.float64))


def _too_few(
    groups: Sequence[Group], metric: str, kept: np.ndarray, kinds: dict[str, np.ndarray]
) -> RunFolderError:
    """How many are left, why, and which setting takes most of them away."""
    why = ", ".join(f"{mask.sum()} {kind}" for kind, mask in kinds.items() if mask.any())
    worst = max(groups, key=lambda group: int(np.isnan(group.scores).any(axis=0).sum()))
    lost = int(np.isnan(worst.scores).any(axis=0).sum())
    return RunFolderError(
        f"{metric} is defined in every run on {int(kept.sum())} of {len(kept)} test images only, too few to "
        f"compare ({why}; most in {worst.name}: {lost})",
        key="--metric",
        value=metric,
        hint="exclude that setting with --only, or score again with `dmf eval RUN metrics.missed=diagonal`",
    )
