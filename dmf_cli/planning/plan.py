"""A plan: what was decided for a dataset, a machine and a budget, with reasons and the command to run."""

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from dmf_cli import conf_files, config, hints, machine
from dmf_cli.config.typed import Config
from dmf_cli.parts import given as objects
from dmf_cli.planning import decide, fingerprint, kept, reasons, units
from dmf_cli.planning.fingerprint import Fingerprint
from dmf_cli.planning.kept import Kept
from dmf_cli.planning.room import OutOfMemoryError
from dmf_cli.planning.settings import NO_ROOM, Chosen, Limits, Setting, Speed
from dmf_cli.terminal.formats import duration
from dmf_cli.terminal.say import say as print_line

BUDGET = "30m"
Measure = Callable[[Config], Speed]


@dataclasses.dataclass(frozen=True, repr=False)
class TrainingPlan:
    """What to train with.

    Args:
        facts: of the images.
        limits: of time and memory.
        choice: the setting, its speed and the epochs.
        given: overrides of the user.
        words: overrides of the plan, of other keys.
        reasons: (what, value, why) of each.
        kept: what a preset or the dataset has set.
    """

    facts: Fingerprint
    limits: Limits
    choice: Chosen
    given: tuple[str, ...]
    words: tuple[str, ...]
    reasons: tuple[tuple[str, str, str], ...]
    kept: Kept

    @property
    def overrides(self) -> list[str]:
        """What trains so, as words of ``dmf train``."""
        return [*self.given, *self.words]

    @property
    def command(self) -> str:
        """Likewise, as a command."""
        return hints.command("train", *self.overrides)

    def lines(self) -> list[str]:
        """The plan in words."""
        width = [max((len(row[column]) for row in self.reasons), default=0) for column in (0, 1)]
        rows = [f"  {what:<{width[0]}}  {value:<{width[1]}}  {why}" for what, value, why in self.reasons]
        expected = f"{duration(self.choice.seconds)} of {duration(self.limits.budget)}"
        return [
            *self.facts.lines(),
            "",
            *rows,
            *self.kept.lines(),
            "",
            f"expected  {expected}, {machine.amount(self.choice.speed.memory)} of memory",
            f"run       {self.command}",
        ]

    def __repr__(self) -> str:
        return "\n".join(self.lines())

    def as_json(self) -> dict[str, Any]:
        """In words of JSON."""
        return {
            "budget": self.limits.budget,
            "seconds": round(self.choice.seconds, 1),
            "training": round(self.choice.training, 1),
            "memory": round(self.choice.speed.memory),
            "overrides": list(self.words),
            "command": self.command,
            "reasons": [dict(zip(("what", "value", "why"), row, strict=True)) for row in self.reasons],
            "kept": {key: {"value": value, "why": who} for key, (value, who) in self.kept.others.items()},
            "speed": dataclasses.asdict(self.choice.speed),
            "fingerprint": dataclasses.asdict(self.facts),
        }


def make(
    words: Sequence[str], measure: Measure | None = None, say: Callable[[str], None] = print_line
) -> TrainingPlan:
    """The plan for overrides of ``dmf train``, with ``budget=`` and ``memory=`` among them.

    Args:
        words: of the user.
        measure: the speed of a config; default: measured on this machine.
        say: called with a line for each speed that is measured.

    Raises:
        UsageError: a word is wrong, there are no images, or the budget is too small for them.
    """
    budget, memory, given = own_words(words)
    base = config.compose(given)
    # `auto` is what a plan is asked for: a number that it chooses.
    given = [word for word in given if word.lstrip("+") != "trainer.epochs=auto"]
    stays, facts = kept.of(base, given), fingerprint.of(base)
    limits = kept.limits(base, given, stays, facts, budget, memory)
    free = not stays.has("dataset.resize") and limits.size is None
    resize = reasons.resize_for(facts) if free else None
    facts = facts.resized(resize[0] if resize else base.dataset.resize)
    recipes = conf_files.options("recipe")
    with _measuring(base) if measure is None else contextlib.nullcontext(measure) as used:
        choice = _search(facts, limits, given, recipes, used, say)
    rows = reasons.reasons(choice, facts, limits)
    if base.model.params.get("depth") != "auto":  # the user's, or a network that has none
        rows = [row for row in rows if row[0] != "depth"]
    rows += [("resize", *resize)] if resize else []
    made = reasons.words(choice, limits, recipes, resize[0] if resize else None)
    return TrainingPlan(facts, limits, choice, tuple(given), tuple(made), tuple(rows), stays)


def own_words(words: Sequence[str]) -> tuple[float, int | None, list[str]]:
    """Seconds of ``budget=``, bytes of ``memory=``, and the other words."""
    own = dict(word.split("=", 1) for word in words if word.partition("=")[0] in units.WORDS and "=" in word)
    rest = [word for word in words if word.partition("=")[0] not in units.WORDS]
    budget = units.seconds(own.get("budget", BUDGET))
    return budget, units.memory(own["memory"]) if "memory" in own else None, rest


def _search(
    facts: Fingerprint,
    limits: Limits,
    given: Sequence[str],
    recipes: Sequence[str],
    measure: Measure,
    say: Callable[[str], None],
) -> Chosen:
    measured: dict[Setting, Speed] = {}
    while not isinstance(found := decide.decide(facts, limits, measured), Chosen):
        words = reasons.setting_words(found, limits, recipes)
        say(f"timing    {' '.join(words) or 'the config'}")
        chosen = config.compose([*words, *given])
        try:
            measured[found] = measure(chosen if limits.epochs else chosen.changed("trainer", epochs=100))
        except OutOfMemoryError as error:
            say(f"no room   {error.what}")
            measured[found] = NO_ROOM
    return found


def _measuring(base: Config) -> contextlib.AbstractContextManager[Measure]:
    """In processes of their own, but for objects that only this process has."""
    from dmf_cli.planning import speed, timing

    if any(map(objects.is_given, base.plugins)):
        return contextlib.nullcontext(speed.here)
    return timing.Timer()
