"""The figures of a replay and of a search as data."""

from types import SimpleNamespace

import numpy as np
import pytest

from dmf_cli.figures.description import Dots
from dmf_cli.replaying import plots
from dmf_cli.tuning import results


def test_a_replay_shows_losses_and_then_each_strategy_on_one_axis():
    losses = {"dice": np.array([1.0, 0.5]), "bce": np.array([100.0, 50.0])}
    replayed = {"fixed": np.full((2, 2), 0.5), "var": np.array([[0.2, 0.8], [0.0, 1.0]])}
    figure = plots.weights([3, 4], losses, replayed)
    first, *others = figure.panels
    assert (first.title, first.y.log, [panel.title for panel in others]) == ("Losses", True, ["fixed", "var"])
    assert {panel.y.limits for panel in others} == {(-0.03, 1.06)}
    assert [line.label for line in others[1].lines] == ["dice", "bce"]
    np.testing.assert_array_equal(others[1].lines[1].y, [0.8, 1.0])
    assert figure.legend == "below"
    assert len(plots.weights([3, 4], losses, {}).panels) == 1


@pytest.mark.parametrize(("maximize", "best"), [(True, [0.5, 0.5, 0.7]), (False, [0.5, 0.4, 0.4])])
def test_a_search_shows_its_best_so_far_and_where_the_good_ones_are(maximize, best):
    number = SimpleNamespace(kind="float", key="optimizer.learning_rate", low=1e-4, high=1.0, log=True)
    weight = SimpleNamespace(kind="float", key=f"{results.WEIGHT}bce", low=0.0, high=1.0, log=False)
    choice = SimpleNamespace(kind="choice", key="model")
    state = SimpleNamespace(name="COMPLETE")
    trials = [
        SimpleNamespace(number=i, value=value, state=state, params={number.key: 0.1, weight.key: 1.0})
        for i, value in enumerate((0.5, 0.4, 0.7))
    ]
    trials.append(SimpleNamespace(number=3, value=9.0, state=SimpleNamespace(name="PRUNED"), params={}))
    space = SimpleNamespace(dimensions=[number, weight, choice])
    plan = SimpleNamespace(maximize=maximize, monitor="val_dice", space=space)
    study = SimpleNamespace(get_trials=lambda deepcopy: trials)
    first, rates, weights = results.picture(plan, study).panels
    assert (first.lines[0].y.tolist(), first.lines[0].held, first.at.tolist()) == (best, True, [0, 1, 2])
    assert (rates.x.log, rates.x.limits) == (True, (1e-4, 1.0))
    assert (weights.x.label, weights.x.log) == ("weight of bce over the first's", True)
    assert weights.x.limits == pytest.approx((1.0, np.e))
    assert [mark.x.tolist() for mark in weights.marks if isinstance(mark, Dots)] == [
        pytest.approx([np.e] * 3)
    ]
