"""The comparison itself: one row a setting, each compared with a baseline."""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import stats

from dmf_cli.comparison import (
    conditions,
    events,
    intervals,
    loading,
    movement,
    settings,
    verdict,
)
from dmf_cli.comparison.comparable import described, same_images
from dmf_cli.comparison.counting import Counted, count
from dmf_cli.comparison.equivalence import Equivalence, check, equivalence
from dmf_cli.comparison.events import Events
from dmf_cli.comparison.groups import Group, collect
from dmf_cli.comparison.intervals import Interval
from dmf_cli.comparison.loading import Run
from dmf_cli.comparison.settings import Label
from dmf_cli.comparison.versus import Versus, versus
from dmf_cli.errors import ConfigError, DmfError, RunFolderError, UnknownNameError, debugging
from dmf_cli.run_folder import headline

Pairs = Sequence[tuple[str, str]]
MORE = "give more runs, or train them, as by `dmf train -m weighting=fixed,var seed=0,1,2`"


@dataclasses.dataclass(frozen=True)
class Row:
    """One setting.

    Args:
        group: its runs and scores, of the images that count.
        mean: over repetitions and images, with its interval.
        own: mean over whatever images each run could score; it differs from ``mean`` where images do not
            count. It is the figure of the run's own table, but for a mean over classes: there it is that of
            the classes' own figures.
        bootstrapped: ends of the percentile bootstrap of the same mean.
        std: of the repetitions' means, n - 1; NaN for one.
        rank: mean rank over images, 1 is best.
        wins: repetitions (of those that all settings have) in which it is best.
        versus: the difference to its baseline; None for a baseline.
        equivalence: whether the difference is within the margin; None for a baseline, or without a margin.
        weights: how the weight of each term moved over the steps of its runs.
    """

    group: Group
    mean: Interval
    own: float
    bootstrapped: tuple[float, float]
    std: float
    rank: float
    wins: int
    versus: Versus | None
    equivalence: Equivalence | None = None
    weights: tuple[movement.Weight, ...] = ()


@dataclasses.dataclass(frozen=True)
class Comparison:
    """All settings, best first.

    Args:
        metric: a column of the per-image tables.
        rows: one a setting.
        baseline: what the others are compared with, for people; empty where there is one setting only.
        counted: which images count, and why others do not; every figure is of these.
        events: what no score says: false alarms, missed lesions, each counted and tested; empty where none of
            them can happen.
        common: repetitions that all settings have.
        within: what the runs of one repetition differ in, which is their mean; ``((),)``: each is one run.
        friedman: p of Friedman's test that all settings rank alike over images; NaN for fewer than three.
        described: what was scored, and how.
        skipped: one line for each run that could not be compared.
        verdict: the answer in words; no winner is named that chance could have made.
        excluded: how large a difference can be ruled out, in words; empty for one setting.
        power: whether seeds or images limit the answer, and what it takes to find differences of a given
            size, in words; may be empty.
        kept: what all runs have in common, and what they do not, for people.
        by_truth: whether the truth decides which images and classes count, as for Dice with ``empty=nan``.
        lower: whether small values of the metric are good.
        rolled_back: of which settings some runs diverged and went on with a lower learning rate, in words.
    """

    metric: str
    rows: tuple[Row, ...]
    baseline: str
    counted: Counted
    events: tuple[Events, ...]
    common: int
    within: tuple[Label, ...]
    friedman: float
    described: str
    skipped: tuple[str, ...]
    verdict: str
    excluded: str
    power: str
    kept: tuple[conditions.Fact, ...]
    by_truth: bool = False
    lower: bool = False
    rolled_back: str = ""

    @property
    def images(self) -> tuple[str, ...]:
        """Ids of the images that count, in the order of the columns of every group's scores."""
        return self.counted.images


