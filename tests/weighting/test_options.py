"""The options that all strategies share: total, prior, warmup, every, floor and ceiling, smoothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from dmf_cli import weighting
from dmf_cli.errors import ConfigError
from dmf_cli.weighting._bounds import project
from tests.raised import raises

NAMES = weighting.__registry__
ADAPTIVE = tuple(name for name in NAMES if getattr(weighting, name).adaptive)
each = pytest.mark.parametrize("name", NAMES)
each_adaptive = pytest.mark.parametrize("name", ADAPTIVE)
# Of the published weights of three losses, where it does not move.
SUMS = {
    **dict.fromkeys(("bayes", "cov", "famo", "mad", "random", "softadapt", "var"), 1.0),
    **dict.fromkeys(("dwa", "equal", "fixed", "gradnorm", "relobralo"), 3.0),
    "stch": 1 / 3,
}


def history(steps: int = 12, terms: int = 3) -> np.ndarray:
    noise = np.random.default_rng(0).uniform(0.1, 2.0, (steps, terms))
    return (noise * np.exp(-0.1 * np.arange(steps))[:, None] + 0.05).astype("float32")


@each
def test_total_scales_the_weights(name: str, run) -> None:
    np.testing.assert_allclose(run(name, history(), total=3.0)[1], 3 * run(name, history())[1], rtol=1e-5)


@each
def test_without_total_the_formulas_own_sum_is_kept(name: str, run) -> None:
    own = run(name, history(), total=None)[1]
    shares = own / own.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, run(name, history())[1], rtol=1e-5)
    if name in SUMS:
        np.testing.assert_allclose(own.sum(axis=1), SUMS[name], rtol=1e-5)
    else:
        assert np.ptp(own.sum(axis=1)) > 1e-3
    if name != "equal":  # with coefficients the sum moves: it is what the weights make of them
        prior = [1.0, 2.0, 0.5]
        np.testing.assert_allclose(run(name, history(), total=None, prior=prior)[1], own * prior, rtol=1e-5)


def test_fixed_without_total_keeps_the_coefficients_as_written() -> None:
    losses = history(2, 2)
    np.testing.assert_allclose(
        weighting.replay("fixed", losses, total=None, prior=[0.7, 2.0]), [[0.7, 2.0]] * 2
    )
    np.testing.assert_allclose(weighting.replay("fixed", losses, total=None), 1.0)
    np.testing.assert_allclose(weighting.replay("fixed", losses, prior=[1, 3]), [[0.25, 0.75]] * 2)


def test_equal_ignores_the_coefficients() -> None:
    np.testing.assert_allclose(weighting.replay("equal", history(2), prior=[1, 3, 0]), 1 / 3, rtol=1e-6)
    assert weighting.get("equal", prior=[1, 3, 0]).prior == [1.0, 3.0, 0.0]


@each
def test_a_prior_multiplies_and_the_sum_stays(name: str, run) -> None:
    prior = [1.0, 2.0, 0.0]
    weights = run(name, history(), prior=prior)[1]
    if name == "equal":
        prior = [1.0, 1.0, 1.0]
    plain = run(name, history())[1] * prior
    np.testing.assert_allclose(weights, plain / plain.sum(axis=1, keepdims=True), rtol=1e-5)


def test_a_prior_on_terms_without_weight_leaves_the_coefficients(small) -> None:
    losses = history()
    losses[:, :2] = 0.5  # constant: var gives the third term everything, the prior gives it nothing
    weights = weighting.replay(small("var", prior=[1, 3, 0]), losses)
    np.testing.assert_allclose(weights, [[0.25, 0.75, 0.0]] * 12, rtol=1e-6)


@each
def test_the_sum_before_rescaling_is_in_the_state(name: str, run) -> None:
    state, weights = run(name, history(6), total=3.0)
    own = run(name, history(6), total=None)[1][-1]
    assert state["raw_sum"] == pytest.approx(own.sum(), rel=1e-5)
    assert weights[-1].sum() == pytest.approx(3.0, rel=1e-5)


@each_adaptive
def test_every(name: str, run) -> None:
    """Memory takes in every row, weights change at rows 0, 3, 6, ...: there they are what they would be."""
    weights = run(name, history(), every=3, warmup=4)[1]
    held = np.repeat(weights[::3], 3, axis=0)
    np.testing.assert_array_equal(weights, held)
    assert len(np.unique(weights, axis=0)) >= 3 - (name == "dwa")
    if not getattr(weighting, name).needs_gradients:
        np.testing.assert_array_equal(weights[::3], run(name, history(), warmup=4)[1][::3])


def test_due_says_when_the_weights_change(small) -> None:
    """A bad row does not use up a turn: the next good one is due."""
    strategy = small("var", every=3)
    state, due = strategy.init(3), []
    for row in np.insert(history(8), [3, 3], np.nan, axis=0):
        due.append(bool(strategy.due(state)))
        state, _ = strategy.update(state, ops.convert_to_tensor(row))
    assert due == [True, False, False, True, True, True, False, False, True, False]
    assert all(bool(small("var").due(s)) for s in (small("var").init(3), state))


@pytest.mark.parametrize("name", ["gradnorm", "lr_annealing"])
def test_gradients_count_only_where_they_are_due(name: str, run, small, gradients_of) -> None:
    """What stands in the other rows (zeros in training, NaN in a file) makes no difference."""
    losses = history()
    given = gradients_of(small(name), losses)
    state, weights = run(name, losses, given, every=3)
    for filler in (0.0, float("nan")):
        sparse = [
            row if i % 3 == 0 else ({key: ops.full((3,), filler) for key in row[0]},)
            for i, row in enumerate(given)
        ]
        again, same = run(name, losses, sparse, every=3)
        np.testing.assert_array_equal(same, weights)
        assert again["stored"] == state["stored"] == 12
    assert np.ptp(weights[-1]) > 1e-3


@pytest.mark.parametrize(
    ("name", "every", "idle"),
    [("var", 1, 3), ("var", 3, 3), ("var", 5, 5), ("dwa", 1, 6), ("dwa", 4, 8), ("fixed", 1, 0)],
)
def test_idle_steps(name: str, every: int, idle: int, run, small) -> None:
    params = {} if name == "fixed" else {"every": every}
    assert small(name, **params).idle_steps == idle
    moved = np.ptp(run(name, history(), **params)[1], axis=1) > 1e-6
    assert not moved[:idle].any()
    assert moved[idle] == (name != "fixed")


@each_adaptive
def test_floor_and_ceiling(name: str, run) -> None:
    weights = run(name, history(), floor=0.3, ceiling=0.35)[1]
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, rtol=1e-5)
    assert weights.min() >= 0.3 - 1e-6
    assert weights.max() <= 0.35 + 1e-6
    plain = run(name, history())[1]
    inside = np.all((plain >= 0.3) & (plain <= 0.35), axis=1)
    np.testing.assert_allclose(weights[inside], plain[inside], atol=1e-6)
    assert np.ptp(weights, axis=1).max() > 1e-3


def test_bounds_are_shares_of_the_total_and_of_the_own_sum(small) -> None:
    losses = history()
    shares = weighting.replay(small("geometric", floor=0.2), losses)
    np.testing.assert_allclose(
        weighting.replay(small("geometric", floor=0.2, total=6.0), losses), 6 * shares, rtol=1e-5
    )
    own = weighting.replay(small("geometric", total=None), losses).sum(axis=1, keepdims=True)
    kept = weighting.replay(small("geometric", floor=0.2, total=None), losses)
    np.testing.assert_allclose(kept, own * shares, rtol=1e-5)


def test_a_term_with_coefficient_0_is_not_lifted_to_the_floor(small) -> None:
    weights = weighting.replay(small("geometric", floor=0.3, prior=[1, 0, 1]), history())
    assert not weights[:, 1].any()
    assert weights[:, [0, 2]].min() >= 0.3 - 1e-6


def nearest(shares: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """By bisection on the shift, in float64."""
    left, right = -2.0, 2.0
    for _ in range(80):
        middle = (left + right) / 2
        left, right = (middle, right) if np.clip(shares + middle, low, high).sum() < 1 else (left, middle)
    return np.clip(shares + left, low, high)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    room=st.sampled_from([0.0, 0.2, 0.9, 1.0]),
    peak=st.sampled_from([0, 3, 30]),
)
def test_projection_is_the_nearest_point(seed: int, room: float, peak: int) -> None:
    rng = np.random.default_rng(seed)
    n = 6
    shares = np.exp(peak * rng.normal(size=n))
    shares = (shares / shares.sum()).astype("float32")
    low = np.full(n, room / n * rng.random(), "float32")
    high = np.full(n, 1 / n + (1 - 1 / n) * (1 - room) * rng.random(), "float32")
    got = ops.convert_to_numpy(project(*map(ops.convert_to_tensor, (shares, low, high))))
    np.testing.assert_allclose(got, nearest(shares.astype(float), low, high), atol=2e-6)
    assert got.sum() == pytest.approx(1, abs=2e-6)


@each_adaptive
def test_smoothing_is_a_moving_average_of_the_weights(name: str, run) -> None:
    weights = run(name, history(), smoothing=0.7, total=2.0)[1]
    expected = [np.full(3, 2 / 3)]
    for row in run(name, history(), total=2.0)[1]:
        expected.append(0.7 * expected[-1] + 0.3 * row)
    np.testing.assert_allclose(weights, expected[1:], rtol=1e-5)
    np.testing.assert_allclose(weights.sum(axis=1), 2.0, rtol=1e-5)


@each_adaptive
def test_all_options_at_once(name: str, run) -> None:
    options = {
        "every": 2,
        "floor": 0.05,
        "ceiling": 0.6,
        "smoothing": 0.5,
        "prior": [3.0, 1.0, 1.0],
        "total": 5.0,
    }
    state, weights = run(name, history(), **options)
    np.testing.assert_allclose(weights.sum(axis=1), 5.0, rtol=1e-5)
    assert weights.min() >= 0.25 - 1e-5
    assert weights.max() <= 3.0 + 1e-5
    np.testing.assert_array_equal(weights[1::2], weights[::2])
    assert state["stored"] == 12


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("var", {"warmup": 0}),
        ("var", {"warmup": 2.5}),
        ("mad", {"warmup": "auto"}),
        ("mad", {"warmup": 51, "window": 50}),
        ("var", {"warmup": 1, "window": 1}),
        ("var", {"window": 99.5}),
        ("var", {"every": 0}),
        ("var", {"floor": -0.1}),
        ("var", {"ceiling": 0.0}),
        ("var", {"ceiling": 0.3, "floor": 0.4}),
        ("var", {"floor": 0.51}),
        ("var", {"ceiling": 0.4}),
        ("var", {"prior": [1.0, 0.0], "ceiling": 0.9}),
        ("var", {"smoothing": 1.0}),
        ("bayes", {"prior_power": 1.5}),
        ("bayes", {"prior_power": float("nan")}),
        ("fixed", {"total": 0.0}),
        ("fixed", {"total": float("nan")}),
        ("fixed", {"total": float("inf")}),
        ("fixed", {"prior": [1.0, -1.0]}),
        ("var", {"prior": [1.0, float("nan")]}),
        ("fixed", {"prior": [0.0, 0.0]}),
        ("fixed", {"prior": [1.0]}),
        ("random", {"seed": -1}),
        ("dwa", {"steps_per_epoch": 0}),
        ("dwa", {"steps_per_epoch": 5, "temperature": 0.0}),
        ("cov", {"decay": 1.0}),
        ("relobralo", {"alpha": 1.1}),
        ("relobralo", {"rho": -0.5}),
        ("relobralo", {"seed": 1.5}),
        ("softadapt", {"variant": "norm"}),
        ("softadapt", {"slope": "old"}),
        ("softadapt", {"beta": float("inf")}),
        ("softadapt", {"window": 1}),
        ("softadapt", {"slope": "oldest", "window": 20, "accuracy_order": None}),
        ("softadapt", {"slope": "oldest", "window": 4, "accuracy_order": 0}),
        ("uncertainty", {"form": "log"}),
        ("uncertainty", {"learning_rate": 0.0}),
        ("imtl_l", {"learning_rate": float("nan")}),
        ("famo", {"weight_decay": -1.0}),
        ("stch", {"mu": 0.0}),
        ("stch", {"ideal": [0.1]}),
        ("stch", {"ideal": [0.1, float("nan")]}),
        ("gradnorm", {"alpha": -1.0}),
        ("lr_annealing", {"alpha": 0.0}),
        ("lr_annealing", {"form": "l2"}),
        ("lr_annealing", {"reference_term": 2}),
    ],
)
def test_a_parameter_out_of_range(name: str, params: dict) -> None:
    *_, (wrong, value) = params.items()
    with raises(ConfigError, key=f"weighting.{wrong}") as caught:
        weighting.get(name, **params).init(2)
    assert repr(caught.value.value) == repr(value)
    assert caught.value.allowed or caught.value.hint


@pytest.mark.parametrize(
    ("name", "params", "line"),
    [
        ("var", {"every": 0}, "weighting.every is 0: give a whole number of 1 or above"),
        ("fixed", {"total": 0.0}, "weighting.total is 0.0: give a number above 0, or null"),
        (
            "mad",
            {"warmup": 51, "window": 50},
            "weighting.window is 50, and weighting.warmup 51: the window must hold the warm-up, or the "
            "weights would never adapt; raise window or lower warmup",
        ),
        (
            "var",
            {"floor": 0.51},
            "weighting.floor is 0.51: 2 terms with a share of that or more exceed the total; "
            "give 0.5 or less",
        ),
        ("fixed", {"prior": [1.0]}, "1 coefficients for 2 loss terms: give one for each term"),
        (
            "dwa",
            {},
            "weighting.steps_per_epoch is not given: dwa compares the means of whole epochs; give the number "
            "of steps in one (`dmf train` fills it in)",
        ),
    ],
)
def test_the_whole_line(name: str, params: dict, line: str) -> None:
    with raises(ConfigError) as caught:
        weighting.get(name, **params).init(2)
    assert str(caught.value) == line


def test_a_strategy_that_is_made_without_get_is_checked_too() -> None:
    with raises(ConfigError, key="weighting.mu", value=-1.0):
        weighting.stch(mu=-1.0).init(2)
