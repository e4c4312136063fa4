"""The comparison itself: one row a setting, each held against one baseline."""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import stats

from dmf_cli.errors import ConfigError, DmfError, RunFolderError, UnknownNameError
from dmf_cli.results.comparison import loading, settings, significance
from dmf_cli.results.comparison.groups import Group, collect, same_images
from dmf_cli.results.comparison.intervals import Interval, interval
from dmf_cli.results.comparison.loading import Run
from dmf_cli.results.comparison.versus import Versus, versus

LOWER_IS_BETTER = ("fpr", "fnr", "hd95", "asd", "ece", "false_positives")


@dataclasses.dataclass(frozen=True)
class Row:
    """One setting.

    Args:
        group: its runs and scores.
        mean: over repetitions and images, with its interval.
        std: of the repetitions' means, n - 1; NaN for one.
        rank: mean rank over images, 1 is best.
        wins: repetitions (of those that all settings have) in which it is best.
        versus: the difference to the baseline; None for the baseline itself.
    """

    group: Group
    mean: Interval
    std: float
    rank: float
    wins: int
    versus: Versus | None


@dataclasses.dataclass(frozen=True)
class Comparison:
    """All settings, best first.

    Args:
        metric: a column of the per-image tables.
        rows: one a setting.
        baseline: its name.
        images: ids, in the order of the columns of every group's scores.
        described: what was scored, and how.
        left_out: one line for each run that could not be compared.
    """

    metric: str
    rows: tuple[Row, ...]
    baseline: str
    images: tuple[str, ...]
    described: str
    left_out: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """The answer in words; no winner is named that chance could have made."""
        others = [(row.group.name, row.versus) for row in self.rows if row.versus]
        lower = lower_is_better(self.metric)
        said = [
            f"{name} is {'better' if (one.difference.mean < 0) == lower else 'worse'} than {self.baseline} "
            f"(p = {one.p_seeds:.3g})"
            for name, one in others
            if one.significant
        ]
        return "; ".join(said) if said else _undecided(self.baseline, [one for _, one in others])


def compare(
    paths: Sequence[Path], *, metric: str, by: Sequence[str] | None = None, baseline: str | None = None
) -> Comparison:
    """Compare the runs below ``paths``.

    Args:
        paths: run folders, or folders that hold some.
        metric: a column of the per-image tables, such as ``foreground.dice``.
        by: see :func:`dmf_cli.results.comparison.settings.place`.
        baseline: ``KEY=VALUE`` (several with commas) that one setting has; None: ``weighting=fixed`` where
            there is one, else the first by name.

    Raises:
        RunFolderError: fewer than two comparable runs.
        ConfigError: all runs are one setting, or the baseline is none of them.
    """
    runs, left_out = _load(loading.find(list(paths)), metric)
    runs, others = same_images(runs)
    groups, images, doubled = collect(settings.place(runs, by))
    left_out = [*left_out, *others, *doubled]
    if len(groups) < 2:
        raise ConfigError(
            f"all {len(runs)} comparable runs have one setting, nothing to compare: give runs that differ in "
            "more than the seed" + "".join(f"; left out: {line}" for line in left_out[:1])
        )
    base = _baseline(groups, baseline)
    return Comparison(
        metric, _rows(groups, base, metric), base.name, images, runs[0].described, tuple(left_out)
    )


def lower_is_better(metric: str) -> bool:
    """Whether small values of ``metric`` are good."""
    return metric.rsplit(".", 1)[-1] in LOWER_IS_BETTER


def _load(folders: Sequence[Path], metric: str) -> tuple[list[Run], list[str]]:
    """Runs that can be compared, and a line for each that cannot."""
    runs: list[Run] = []
    left_out: list[str] = []
    for folder in folders:
        try:
            runs.append(loading.load(folder, metric))
        except UnknownNameError:
            raise
        except DmfError as error:
            left_out.append(str(error))
    if len(runs) < 2:
        why = "".join(f"; {line}" for line in left_out[:2])
        raise RunFolderError(f"{len(runs)} completed run(s) found, and two or more are needed{why}")
    return runs, left_out


def _baseline(groups: Sequence[Group], wanted: str | None) -> Group:
    if wanted is None:
        return next((group for group in groups if ("weighting", "fixed") in group.label), groups[0])
    pairs = [tuple(part.strip().split("=", 1)) for part in wanted.split(",")]
    matching = [group for group in groups if all(pair in group.label for pair in pairs)]
    if len(matching) != 1:
        what = "no setting has" if not matching else f"{len(matching)} settings have"
        names = "; ".join(group.name for group in groups)
        raise ConfigError(f"--baseline {wanted}: {what} that; give one of: {names}")
    return matching[0]


def _rows(groups: Sequence[Group], base: Group, metric: str) -> tuple[Row, ...]:
    lower = lower_is_better(metric)
    others = [group for group in groups if group is not base]
    against = {g.label: v for g, v in zip(others, versus(others, base), strict=True)}
    ranks, wins = _ranks(groups, lower), _wins(groups, lower)
    rows = []
    for group, rank, won in zip(groups, ranks, wins, strict=True):
        spread = float(np.std(group.means, ddof=1)) if len(group.means) > 1 else math.nan
        rows.append(Row(group, interval(group.scores), spread, rank, won, against.get(group.label)))
    return tuple(sorted(rows, key=lambda row: row.mean.mean, reverse=not lower))


def _ranks(groups: Sequence[Group], lower: bool) -> list[float]:
    """Mean ranks over the images that count everywhere."""
    table = np.array([group.per_image for group in groups])
    table = table[:, ~np.isnan(table).any(axis=0)]
    if not table.size:
        return [math.nan] * len(groups)
    return [float(rank) for rank in stats.rankdata(table if lower else -table, axis=0).mean(axis=1)]


def _wins(groups: Sequence[Group], lower: bool) -> list[int]:
    """In how many of the common repetitions each is best; ties count for all."""
    common = set.intersection(*(set(group.repetitions) for group in groups))
    won = [0] * len(groups)
    for repetition in common:
        means = [group.mean_of(repetition) for group in groups]
        best = (min if lower else max)(means)
        won = [count + (mean == best) for count, mean in zip(won, means, strict=True)]
    return won


def _undecided(baseline: str, known: Sequence[Versus]) -> str:
    """Why no winner is named, and what it would take."""
    text = f"no setting differs from {baseline} by more than chance could make"
    least = min(one.smallest_p for one in known)
    if least > significance.ALPHA:
        enough = significance.seeds_to_reach(len(known))
        text += f"; with these seeds p cannot fall below {least:.2g}: it takes {enough} paired seeds"
    needed = [one.seeds_needed for one in known if one.seeds_needed is not None]
    if needed:
        text += f"; to find a difference as large as the clearest one seen, about {min(needed)} seeds"
    return text