def compare(
    paths: Sequence[Path],
    *,
    metric: str | None = None,
    by: Sequence[str] | None = None,
    baseline: str | None = None,
    only: Pairs = (),
    differences: Sequence[float] | None = None,
    margin: float | None = None,
    part: str = "test",
) -> Comparison:
    """Compare the runs below ``paths``.

    Args:
        paths: run folders, or folders that hold some. Runs of one setting (seeds, folds) are pooled, and
            compared with nothing.
        metric: a column of the per-image tables, such as ``foreground.iou``. Without a scope, as ``dice``,
            it is the mean over classes where all runs have several, else of the foreground. None: ``dice``.
        by: see :func:`dmf_cli.comparison.settings.place`.
        baseline: ``KEY=VALUE`` (several with commas) of the settings that the others are compared with. If
            several have it, each other is compared with the one that is like it in everything else. None:
            ``weighting=fixed`` where there is one, else the first by name.
        only: (key, value) that runs must have; the others are excluded without a message.
        differences: to say how many seeds they need; None: usual ones for the metric.
        margin: differences below it do not matter: say which settings are practically equivalent.
        part: the images of which part of the split: ``test``, or ``val`` or ``train``, whose scores ``dmf
            eval RUN split=val`` writes; settings are chosen by ``val``, lest the test flatter the choice.

    Raises:
        RunFolderError: fewer than two comparable runs.
        ConfigError: the baseline is none of the settings, or all of them; a margin that is none.
        UnknownNameError: a part that no split has.
    """
    if part not in loading.PARTS:
        raise UnknownNameError("split", part, loading.PARTS)
    if margin is not None:
        check(margin)
    metric = _in_full(paths, metric or "dice", part)
    runs, skipped = _load(paths, metric, part)
    runs, others = same_images(settings.only(runs, only))
    collected = collect(settings.place(runs, by))
    whole, skipped = collected.groups, [*skipped, *others, *collected.skipped]
    if not whole:
        raise RunFolderError(f"no setting is complete ({skipped[-1]})", hint="train the runs that it lacks")
    counted, groups = count(whole, collected.images, by_truth=runs[0].by_truth, metric=metric)
    alone = len(groups) == 1 and baseline is None
    if alone and len(groups[0].scores) == 1 and len(groups[0].runs[0]) == 1:
        raise RunFolderError(f"one run is left, and two or more are needed ({skipped[-1]})", hint=MORE)
    pairs, name = ([], "") if alone else _baselines(groups, baseline)
    against = versus(pairs)
    lower = any(run.lower for run in runs)  # a damaged summary does not say it
    rows = _rows(groups, {one[0].label: v for one, v in zip(pairs, against, strict=True)}, lower, margin)
    contrasts = [verdict.Contrast(row.group.name, row.versus, row.equivalence) for row in rows if row.versus]
    paths_used = {path for group in groups for paths in group.runs for path in paths}
    used = [run for run in runs if run.path in paths_used]
    return Comparison(
        metric=metric,
        rows=rows,
        baseline=name,
        counted=counted,
        events=events.of(_ordered(whole, rows), pairs, counted, by_truth=runs[0].by_truth),
        common=len(_common(groups)),
        within=collected.within,
        friedman=_friedman(groups),
        described=described(used),
        skipped=tuple(skipped),
        verdict=verdict.of(contrasts, metric, lower),
        excluded=verdict.excluded(contrasts, metric, lower),
        power=verdict.power(contrasts, metric, len(counted.images), differences),
        kept=conditions.kept_equal(used),
        by_truth=runs[0].by_truth,
        lower=lower,
        rolled_back=conditions.rolled_back(groups, used),
    )


def _in_full(paths: Sequence[Path], metric: str, part: str) -> str:
    """``dice`` with the scope that the runs are judged by: ``mean.dice`` or ``foreground.dice``."""
    if "." in metric:
        return metric
    folders, _ = loading.find(list(paths))
    scope, _, _ = headline.of_files([loading.table(folder, part) for folder in folders]).partition(".")
    return f"{scope}.{metric}"


def _load(paths: Sequence[Path], metric: str, part: str) -> tuple[list[Run], list[str]]:
    """Runs that can be compared, and a line for each that cannot."""
    folders, skipped = loading.find(list(paths))
    runs: list[Run] = []
    unknown: dict[Path, UnknownNameError] = {}
    for folder in folders:
        try:
            runs.append(loading.load(folder, metric, part))
        except UnknownNameError as error:
            unknown[folder] = error
        except DmfError as error:
            skipped.append(str(error))
        except Exception as error:
            # Whatever somebody has put into a run must not cost the comparison of the others.
            if debugging():
                raise
            why = " ".join(f"{type(error).__name__} {error}".split())[:200]
            skipped.append(f"{folder} cannot be read ({why}); DMF_DEBUG=1 shows where")
    if unknown and not runs:
        every = {name for error in unknown.values() for name in error.allowed or ()}
        raise UnknownNameError("metric", metric, every, next(iter(unknown.values())).hint)
    skipped += [f"{folder} has no {metric}: {error.hint}" for folder, error in unknown.items()]
    if len(runs) < 2:
        why = "".join(f"; {line}" for line in skipped[:2])
        why += f"; and {len(skipped) - 2} more" if len(skipped) > 2 else ""
        few = f"{len(runs)} completed run(s) found, and two or more are needed{why}"
        raise RunFolderError(few, hint="" if why else MORE)
    return runs, skipped


