"""A plan: what was decided for a dataset, a machine and a budget, with reasons and the command to run."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from dmf_cli import conf_files, config, hints, machine
from dmf_cli.config import inputs
from dmf_cli.config.typed import Config
from dmf_cli.planning import decide, fingerprint, reasons, units
from dmf_cli.planning.fingerprint import Fingerprint
from dmf_cli.planning.settings import Chosen, Limits, Setting, Speed
from dmf_cli.terminal.say import say as print_line

BUDGET = "30m"
SHARE = 0.8  # of the memory of this machine, where the user names no limit


@dataclasses.dataclass(frozen=True)
class TrainingPlan:
    """What to train with.

    Args:
        facts: of the images.
        limits: of time and memory.
        choice: the setting, its speed and the epochs.
        given: overrides of the user.
        words: overrides of the plan; ``given`` win.
        reasons: (what, value, why) of each.
    """

    facts: Fingerprint
    limits: Limits
    choice: Chosen
    given: tuple[str, ...]
    words: tuple[str, ...]
    reasons: tuple[tuple[str, str, str], ...]

    @property
    def command(self) -> str:
        """What trains so."""
        return hints.command("train", *self.given, *self.words)

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
            "speed": dataclasses.asdict(self.choice.speed),
            "fingerprint": dataclasses.asdict(self.facts),
        }


def make(
    words: Sequence[str],
    measure: Callable[[Config], Speed] | None = None,
    say: Callable[[str], None] = print_line,
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
    limits = _limits(base, given, budget, memory)
    facts = fingerprint.of(base)
    resize = None if _has(given, "dataset.resize") or limits.size is not None else reasons.resize_for(facts)
    recipes = conf_files.options("recipe") if "recipe" in conf_files.groups() else []
    if measure is None:
        from dmf_cli.planning import speed

        measure = speed.measure
    choice = _search(facts, limits, given, recipes, measure, say)
    rows = reasons.reasons(choice, facts, limits)
    if base.model.params.get("depth") != "auto":  # the user's, or a network that has none
        rows = [row for row in rows if row[0] != "depth"]
    rows += [("resize", *resize)] if resize else []
    made = reasons.words(choice, limits, recipes, resize[0] if resize else None)
    return TrainingPlan(facts, limits, choice, tuple(given), tuple(made), tuple(rows))


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
    measure: Callable[[Config], Speed],
    say: Callable[[str], None],
) -> Chosen:
    measured: dict[Setting, Speed] = {}
    while not isinstance(found := decide.decide(facts, limits, measured), Chosen):
        words = reasons.setting_words(found, limits, recipes)
        say(f"timing    {' '.join(words) or 'the config'}")
        chosen = config.compose([*words, *given])
        measured[found] = measure(chosen if limits.epochs else chosen.changed("trainer", epochs=100))
    return found


def _limits(base: Config, given: Sequence[str], budget: float, memory: int | None) -> Limits:
    """What the user has chosen is not chosen again."""
    total = machine.memory()
    size = inputs.as_size(base.dataset.image_size) if _has(given, "dataset.image_size") else None
    takes_filters, filters = "filters" in base.model.params, base.model.params.get("filters")
    if _has(given, "recipe", "augment", "optimizer", "experiment"):
        recipe: str | None = next((w.partition("=")[2] for w in given if w.startswith("recipe=")), "")
    else:
        recipe = None
    epochs = base.trainer.epochs
    return Limits(
        budget,
        memory if memory is not None else SHARE * total if total else None,
        recipe,
        None if size is None else size[0] if size[0] == size[1] else 0,
        0 if not takes_filters else filters if _has(given, "model.filters") else None,
        base.trainer.batch_size if _has(given, "trainer.batch_size") else None,
        epochs if _has(given, "trainer.epochs") and isinstance(epochs, int) else None,
    )


def _has(words: Sequence[str], *keys: str) -> bool:
    return any(word.lstrip("+").partition("=")[0] in keys for word in words)
