"""From facts, measured speeds and a budget to settings: pure functions, which know no TensorFlow.

:func:`decide` names the setting whose speed has to be measured next, until it knows enough for a choice. What
it does not know it estimates from the nearest setting that was measured: the time of a step grows with the
pixels and, where channels are few, with their number to the power of 1.5.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence

from dmf_cli.errors import UsageError
from dmf_cli.planning.fingerprint import Fingerprint
from dmf_cli.terminal.formats import duration

QUICK, STRONG = "quick", "strong"
# Epochs that a recipe needs to be worth its name, and steps likewise; and what is never exceeded.
ENOUGH = {STRONG: (100, 2000), QUICK: (18, 600)}
MOST = {STRONG: 240, QUICK: 400}
LEAST_EPOCHS = 5  # below, nothing is learned that would say anything about the losses
RESERVE = 0.95  # of the budget is planned with: no run is as fast as its fastest steps
CHANNELS = 1.5  # power with which the cost grows with the filters
SMALL_LESION = 12  # pixels of its diameter in the network input
SIZES = (32, 48, 64, 96, 128, 160, 192, 256)
FILTERS = 12  # what dmf has by default


@dataclasses.dataclass(frozen=True)
class Setting:
    """What a speed is measured of; None: the user has chosen, or the network has no such parameter."""

    recipe: str | None
    size: int | None
    filters: int | None
    batch: int

    @property
    def cost(self) -> float:
        """Of an image in a step, in units of no meaning."""
        return float((self.size or 128) ** 2 * (self.filters or FILTERS) ** CHANNELS)


@dataclasses.dataclass(frozen=True)
class Speed:
    """Seconds on this machine.

    Args:
        imports: of the backend, once a process.
        start: from there until the first step: images, network.
        compiling: what the first step and the first validation take longer than others.
        step: of training.
        epoch: of an epoch beside its steps: validation and checkpoints.
        end: scores, figures and report.
        memory: bytes, at most.
    """

    imports: float
    start: float
    compiling: float
    step: float
    epoch: float
    end: float
    memory: float

    @property
    def once(self) -> float:
        """What does not depend on the number of epochs."""
        return self.imports + self.start + self.compiling + self.end

    def seconds(self, epochs: int, steps: int) -> float:
        """Of a whole run."""
        return self.once + epochs * (steps * self.step + self.epoch)

    def epochs(self, budget: float, steps: int) -> int:
        """How many fit into ``budget``."""
        return max(0, math.floor((budget - self.once) / (steps * self.step + self.epoch)))


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a plan must keep to, and what the user has chosen already.

    Args:
        budget: seconds.
        memory: bytes; None: no limit.
        recipe: the only one that may be chosen; "" for none.
        size: likewise of the side of the network input; 0: the user has chosen one that is no square.
        filters: likewise; 0: the network has no such parameter.
        batch: likewise.
        epochs: likewise.
    """

    budget: float
    memory: float | None = None
    recipe: str | None = None
    size: int | None = None
    filters: int | None = None
    batch: int | None = None
    epochs: int | None = None


Measured = Mapping[Setting, Speed]


@dataclasses.dataclass(frozen=True)
class Choice:
    """What was decided, of a setting that was measured."""

    setting: Setting
    speed: Speed
    epochs: int
    steps: int  # of an epoch

    @property
    def seconds(self) -> float:
        """Of the whole run, as expected."""
        return self.speed.seconds(self.epochs, self.steps)


def decide(facts: Fingerprint, limits: Limits, measured: Measured) -> Setting | Choice:
    """The setting to be measured next, or the choice.

    Raises:
        UsageError: the budget or the memory is too small for anything; says what is the least.
    """
    if not measured:
        return _first(facts, limits)
    chosen = next(_fitting(facts, limits, measured), None) or _smallest(facts, limits, measured)
    if chosen not in measured:
        return chosen
    epochs, steps = _epochs(chosen, facts, limits, measured[chosen]), steps_of(facts, chosen)
    choice = Choice(chosen, measured[chosen], epochs, steps)
    _refuse_too_small(choice, facts, limits)
    return choice


