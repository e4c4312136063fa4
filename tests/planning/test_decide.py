"""Plans of made-up datasets on made-up machines: the decision keeps to the limits on each of them."""

import dataclasses
import itertools
import math

import pytest

from dmf_cli.errors import UsageError
from dmf_cli.planning import decide, reasons
from dmf_cli.planning.fingerprint import Fingerprint
from dmf_cli.planning.settings import (
    ENOUGH,
    MOST,
    NNUNET,
    NO_ROOM,
    QUICK,
    STANDARD,
    STRONG,
    Chosen,
    Limits,
    Setting,
    Speed,
)
from tests.raised import raises

BUSI = Fingerprint(
    "busi", 297, 75, 96, (300, 470, 700), (300, 560, 1000), (1.0, 1.4), (5.0, 200.0),
    ("background", "lesion"), 0.1, 0.25, 0, None, None,
)  # fmt: skip


def machine(speed: float = 1.0, power: float = 1.5, memory: float = 1e6):
    """``measure(setting)`` of a machine whose steps take ``speed`` times what those of a laptop take."""

    def measure(one: Setting) -> Speed:
        work = ((one.size or 128) / 128) ** 2 * ((one.filters or 12) / 12) ** power * one.batch / 16
        return Speed(6.0, 4.0, 8.0, speed * 0.25 * work, speed * 1.5 * work, 10.0, 5e8 + memory * 500 * work)

    return measure


def planned(limits: Limits, measure=None, facts: Fingerprint = BUSI) -> tuple[Chosen, list[Setting]]:
    """The choice, and the settings that were measured for it."""
    measured: dict[Setting, Speed] = {}
    for _ in range(20):
        found = decide.decide(facts, limits, measured)
        if isinstance(found, Chosen):
            return found, list(measured)
        assert found not in measured
        measured[found] = (measure or machine())(found)
    raise AssertionError("it never ends")


@pytest.mark.parametrize("minutes", [10, 30, 120, 1000])
@pytest.mark.parametrize("memory", [None, 1.5e9])
def test_a_plan_keeps_to_time_and_memory_whatever_the_machine(minutes, memory):
    limits = Limits(60.0 * minutes, memory)
    for speed, power in itertools.product([0.02, 0.3, 1.0, 2.0], [0.5, 1.5, 2.0]):
        choice, measured = planned(limits, machine(speed, power))
        assert choice.setting in measured
        assert len(measured) <= 6
        assert choice.seconds <= 0.951 * limits.budget
        assert choice.epochs >= decide.LEAST_EPOCHS
        assert memory is None or choice.speed.memory <= memory


def test_more_time_is_first_more_epochs_then_a_larger_network():
    choices = [planned(Limits(60.0 * minutes))[0] for minutes in (4, 8, 20, 60, 200)]
    assert [one.setting.recipe for one in choices] == [QUICK, QUICK, STANDARD, STANDARD, STANDARD]
    costs = [one.setting.cost for one in choices]
    assert costs == sorted(costs)
    assert costs[0] < costs[2] < costs[-1]
    assert all(one.epochs <= MOST[one.setting.kind] for one in choices[2:])


def test_a_recipe_is_chosen_only_where_it_has_its_epochs():
    for minutes in (5, 15, 40, 100):
        choice, _ = planned(Limits(60.0 * minutes))
        epochs, _ = ENOUGH[choice.setting.kind]
        assert choice.epochs >= epochs


def test_too_small_a_budget_says_what_is_the_least_and_that_is_enough():
    with raises(UsageError, key="budget", hint="give budget=") as caught:
        planned(Limits(20.0))
    least = float(caught.value.hint.partition("=")[2].partition("s")[0])
    assert planned(Limits(least))[0].epochs == decide.LEAST_EPOCHS
    with raises(UsageError, key="budget"):
        planned(Limits(least - 2))


def test_too_little_memory_halves_the_batch_and_says_what_is_the_least():
    slow = machine(1.0, memory=4e6)
    free = planned(Limits(3600.0), slow)[0]
    tight = planned(Limits(3600.0, 0.9 * free.speed.memory), slow)[0]
    assert tight.setting.batch * tight.setting.cost < free.setting.batch * free.setting.cost
    with raises(UsageError, key="memory", hint="give memory="):
        planned(Limits(3600.0, 1e8), slow)


