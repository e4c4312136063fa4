"""What to train with in a given time: ``dmf_cli.plan``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dmf_cli.api import objects, process, words
from dmf_cli.planning import plan as plans
from dmf_cli.planning.plan import TrainingPlan
from dmf_cli.terminal.run_display import Display


def plan(
    *,
    budget: str = plans.BUDGET,
    memory: str | None = None,
    overrides: Sequence[str] = (),
    plugins: str | Path | Sequence[str | Path] = (),
    config_dir: str | Path | None = None,
    **settings: Any,
) -> TrainingPlan:
    """What to train with on these images, on this machine, in a given time, as ``dmf plan``.

    Each setting is timed in a process of its own; with an object for a loss, a model or a dataset in this
    one, whose memory then holds more than the run.

    Args:
        budget: for the whole run, as ``"30m"``, ``"90s"`` or ``"1h30m"``.
        memory: at most, as ``"800M"`` or ``"4G"``; None: four fifths of what this machine has.
        overrides: words as on the command line.
        plugins: files and modules with parts of your own.
        config_dir: one more folder with config groups of your own.
        settings: as for :func:`dmf_cli.train`; what they set stays.

    Returns:
        The plan: printed, it is what the command prints; ``overrides`` train so.

    Raises:
        UsageError: a setting is wrong, there are no images, or budget or memory are too small for them.
        RunError: a setting could not be timed.

    Example:
        >>> plan = dmf_cli.plan(dataset={"name": "busi", "dir": "images"}, budget="1h")
        >>> run = dmf_cli.train(overrides=plan.overrides)
    """
    asked = [*words.of(objects.named(settings), overrides), *objects.own_words(plugins, config_dir)]
    return made([*asked, *limits(budget, memory)])


def limits(budget: str | None, memory: str | None) -> list[str]:
    """The words for what a plan must keep to."""
    given = {"budget": budget, "memory": memory}
    return [f"{key}={value}" for key, value in given.items() if value is not None]


def made(asked: Sequence[str]) -> TrainingPlan:
    """The plan for words."""
    with process.borrowed():
        return plans.make(asked, say=Display().note)
