"""The runs of one setting as a matrix of scores, one row a repetition, one column an image."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path

import numpy as np

from dmf_cli.comparison.cases import ImageCase
from dmf_cli.comparison.loading import Run
from dmf_cli.comparison.settings import Label, Placed, words
from dmf_cli.errors import ConfigError


def _none() -> np.ndarray:
    return np.empty((0, 0))


@dataclasses.dataclass(frozen=True)
class Group:
    """One setting, repeated.

    Args:
        label: what it is.
        repetitions: the seed of each row of ``scores``, sorted; equal in two groups: a pair.
        runs: the folders of each repetition, in the same order: one a fold and whatever else differs.
        scores: ``(repetitions, images)``, NaN where the metric is undefined in any of its runs.
        there: whether the truth has what is scored, in the same shape; NaN where the tables do not say. Not
            given: they never do. So the next two.
        false_alarms: structures that were predicted and are not there, mean over the runs of a repetition;
            NaN where there can be none.
        missed: structures that are there, of which nothing was predicted.
        own: one figure a repetition, the mean over whatever is defined, as in the runs' own tables.
    """

    label: Label
    repetitions: tuple[Label, ...]
    runs: tuple[tuple[Path, ...], ...]
    scores: np.ndarray
    there: np.ndarray = dataclasses.field(default_factory=_none)
    false_alarms: np.ndarray = dataclasses.field(default_factory=_none)
    missed: np.ndarray = dataclasses.field(default_factory=_none)
    own: np.ndarray = dataclasses.field(default_factory=_none)

    def __post_init__(self) -> None:
        for name in ("there", "false_alarms", "missed"):
            if getattr(self, name).size == 0:
                object.__setattr__(self, name, np.full(self.scores.shape, math.nan))
        if self.own.size == 0:
            object.__setattr__(self, "own", means_of_defined(self.scores))

    @property
    def name(self) -> str:
        """The overrides that make it: ``weighting=var, loss=cbdice+bce``."""
        return words(self.label) or "all runs"

    @property
    def means(self) -> np.ndarray:
        """One figure a repetition."""
        means: np.ndarray = self.scores.mean(axis=1)
        return means

    @property
    def per_image(self) -> np.ndarray:
        """Repetitions averaged first."""
        means: np.ndarray = self.scores.mean(axis=0)
        return means

    def mean_of(self, repetition: Label) -> float:
        """The figure of one repetition."""
        return float(self.means[self.repetitions.index(repetition)])

    def rows(self, repetitions: Sequence[Label]) -> np.ndarray:
        """Scores of some repetitions, in their order."""
        return self.scores[[self.repetitions.index(repetition) for repetition in repetitions]]

    def on(self, images: np.ndarray) -> "Group":
        """The same with the columns ``images`` only; ``own`` stays."""
        names = ("scores", "there", "false_alarms", "missed")
        return dataclasses.replace(self, **{name: getattr(self, name)[:, images] for name in names})


def means_of_defined(scores: np.ndarray) -> np.ndarray:
    """Mean of each row over what is defined; NaN where nothing is."""
    counts = (~np.isnan(scores)).sum(axis=1)
    return np.where(counts > 0, np.nansum(scores, axis=1) / np.maximum(counts, 1), math.nan)


@dataclasses.dataclass(frozen=True)
class Collected:
    """What :func:`collect` made of the runs.

    Args:
        groups: sorted by label.
        images: ids, in the order of the columns of every group's scores.
        within: what the runs of one seed differ in; ``((),)`` where a seed is one run (or its folds).
        skipped: one line for each run that was excluded.
    """

    groups: list[Group]
    images: tuple[str, ...]
    within: tuple[Label, ...]
    skipped: list[str]


# setting -> seed -> what else differs -> fold -> run
_Tree = dict[Label, dict[str, dict[Label, dict[int, Run]]]]


def collect(placed: Sequence[Placed]) -> Collected:
    """The runs of each setting as a matrix of scores, one row a seed.

    Runs of one seed share its chance, so they are no repetitions of each other: a row is their mean. For the
    means of two settings to be over the same, only what every setting was run with counts, and a seed that
    lacks some of it, or folds, is excluded. Folds that no run tested are left out of all settings alike. Of
    two runs with one setting, seed and fold the newer name is kept.

    Raises:
        ConfigError: the settings were run with nothing in common.
    """
    tree: _Tree = {}
    skipped = []
    for one in sorted(placed, key=lambda p: str(p.run.path), reverse=True):
        folds = tree.setdefault(one.setting, {}).setdefault(one.seed, {}).setdefault(one.within, {})
        if one.run.fold in folds:
            used = folds[one.run.fold].path
            skipped.append(f"{one.run.path}: the same setting and seed as {used}, which is used")
        else:
            folds[one.run.fold] = one.run
    tested = {run.fold for run in _each(tree)}
    skipped += _drop(tree, lambda setting, seed, within, folds: _missing_folds(folds, tested))
    skipped += _not_run(tested, max((run.folds for run in _each(tree)), default=1))
    within = _common(tree)
    skipped += _drop(tree, lambda setting, seed, part, folds: _not_everywhere(part, within))
    skipped += _drop(tree, lambda setting, seed, part, folds: _missing_parts(tree[setting][seed], within))
    images = tuple(sorted({image for run in _each(tree) for image in run.scores}))
    groups = [_group(label, each, images) for label, each in sorted(tree.items()) if each]
    return Collected(groups, images, within, skipped)


def _drop(tree: _Tree, why: Callable[[Label, str, Label, Mapping[int, Run]], str]) -> list[str]:
    """Take out the runs of which ``why`` says something; a line for each such set of folds."""
    bad = [
        (setting, seed, within, f"{next(iter(folds.values())).path}: {reason}")
        for setting, seeds in tree.items()
        for seed, parts in seeds.items()
        for within, folds in parts.items()
        if (reason := why(setting, seed, within, folds))
    ]
    for setting, seed, within, _ in bad:
        del tree[setting][seed][within]
        if not tree[setting][seed]:
            del tree[setting][seed]
    return [line for *_, line in bad]


def _common(tree: _Tree) -> tuple[Label, ...]:
    """What every setting was run with, whatever the seed."""
    each = {setting: {part for parts in seeds.values() for part in parts} for setting, seeds in tree.items()}
    there = [parts for parts in each.values() if parts]
    common = set.intersection(*there) if there else set()
    if there and not common:
        said = "; ".join(
            f"{words(setting)} with {words(min(parts))}" for setting, parts in sorted(each.items()) if parts
        )
        raise ConfigError(
            "the settings have nothing in common, so nothing separates their effect from what else differs; "
            f"there are {said}",
            key="--by",
            hint="omit --by, or choose runs with --only",
        )
    return tuple(sorted(common))


def _not_everywhere(part: Label, within: Sequence[Label]) -> str:
    return "" if part in within else f"not every setting was run with {words(part)}"


def _missing_parts(there: Mapping[Label, object], within: Sequence[Label]) -> str:
    lacks = [part for part in within if part not in there]
    if not lacks:
        return ""
    return f"its seed was not run with {' nor with '.join(map(words, lacks))}, and a seed is the mean of all"


def _each(tree: _Tree) -> Iterator[Run]:
    for seeds in tree.values():
        for parts in seeds.values():
            for folds in parts.values():
                yield from folds.values()


def _group(
    label: Label, seeds: Mapping[str, Mapping[Label, Mapping[int, Run]]], images: Sequence[str]
) -> Group:
    every = [_pooled(seeds[seed], images) for seed in sorted(seeds)]
    runs = tuple(
        tuple(run.path for _, folds in sorted(seeds[seed].items()) for _, run in sorted(folds.items()))
        for seed in sorted(seeds)
    )
    # What one of the runs of a repetition cannot score is undefined in their mean.
    scores, there, false_alarms, missed = (
        np.array([one[:, part].mean(axis=0) for one in every]) for part in range(4)
    )
    own = np.array([float(means_of_defined(one[:, 0]).mean()) for one in every])
    return Group(
        label,
        tuple((("seed", seed),) for seed in sorted(seeds)),
        runs,
        scores,
        there,
        false_alarms,
        missed,
        own,
    )


def _pooled(parts: Mapping[Label, Mapping[int, Run]], images: Sequence[str]) -> np.ndarray:
    """``(runs, 4, images)``: score, whether it is there, false alarms, missed; the folds of a run are one."""
    made = []
    for folds in parts.values():
        scores = _means(run.scores for run in folds.values())
        cases = {k: v for run in folds.values() for k, v in run.cases.items()}
        each = [cases.get(image, ImageCase()) for image in images]
        made.append(
            [
                [scores.get(image, math.nan) for image in images],
                [math.nan if case.there is None else float(case.there) for case in each],
                [case.false_alarms for case in each],
                [case.missed for case in each],
            ]
        )
    return np.array(made, np.float64)


def _means(tables: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The score of each image; of several folds, as validation images may be of, their mean."""
    several: dict[str, list[float]] = {}
    for scores in tables:
        for image, score in scores.items():
            several.setdefault(image, []).append(score)
    return {image: sum(values) / len(values) for image, values in several.items()}


def _missing_folds(folds: Mapping[int, Run], tested: Set[int]) -> str:
    lacks = sorted(tested - set(folds))
    if not lacks:
        return ""
    return f"{_names(lacks)} of its {next(iter(folds.values())).folds} missing, and others have it"


def _not_run(tested: Set[int], folds: int) -> list[str]:
    lacks = sorted(set(range(folds)) - tested) if folds > 1 else []
    return [f"the images of {_names(lacks)} of {folds}: no setting was run with it"] if lacks else []


def _names(folds: Sequence[int]) -> str:
    return f"fold {folds[0]}" if len(folds) == 1 else f"folds {', '.join(map(str, folds))}"