def test_memory_below_the_first_measurement_finds_a_smaller_setting():
    slow = machine(1.0, memory=4e6)
    first = slow(decide.decide(BUSI, Limits(3600.0), {}))
    for share in (0.9, 0.4, 0.25):
        choice, _ = planned(Limits(3600.0, share * first.memory), slow)
        assert choice.speed.memory <= share * first.memory


def test_no_memory_is_refused_before_the_cheapest_setting_was_measured():
    measured: list[Setting] = []

    def measure(one: Setting) -> Speed:
        measured.append(one)
        return machine(1.0, memory=4e6)(one)

    with raises(UsageError, key="memory", hint="give memory="):
        planned(Limits(3600.0, 1e8), measure)
    assert min(one.cost * one.batch for one in measured) == measured[-1].cost * measured[-1].batch
    assert measured[-1].batch == 2


@pytest.mark.parametrize("least", [0.02, 0.2, 0.6, 1.5])
@pytest.mark.parametrize("limits", [Limits(36_000.0), Limits(36_000.0, 1e12, encoder=True, nnunet=True)])
def test_a_setting_that_runs_out_of_memory_is_followed_by_smaller_ones(limits, least):
    usual, failed = machine(0.3), []

    def measure(one: Setting) -> Speed:
        if one.cost * one.batch <= least * Setting(None, 128, 12, 16).cost * 16:
            return usual(one)
        smaller = [other for other in failed if other.network == one.network]
        assert all(one.cost * one.batch < other.cost * other.batch for other in smaller)
        failed.append(one)
        return NO_ROOM

    choice, _ = planned(limits, measure)
    assert choice.setting not in failed
    assert failed
    assert choice.speed.memory < math.inf


def test_no_setting_has_room_where_the_smallest_one_has_none():
    with raises(UsageError, key="memory", hint="smaller trainer.batch_size"):
        planned(Limits(3600.0), lambda one: NO_ROOM)
    with raises(UsageError, key="memory"):
        planned(Limits(3600.0, None, "", 64, 20, 4, 33), lambda one: NO_ROOM)


def test_what_the_user_has_chosen_stays():
    limits = Limits(3600.0, None, "", 64, 20, 4, 33)
    choice, measured = planned(limits)
    assert measured == [Setting(None, 64, 20, 4)]
    assert choice.epochs == 33
    assert reasons.words(choice, limits, [], None) == []
    assert reasons.reasons(choice, BUSI, limits) == [("depth", "auto", "3 poolings, down to 8 pixels")]
    with raises(UsageError, key="budget"):
        planned(dataclasses.replace(limits, epochs=3000))


def test_a_network_without_filters_has_none():
    limits = Limits(3600.0, filters=0)
    choice, _ = planned(limits)
    assert choice.setting.filters is None
    assert not any(word.startswith("model.") for word in reasons.words(choice, limits, [], None))


@pytest.mark.parametrize(
    ("recipes", "said"), [([], ["augment=strong", "optimizer=adamw"]), ([STANDARD], ["recipe=standard"])]
)
def test_a_recipe_is_named_where_there_is_such_a_group(recipes, said):
    choice, _ = planned(Limits(3600.0))
    assert choice.setting.recipe == STANDARD
    words = reasons.words(choice, Limits(3600.0), recipes, "letterbox")
    assert words[: len(said)] == said
    assert words[-2:] == ["dataset.resize=letterbox", f"trainer.epochs={choice.epochs}"]


@pytest.mark.parametrize(
    ("small", "side", "size"),
    [(0.1, 470, 128), (0.02, 470, 256), (0.02, 100, 96), (0.4, 470, 32), (0.0, 60, 48)],
)
def test_the_size_shows_small_lesions_and_is_no_larger_than_the_images(small, side, size):
    facts = dataclasses.replace(BUSI, small=small, height=(side, side, side), width=(side, side, side))
    assert decide.size_for(facts) == size