def _baselines(groups: Sequence[Group], wanted: str | None) -> tuple[list[tuple[Group, Group]], str]:
    """(setting, its baseline) for each that is none, and what the baseline is called."""
    if wanted is None:
        fixed = any(("weighting", "fixed") in group.label for group in groups)
        given = (("weighting", "fixed"),) if fixed else groups[0].label
    else:
        given = tuple(_pair(part) for part in wanted.split(","))
    name = settings.words(given)
    bases = [group for group in groups if all(pair in group.label for pair in given)]
    if not bases or len(bases) == len(groups):
        reason = f"which {'all settings have' if bases else 'no setting has'}"
        if len(groups) == 1:
            hint = "the runs have one setting only; give runs that differ in more than the seed"
            raise ConfigError(key="--baseline", value=wanted, reason=reason, hint=hint)
        names = f"one of: {'; '.join(group.name for group in groups)}"
        raise ConfigError(key="--baseline", value=wanted, reason=reason, allowed=names)
    keys = [key for key, _ in given]
    pairs = [(group, _base(group, bases, keys)) for group in groups if group not in bases]
    return pairs, bases[0].name if len(bases) == 1 else f"the {name} of the same {_rest(bases[0], keys)}"


def _pair(part: str) -> tuple[str, str]:
    key, _, value = part.strip().partition("=")
    return key, value


def _base(group: Group, bases: Sequence[Group], keys: Sequence[str]) -> Group:
    """The baseline that is like ``group`` in all but ``keys`` and their parameters."""
    alike = [base for base in bases if _others(base, keys) == _others(group, keys)]
    if len(bases) == 1 or len(alike) == 1:
        return alike[0] if alike else bases[0]
    hint = f"choose one with --baseline: {'; '.join(base.name for base in bases)}"
    raise ConfigError(f"several baselines fit {group.name}", key="--baseline", hint=hint)


def _others(group: Group, keys: Sequence[str]) -> Label:
    return tuple(
        (k, v) for k, v in group.label if not any(k == key or k.startswith(f"{key}.") for key in keys)
    )


def _rest(group: Group, keys: Sequence[str]) -> str:
    return " and ".join(key for key, _ in _others(group, keys))


def _rows(
    groups: Sequence[Group], against: dict[Label, Versus], lower: bool, margin: float | None
) -> tuple[Row, ...]:
    rows = []
    tested = equivalence(list(against.values()), margin) if margin is not None else []
    equivalent = dict(zip(against, tested, strict=False))
    for group, rank, won in zip(groups, _ranks(groups, lower), _wins(groups, lower), strict=True):
        spread = float(np.std(group.means, ddof=1)) if len(group.means) > 1 else math.nan
        mean, bootstrapped = intervals.interval(group.scores), intervals.bootstrap(group.scores)
        own = intervals.mean_of(group.own)
        weights = movement.weights([path for paths in group.runs for path in paths])
        tests = against.get(group.label), equivalent.get(group.label)
        rows.append(Row(group, mean, own, bootstrapped, spread, rank, won, *tests, weights))
    return tuple(sorted(rows, key=lambda row: row.mean.mean, reverse=not lower))


def _table(groups: Sequence[Group]) -> np.ndarray:
    """``(settings, images)``, repetitions averaged first."""
    return np.array([group.per_image for group in groups])


def _ordered(groups: Sequence[Group], rows: Sequence[Row]) -> list[Group]:
    """``groups`` in the order of ``rows``."""
    by_label = {group.label: group for group in groups}
    return [by_label[row.group.label] for row in rows]


def _ranks(groups: Sequence[Group], lower: bool) -> list[float]:
    """Mean ranks over images."""
    table = _table(groups)
    if not table.size:
        return [math.nan] * len(groups)
    return [float(rank) for rank in stats.rankdata(table if lower else -table, axis=0).mean(axis=1)]


def _friedman(groups: Sequence[Group]) -> float:
    table = _table(groups)
    if len(groups) < 3 or table.shape[1] < 2 or (table == table[0]).all():
        return math.nan
    return float(stats.friedmanchisquare(*table).pvalue)


def _common(groups: Sequence[Group]) -> set[Label]:
    return set.intersection(*(set(group.repetitions) for group in groups))


def _wins(groups: Sequence[Group], lower: bool) -> list[int]:
    """In how many of the common repetitions each is best; ties count for all."""
    won = [0] * len(groups)
    for repetition in _common(groups):
        means = [group.mean_of(repetition) for group in groups]
        best = (min if lower else max)(means)
        won = [count + (mean == best) for count, mean in zip(won, means, strict=True)]
    return won
