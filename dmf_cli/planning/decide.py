"""From facts, measured speeds and a budget to settings: pure functions, which know no TensorFlow.

:func:`decide` names the setting whose speed has to be measured next, until it knows enough for a choice. What
it does not know it estimates from the nearest setting that was measured: the time of a step grows with the
pixels and, where channels are few, with their number to the power of 1.5.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping

from dmf_cli import machine
from dmf_cli.errors import UsageError
from dmf_cli.planning.fingerprint import Fingerprint
from dmf_cli.planning.settings import (
    ENCODER_FILTERS,
    ENOUGH,
    FILTERS,
    MOST,
    NNUNET,
    NO_ROOM,
    QUICK,
    SIZES,
    SMALL_DATA,
    SMALL_LESION,
    STANDARD,
    STRONG,
    Chosen,
    Limits,
    Setting,
    Speed,
)
from dmf_cli.terminal.formats import duration

LEAST_EPOCHS = 5  # below, nothing is learned that would say anything about the losses
LEAST_ENCODED = 64  # pixels: the encoder halves them five times
RESERVE = 0.95  # of the budget is planned with: no run is as fast as its fastest steps

Measured = Mapping[Setting, Speed]


def decide(facts: Fingerprint, limits: Limits, measured: Measured) -> Setting | Chosen:
    """The setting to be measured next, or the choice.

    Raises:
        UsageError: the budget or the memory is too small for anything; says what is the least.
    """
    if _timed(measured):
        chosen = next(_fitting(facts, limits, measured), None) or _smallest(facts, limits, measured)
    else:
        chosen = _first(facts, limits, measured)
    if chosen not in measured:
        return chosen
    if measured[chosen] == NO_ROOM:
        hint = "give a smaller trainer.batch_size or dataset.image_size, or free memory"
        raise UsageError("the smallest run here runs out of memory", key="memory", hint=hint)
    epochs, steps = _epochs(chosen, facts, limits, measured[chosen]), steps_of(facts, chosen)
    choice = Chosen(chosen, measured[chosen], epochs, steps)
    _refuse_too_small(choice, facts, limits)
    return choice


def steps_of(facts: Fingerprint, setting: Setting) -> int:
    """Steps of an epoch: a last batch that is not full is not trained on."""
    return max(1, facts.train // setting.batch)


def size_for(facts: Fingerprint, least: int = SIZES[0]) -> int:
    """The smallest side from ``least`` at which small lesions have some pixels, and no larger than the images
    unless ``least`` is.
    """
    allowed = [size for size in SIZES if least <= size <= max(facts.side, least)]
    if not facts.small:
        return min(128, allowed[-1])
    return next((size for size in allowed if size * facts.small >= SMALL_LESION), allowed[-1])


def batch_for(facts: Fingerprint) -> int:
    """16, or less where an epoch would have fewer than eight steps."""
    return next((batch for batch in (16, 8, 4) if facts.train >= 8 * batch), 2)


def estimate(setting: Setting, measured: Measured) -> Speed:
    """Of ``setting``, from the nearest one that was measured; itself, if it was."""
    if setting in measured:
        return measured[setting]
    timed = _timed(measured)
    alike = [one for one in timed if one.network == setting.network] or timed
    known = min(alike, key=lambda one: abs(math.log(_work(one) / _work(setting))))
    ratio, speed = _work(setting) / _work(known), measured[known]
    images = setting.cost / known.cost
    return dataclasses.replace(
        speed, step=speed.step * ratio, epoch=speed.epoch * images, memory=speed.memory * ratio**0.5
    )


def _work(setting: Setting) -> float:
    """Cost of a step."""
    return setting.cost * setting.batch


def _timed(measured: Measured) -> list[Setting]:
    """The settings that had room."""
    return [one for one, speed in measured.items() if speed != NO_ROOM]


def _first(facts: Fingerprint, limits: Limits, measured: Measured) -> Setting:
    """A usual setting of the best kind, smaller than those that had no room."""
    for kind in _kinds(facts, limits):
        size = size_for(facts, _least(limits, kind))
        for batch in _batches(facts, limits):
            setting = _setting(limits, kind, size, FILTERS, batch)
            if _has_room(setting, limits, measured):
                return setting
    return _cheapest(facts, limits)


def _batches(facts: Fingerprint, limits: Limits) -> list[int]:
    """Images of a step that may be chosen, the most first."""
    most = batch_for(facts)
    return [limits.batch] if limits.batch else [batch for batch in (16, 8, 4, 2) if batch <= most]


def _setting(limits: Limits, kind: tuple[str, bool], size: int, filters: int, batch: int) -> Setting:
    recipe, encoder = kind
    size = size if limits.size is None else limits.size
    filters = filters if limits.filters is None else limits.filters
    filters = ENCODER_FILTERS if encoder else 0 if recipe == NNUNET and limits.nnunet else filters
    return Setting(recipe or None, size or None, filters or None, batch, encoder)


def _kinds(facts: Fingerprint, limits: Limits) -> list[tuple[str, bool]]:
    """(recipe, whether the network is the pretrained one) that may be chosen, the best first."""
    if limits.recipe is not None:
        found = [(limits.recipe, encoder) for encoder in ([True, False] if limits.encoder else [False])]
    elif limits.encoder:
        found = [(STRONG, True), (STANDARD, False), (QUICK, True), (QUICK, False)]
    else:
        found = [(STANDARD, False), (QUICK, False)]
    if limits.nnunet:
        found.insert(1 if limits.encoder and facts.train < SMALL_DATA else 0, (NNUNET, False))
    return found


def _least(limits: Limits, kind: tuple[str, bool]) -> int:
    """The least side of the input that the network of a kind takes."""
    _, encoder = kind
    return LEAST_ENCODED if encoder else limits.least


def _ladder(facts: Fingerprint, limits: Limits, kind: tuple[str, bool]) -> list[tuple[int, int]]:
    """(size, filters) that a kind may have, the cheapest first."""
    (recipe, encoder), least = kind, _least(limits, kind)
    middle = size_for(facts, least)
    top = [size for size in SIZES if middle <= size <= facts.side] or [middle]
    low = [size for size in SIZES if least <= size < middle][-2:]
    if encoder or recipe == NNUNET:  # their filters are what they are
        sizes = top if recipe != QUICK else [*low, middle]
        return [(size, ENCODER_FILTERS) for size in sizes]
    wide = [(middle, 16), (middle, 24), *((size, 24) for size in top[1:]), (top[-1], 32)]
    rungs = (
        [(middle, FILTERS), *wide]
        if recipe == STANDARD
        else [*((size, 8) for size in low), (middle, 8), (middle, 12)]
    )
    return sorted(set(rungs), key=lambda rung: Setting(None, rung[0], rung[1], 1).cost)


def _settings(facts: Fingerprint, limits: Limits, measured: Measured) -> Iterator[Setting]:
    """All that may be chosen, the best first: the better recipe, then the larger network."""
    batches = _batches(facts, limits)
    for kind in _kinds(facts, limits):
        for size, filters in reversed(_ladder(facts, limits, kind)):
            sized = [_setting(limits, kind, size, filters, batch) for batch in batches]
            light = next((one for one in sized if _has_room(one, limits, measured)), None)
            if light is not None:
                yield light


def _has_room(setting: Setting, limits: Limits, measured: Measured) -> bool:
    """Whether memory may do: no setting of the same network failed that was as small."""
    full = [one for one, speed in measured.items() if speed == NO_ROOM and one.network == setting.network]
    if any(_work(one) <= _work(setting) for one in full):
        return False
    if limits.memory is None or not _timed(measured):
        return True
    return estimate(setting, measured).memory <= limits.memory


def _fitting(facts: Fingerprint, limits: Limits, measured: Measured) -> Iterator[Setting]:
    """Settings with enough epochs within the budget, the best first."""
    for setting in _settings(facts, limits, measured):
        recipe, steps = setting.kind, steps_of(facts, setting)
        needed = min(MOST[recipe], max(ENOUGH[recipe][0], math.ceil(ENOUGH[recipe][1] / steps)))
        within = estimate(setting, measured).epochs(RESERVE * limits.budget, steps)
        if within >= (limits.epochs or needed):
            yield setting


def _smallest(facts: Fingerprint, limits: Limits, measured: Measured) -> Setting:
    """What is left where nothing fits."""
    every = list(_settings(facts, limits, measured))
    return every[-1] if every else _cheapest(facts, limits)


def _cheapest(facts: Fingerprint, limits: Limits) -> Setting:
    """The least of all: an estimate alone is no reason to refuse it."""
    kind = (QUICK if limits.recipe is None else limits.recipe, False)
    size, filters = _ladder(facts, limits, kind)[0]
    return _setting(limits, kind, size, filters, limits.batch or 2)


def _epochs(setting: Setting, facts: Fingerprint, limits: Limits, speed: Speed) -> int:
    if limits.epochs:
        return limits.epochs
    fit = speed.epochs(RESERVE * limits.budget, steps_of(facts, setting))
    return min(fit, MOST[setting.kind])


def _refuse_too_small(choice: Chosen, facts: Fingerprint, limits: Limits) -> None:
    if limits.memory is not None and choice.speed.memory > limits.memory:
        raise _too_small("memory", limits.memory, choice.speed.memory)
    least = choice.speed.seconds(limits.epochs or LEAST_EPOCHS, choice.steps)
    if (choice.epochs < LEAST_EPOCHS and not limits.epochs) or RESERVE * limits.budget < least:
        error = _too_small("budget", limits.budget, least / RESERVE)
        raise error.but("or trainer.epochs=auto, and the plan chooses the epochs") if limits.epochs else error


def _too_small(key: str, given: float, least: float) -> UsageError:
    if key == "memory":
        said, least_said = machine.amount(given), f"memory={math.ceil(least / 2**20)}M"
    else:
        said, least_said = duration(given), f"budget={math.ceil(least)}s"
    return UsageError(
        f"{key} is {said}, and the smallest run here needs more", key=key, hint=f"give {least_said} or more"
    )