@pytest.mark.parametrize("small", [0.0, 0.05, 0.3, 0.5])
@pytest.mark.parametrize("minutes", [3, 30, 1000])
@pytest.mark.parametrize(
    ("limits", "side"),
    [
        (Limits(0.0, encoder=True), 470),
        (Limits(0.0, recipe="", encoder=True), 64),
        (Limits(0.0, filters=16, least=decide.LEAST_ENCODED), 470),
        (Limits(0.0, filters=16, least=decide.LEAST_ENCODED), 48),
    ],
)
def test_an_encoder_has_inputs_that_it_can_halve(limits, side, minutes, small):
    facts = dataclasses.replace(BUSI, small=small, height=(side,) * 3, width=(side,) * 3)
    limits = dataclasses.replace(limits, budget=60.0 * minutes)
    choice, measured = planned(limits, facts=facts)
    for one in measured:
        assert one.size >= decide.LEAST_ENCODED or not (one.encoder or limits.least > 32)
    (why,) = [why for what, _, why in reasons.reasons(choice, facts, limits) if what == "image size"]
    assert ("the least for this network" in why) == (side == 48)


def test_a_size_that_is_typed_is_that_of_an_encoder_too():
    assert planned(Limits(3600.0, size=48, encoder=True))[0].setting.size == 48


@pytest.mark.parametrize(("train", "batch"), [(400, 16), (100, 8), (40, 4), (9, 2), (1, 2)])
def test_few_images_have_small_batches(train, batch):
    facts = dataclasses.replace(BUSI, train=train)
    assert decide.batch_for(facts) == batch
    assert decide.steps_of(facts, Setting(None, 128, 12, batch)) >= 1


def test_images_of_many_shapes_keep_theirs():
    assert reasons.resize_for(BUSI)[0] == "stretch"
    assert reasons.resize_for(dataclasses.replace(BUSI, aspect=(0.7, 1.4)))[0] == "letterbox"


def test_each_thing_that_is_decided_has_a_reason():
    limits = Limits(3600.0)
    choice, _ = planned(limits)
    rows = reasons.reasons(choice, BUSI, limits)
    assert [row[0] for row in rows] == ["recipe", "image size", "filters", "depth", "batch size", "epochs"]
    assert all(value and why for _, value, why in rows)


def test_where_time_is_short_the_reasons_say_so():
    said = {}
    for minutes in (1.2, 60):
        limits = Limits(60.0 * minutes)
        said[minutes] = " ".join(" ".join(row) for row in reasons.reasons(planned(limits)[0], BUSI, limits))
    assert "time is short" in said[1.2]
    assert "time is short" not in said[60]


@pytest.mark.parametrize(
    ("train", "minutes", "kinds"),
    [
        (297, 1000, [(STRONG, True)]),
        (297, 1.2, [(STRONG, True), (NNUNET, False), (STANDARD, False), (QUICK, True)]),
        (5000, 10_000, [(NNUNET, False)]),
    ],
)
def test_pretrained_weights_come_first_on_small_data_and_nnunet_on_large(train, minutes, kinds):
    limits = Limits(60.0 * minutes, encoder=True, nnunet=True)
    choice, measured = planned(limits, facts=dataclasses.replace(BUSI, train=train))
    assert {(one.recipe, one.encoder) for one in measured} <= set(kinds)
    assert (choice.setting.recipe, choice.setting.encoder) == kinds[-1]
    words = reasons.setting_words(choice.setting, limits, [QUICK, STANDARD, STRONG, NNUNET])
    assert f"recipe={choice.setting.recipe}" in words
    assert ("model=unet_encoder" in words) == (kinds[-1] == (QUICK, True))


@pytest.mark.parametrize("minutes", [5, 30, 120, 1000])
def test_a_plan_with_all_candidates_keeps_to_its_limits(minutes):
    for speed, power, encoder, nnunet in itertools.product([0.02, 0.3, 1.0], [0.5, 2.0], [0, 1], [0, 1]):
        limits = Limits(60.0 * minutes, 1.5e9, encoder=bool(encoder), nnunet=bool(nnunet))
        choice, measured = planned(limits, machine(speed, power))
        assert len(measured) <= 9
        assert choice.seconds <= 0.951 * limits.budget
        assert choice.speed.memory <= 1.5e9


def test_epochs_that_cannot_be_had_may_be_left_to_the_plan():
    with raises(UsageError, key="budget", hint="trainer.epochs=auto"):
        planned(Limits(600.0, epochs=3000))
