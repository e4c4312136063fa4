"""Which epoch is the best, where the monitored figure is defined, undefined, or ties."""

import json
import math

import pytest

from dmf_cli.training.best_epoch import BETTER, CLEARLY_BETTER, Standing

NAN = math.nan


def ranked(monitor, *epochs, standing=None):
    standing = standing or Standing(monitor)
    found, logs = [], {}
    for value, objective in epochs:
        logs = {monitor: value, "val_objective": objective}
        standing.on_epoch_end(0, logs)
        found.append(standing.improved)
    return found, logs


@pytest.mark.parametrize(
    ("monitor", "epochs", "improved"),
    [
        ("val_mean_dice", [(0.1, 3.0), (0.3, 4.0), (0.2, 1.0)], [True, True, False]),
        ("val_loss.dice", [(0.5, 3.0), (0.6, 1.0), (0.4, 4.0)], [True, False, True]),
        # Equal Dice: the lower objective; the first of equals in both.
        ("val_mean_dice", [(0.0, 3.0), (0.0, 2.0), (0.0, 2.0), (0.0, 2.5)], [True, True, False, False]),
        # Undefined throughout: the objective alone.
        ("val_foreground_dice", [(NAN, 3.0), (NAN, 2.0), (NAN, 2.5), (NAN, 1.0)], [True, True, False, True]),
        # Defined is better than undefined, whatever the objective, and stays so.
        ("val_foreground_dice", [(NAN, 1.0), (0.1, 3.0), (NAN, 0.5)], [True, True, False]),
        # Where nothing is known, no epoch is kept for it.
        ("val_foreground_dice", [(NAN, NAN), (NAN, math.inf), (NAN, 2.0)], [False, False, True]),
        ("val_objective", [(3.0, 3.0), (2.0, 2.0), (NAN, NAN)], [True, True, False]),
    ],
)
def test_which_epochs_are_the_best_so_far(monitor, epochs, improved):
    found, logs = ranked(monitor, *epochs)
    assert found == improved
    assert logs[BETTER] == sum(improved)


def test_the_plateau_waits_for_more_than_a_ten_thousandth():
    _, logs = ranked("val_mean_dice", (0.5, 1.0), (0.50005, 1.0), (0.50009, 1.0), (0.5002, 1.0))
    assert (logs[BETTER], logs[CLEARLY_BETTER]) == (4, 2)
    _, logs = ranked("val_mean_dice", (NAN, 1.0), (NAN, 0.99995), (NAN, 0.9))
    assert (logs[BETTER], logs[CLEARLY_BETTER]) == (3, 2)


@pytest.mark.parametrize("first", [[(0.5, 2.0)], [(NAN, 2.0)], []])
def test_it_goes_on_from_its_note_as_if_it_had_not_stopped(first):
    rest = [(0.5, 1.9), (0.4, 1.0), (NAN, 0.1), (0.6, 3.0)]
    whole = ranked("val_mean_dice", *first, *rest)
    before, after = Standing("val_mean_dice"), Standing("val_mean_dice")
    ranked("val_mean_dice", *first, standing=before)
    after.restore(json.loads(json.dumps(before.note())), None)
    resumed = ranked("val_mean_dice", *rest, standing=after)
    assert resumed[0] == whole[0][len(first) :]
    assert resumed[1] == whole[1]


@pytest.mark.parametrize("times", [1, 2, 3])
def test_of_a_run_of_version_0_1_the_best_value_is_known_however_often_it_is_resumed(times):
    standing = Standing("val_foreground_dice")
    standing.restore({}, 0.5)
    for _ in range(times - 1):
        note = json.loads(json.dumps(standing.note(), allow_nan=False))
        standing = Standing("val_foreground_dice")
        standing.restore(note, 0.5)
    assert ranked("val_foreground_dice", (0.4, 0.1), (0.5, 0.1), (0.6, 9.0), standing=standing)[0] == [
        False, False, True,
    ]  # fmt: skip