def steps_of(facts: Fingerprint, setting: Setting) -> int:
    """Steps of an epoch: a last batch that is not full is not trained on."""
    return max(1, facts.train // setting.batch)


def size_for(facts: Fingerprint) -> int:
    """The smallest side at which small lesions have some pixels, and no larger than the images."""
    allowed = [size for size in SIZES if size <= max(facts.side, SIZES[0])]
    return (
        next((size for size in allowed if size * facts.small >= SMALL_LESION), allowed[-1])
        if facts.small
        else min(128, allowed[-1])
    )


def batch_for(facts: Fingerprint) -> int:
    """16, or less where an epoch would have fewer than eight steps."""
    return next((batch for batch in (16, 8, 4) if facts.train >= 8 * batch), 2)


def estimate(setting: Setting, measured: Measured) -> Speed:
    """Of ``setting``, from the nearest one that was measured; itself, if it was."""
    if setting in measured:
        return measured[setting]
    known = min(measured, key=lambda one: abs(math.log(_work(one) / _work(setting))))
    ratio, speed = _work(setting) / _work(known), measured[known]
    images = setting.cost / known.cost
    return dataclasses.replace(
        speed, step=speed.step * ratio, epoch=speed.epoch * images, memory=speed.memory * max(1.0, ratio**0.5)
    )


def _work(setting: Setting) -> float:
    """Cost of a step."""
    return setting.cost * setting.batch


def _first(facts: Fingerprint, limits: Limits) -> Setting:
    recipe = limits.recipe if limits.recipe is not None else STRONG
    return _setting(facts, limits, recipe, size_for(facts), FILTERS, limits.batch or batch_for(facts))


def _setting(facts: Fingerprint, limits: Limits, recipe: str, size: int, filters: int, batch: int) -> Setting:
    size = size if limits.size is None else limits.size
    filters = filters if limits.filters is None else limits.filters
    return Setting(recipe or None, size or None, filters or None, batch)


def _ladder(facts: Fingerprint, limits: Limits, recipe: str) -> list[tuple[int, int]]:
    """(size, filters) that a recipe may have, the cheapest first."""
    middle = size_for(facts)
    top = [size for size in SIZES if middle <= size <= facts.side] or [middle]
    low = [size for size in SIZES if size < middle][-2:]
    wide = [(middle, 16), (middle, 24), *((size, 24) for size in top[1:]), (top[-1], 32)]
    rungs = (
        [(middle, FILTERS), *wide]
        if recipe == STRONG
        else [*((size, 8) for size in low), (middle, 8), (middle, 12)]
    )
    return sorted(set(rungs), key=lambda rung: Setting(None, rung[0], rung[1], 1).cost)


def _settings(facts: Fingerprint, limits: Limits, measured: Measured) -> Iterator[Setting]:
    """All that may be chosen, the best first: the better recipe, then the larger network."""
    most = limits.batch or batch_for(facts)
    batches = [limits.batch] if limits.batch else [b for b in (16, 8, 4, 2) if b <= most]
    for recipe in (STRONG, QUICK) if limits.recipe is None else (limits.recipe,):
        for size, filters in reversed(_ladder(facts, limits, recipe)):
            sized = [_setting(facts, limits, recipe, size, filters, batch) for batch in batches]
            light = next((one for one in sized if _has_room(one, limits, measured)), None)
            if light is not None:
                yield light


def _has_room(setting: Setting, limits: Limits, measured: Measured) -> bool:
    return limits.memory is None or estimate(setting, measured).memory <= limits.memory


def _fitting(facts: Fingerprint, limits: Limits, measured: Measured) -> Iterator[Setting]:
    """Settings with enough epochs within the budget, the best first."""
    for setting in _settings(facts, limits, measured):
        least, steps = ENOUGH.get(setting.recipe or QUICK, ENOUGH[QUICK])
        needed = limits.epochs or max(least, math.ceil(steps / steps_of(facts, setting)))
        needed = min(needed, MOST.get(setting.recipe or QUICK, needed)) if not limits.epochs else needed
        if estimate(setting, measured).epochs(RESERVE * limits.budget, steps_of(facts, setting)) >= needed:
            yield setting


def _smallest(facts: Fingerprint, limits: Limits, measured: Measured) -> Setting:
    """What is left where nothing fits."""
    every = list(_settings(facts, limits, measured))
    if not every:
        least = min(speed.memory for speed in measured.values())
        raise _too_small("memory", limits.memory or 0, least)
    return every[-1]


def _epochs(setting: Setting, facts: Fingerprint, limits: Limits, speed: Speed) -> int:
    if limits.epochs:
        return limits.epochs
    fit = speed.epochs(RESERVE * limits.budget, steps_of(facts, setting))
    most, steps = MOST.get(setting.recipe or QUICK, MOST[QUICK]), ENOUGH[QUICK][1]
    return min(fit, max(most, math.ceil(steps / steps_of(facts, setting))))


def _refuse_too_small(choice: Choice, facts: Fingerprint, limits: Limits) -> None:
    if limits.memory is not None and choice.speed.memory > limits.memory:
        raise _too_small("memory", limits.memory, choice.speed.memory)
    least = choice.speed.seconds(limits.epochs or LEAST_EPOCHS, choice.steps)
    if (choice.epochs < LEAST_EPOCHS and not limits.epochs) or RESERVE * limits.budget < least:
        raise _too_small("budget", limits.budget, least / RESERVE)


def _too_small(key: str, given: float, least: float) -> UsageError:
    from dmf_cli.planning.units import in_words

    if key == "memory":
        said, least_said = in_words(given), f"memory={math.ceil(least / 2**20)}M"
    else:
        said, least_said = duration(given), f"budget={math.ceil(least)}s"
    return UsageError(
        f"{key} is {said}, and the smallest run here needs more", key=key, hint=f"give {least_said} or more"
    )


def reasons(choice: Choice, facts: Fingerprint, limits: Limits) -> list[tuple[str, str, str]]:
    """(what, value, why) of each thing that was decided and not given by the user."""
    setting, rows = choice.setting, list[tuple[str, str, str]]()
    if limits.recipe is None:
        rows.append(("recipe", str(setting.recipe), _why_recipe(setting)))
    if limits.size is None:
        pixels = (
            f"a small lesion is {setting.size * facts.small:.0f} pixels wide"
            if facts.small and setting.size
            else ""
        )
        side = "" if setting.size and setting.size < facts.side else "no larger than the images"
        rows.append(("image size", str(setting.size), ", ".join(filter(None, (pixels, side))) or "the usual"))
    if setting.filters and limits.filters is None:
        rows.append(("filters", str(setting.filters), "the widest network that leaves enough epochs"))
    if setting.filters and setting.size:
        depth = int(math.log2(max(setting.size, 8) / 8))
        rows.append(("depth", "auto", f"{depth} poolings, down to {setting.size // 2**depth} pixels"))
    if limits.batch is None:
        rows.append(
            ("batch size", str(setting.batch), f"{choice.steps} steps an epoch of {facts.train} images")
        )
    if limits.epochs is None:
        total = choice.epochs * choice.steps
        rows.append(
            ("epochs", str(choice.epochs), f"{total} steps; what the budget allows, {_most(setting)} at most")
        )
    return rows


def _most(setting: Setting) -> int:
    return MOST.get(setting.recipe or QUICK, MOST[QUICK])


def _why_recipe(setting: Setting) -> str:
    if setting.recipe == STRONG:
        return f"there is time for {ENOUGH[STRONG][0]} epochs, which strong augmentation needs to pay"
    return "too little time for strong augmentation to pay"


def resize_for(facts: Fingerprint) -> tuple[str, str]:
    """How images are brought to a square, and why."""
    low, high = facts.aspect
    if high > 1.5 * low:
        return (
            "letterbox",
            f"width / height goes from {low:.2f} to {high:.2f}: stretching would bend shapes unlike",
        )
    return "stretch", f"all images have about one shape (width / height {low:.2f} to {high:.2f})"


def words(choice: Choice, limits: Limits, recipes: Sequence[str], resize: str | None) -> list[str]:
    """The overrides of the plan.

    Args:
        choice: what was decided.
        limits: what the user has chosen is no word of the plan.
        recipes: options of the group ``recipe``; none: the groups that a recipe sets are named.
        resize: of the dataset; None: as the user says.
    """
    found = setting_words(choice.setting, limits, recipes)
    if resize:
        found.append(f"dataset.resize={resize}")
    return [*found, *([] if limits.epochs else [f"trainer.epochs={choice.epochs}"])]


def setting_words(setting: Setting, limits: Limits, recipes: Sequence[str]) -> list[str]:
    """The overrides of a setting, of what the user has not chosen."""
    found = []
    if limits.recipe is None and setting.recipe:
        plain = {STRONG: ["augment=strong", "optimizer=adamw"], QUICK: []}
        found += [f"recipe={setting.recipe}"] if setting.recipe in recipes else plain[setting.recipe]
    if limits.size is None:
        found.append(f"dataset.image_size={setting.size}")
    if limits.filters is None and setting.filters:
        found.append(f"model.filters={setting.filters}")
    if limits.batch is None:
        found.append(f"trainer.batch_size={setting.batch}")
    return found
