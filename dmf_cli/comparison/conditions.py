"""What was kept equal between the settings of a comparison, and what was not."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dmf_cli.comparison.groups import Group
from dmf_cli.comparison.loading import Run
from dmf_cli.comparison.settings import text

MASKS = "masks"
MOST = 4  # values that are named where something was not kept equal


@dataclasses.dataclass(frozen=True)
class Fact:
    """One condition of the runs of a comparison.

    Args:
        name: of the condition, for people.
        value: of all runs; else the values that some have, joined by "or".
        same: whether all runs have it.
    """

    name: str
    value: str
    same: bool


def kept_equal(runs: Sequence[Run]) -> tuple[Fact, ...]:
    """What all ``runs`` have in common, and what they do not; nothing of which no run says anything."""
    facts = []
    for name, describe in _FACTS:
        values = list(dict.fromkeys(value for value in map(describe, runs) if value))
        more = f" or {len(values) - MOST} more" if len(values) > MOST else ""
        if values:
            facts.append(Fact(name, " or ".join(values[:MOST]) + more, len(values) == 1))
    # Where all have one rule, the title says it.
    return tuple(fact for fact in facts if fact.name != MASKS or not fact.same)


def rolled_back(groups: Sequence[Group], runs: Sequence[Run]) -> str:
    """``weighting=var: 1 of 3 runs`` for each setting of which some were; empty where none was."""
    back, said = {run.path for run in runs if run.rolled_back}, []
    for group in groups:
        paths = [path for repetition in group.runs for path in repetition]
        if count := sum(path in back for path in paths):
            said.append(f"{group.name}: {count} of {len(paths)} runs")
    return "; ".join(said)


def _images(run: Run) -> str:
    if run.folds > 1:  # the folds of one split have sizes that differ by an image
        return f"{sum(run.parts.values())} in {run.folds} folds" if run.parts else f"{run.folds} folds"
    return ", ".join(f"{count} {part}" for part, count in run.parts.items())


def _model(run: Run) -> str:
    size = [f"{key} {_text(run.config, f'model.{key}')}" for key in ("filters", "depth")]
    known = [words for words in size if not words.endswith(" ")]
    return ", ".join([_text(run.config, "model.name"), *known]) if "model.name" in run.config else ""


def _optimizer(run: Run) -> str:
    name, rate = (_text(run.config, f"optimizer.{key}") for key in ("name", "learning_rate"))
    return f"{name}, learning rate {rate}" if name and rate else name


def _key(key: str) -> Callable[[Run], str]:
    return lambda run: _text(run.config, key)


def _text(config: Mapping[str, Any], key: str) -> str:
    value = config.get(key)
    if isinstance(value, list):
        return "x".join(map(text, value))
    return "" if value is None else text(value)


_FACTS: tuple[tuple[str, Callable[[Run], str]], ...] = (
    ("dataset", _key("dataset.name")),
    ("images", _images),
    ("image size", _key("dataset.image_size")),
    ("patch", _key("dataset.patch")),
    ("network", _model),
    ("loss", _key("loss.expression")),
    ("epochs", _key("trainer.epochs")),
    ("batch size", _key("trainer.batch_size")),
    ("optimizer", _optimizer),
    ("augmentation", _key("augment.name")),
    (MASKS, lambda run: run.rule),
)
