"""The formulas of var, mad and bayes, against a restatement in float64 that keeps a plain list."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from dmf_cli import weighting
from dmf_cli.ops.backend import compiled
from dmf_cli.weighting import _memory, _ordered

SETTINGS = settings(max_examples=8, deadline=None, derandomize=True, database=None)


def scaled(rows: np.ndarray) -> np.ndarray:
    z = np.sign(rows) * np.log1p(np.abs(rows))
    return (z - z.min(0)) / (z.max(0) - z.min(0) + 1e-7)


def deviation(z: np.ndarray) -> np.ndarray:
    return np.median(np.abs(z - np.median(z, axis=0)), axis=0)


def expected(name: str, losses: np.ndarray, warmup: int, window: int, power: float = 0.5) -> np.ndarray:
    """Row by row, as REFERENCE says: a list of the last ``window`` rows, NumPy's own variance and median."""
    n = losses.shape[1]
    belief, weights = np.full(n, 1 / n), []
    for k in range(len(losses)):
        if k + 1 < warmup:
            weights.append(np.full(n, 1 / n))
            continue
        z = scaled(losses[max(0, k + 1 - window) : k + 1].astype("float64"))
        raw = z.var(axis=0) if name == "var" else 1 / (deviation(z) + 1e-7)
        if name == "bayes":
            raw = raw * belief**power
            belief = raw = np.maximum(raw / raw.sum(), 1e-6)
        weights.append(raw / raw.sum())
    return np.array(weights)


def history(steps: int, terms: int, seed: int = 0) -> np.ndarray:
    """Losses that fall, at different rates and noise."""
    rng = np.random.default_rng(seed)
    trend = np.exp(-np.arange(steps)[:, None] * rng.uniform(0.001, 0.05, terms))
    return (
        rng.uniform(0.3, 3, terms) * trend + rng.uniform(0.01, 0.2, terms) * rng.random((steps, terms))
    ).astype("float32")


@SETTINGS
@given(
    name=st.sampled_from(["var", "mad", "bayes"]),
    seed=st.integers(0, 2**32 - 1),
    warmup=st.sampled_from([3, 4, 8]),  # odd and even counts of rows pass by while the ring fills
    window=st.sampled_from([8, 9]),
)
def test_every_row_follows_the_formula(name: str, seed: int, warmup: int, window: int) -> None:
    losses = history(24, 3, seed)
    weights = weighting.replay(name, losses, warmup=warmup, window=window)
    np.testing.assert_allclose(weights, expected(name, losses, warmup, window), rtol=0, atol=2e-4)


def test_rows_older_than_the_window_are_forgotten() -> None:
    early, late = history(20, 3, 1), history(9, 3, 2)
    whole = weighting.replay("var", np.concatenate([early, late]), warmup=4, window=9)
    np.testing.assert_allclose(whole[-1], weighting.replay("var", late, warmup=4, window=9)[-1], atol=1e-6)
    assert np.abs(whole[-2] - weighting.replay("var", late[:-1], warmup=4, window=9)[-1]).max() > 1e-3


@pytest.mark.parametrize("name", ["var", "mad", "bayes"])
def test_weights_are_equal_until_the_warmup_is_full(name: str) -> None:
    weights = weighting.replay(name, history(12, 3), warmup=6, window=8)
    np.testing.assert_allclose(weights[:5], 1 / 3, rtol=1e-6)
    assert np.all(np.ptp(weights[5:], axis=1) > 1e-3)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8])
def test_median_of_odd_and_even_counts(count: int) -> None:
    x = np.random.default_rng(count).normal(size=(2, 8)).astype("float32")
    x[:, :count].sort(axis=1)
    rows, filled = ops.convert_to_tensor(x), ops.convert_to_tensor(count, dtype="int32")
    got = ops.convert_to_numpy(_ordered.median(rows, filled))
    np.testing.assert_allclose(got[:, 0], np.median(x[:, :count], axis=1), rtol=1e-6)
    got = ops.convert_to_numpy(_ordered.deviation(rows, filled))
    np.testing.assert_allclose(got, deviation(x[:, :count].T), rtol=1e-6)


@pytest.mark.parametrize("kind", ["noise", "ties", "falls", "rises", "outliers", "negative"])
def test_the_ordered_values_are_those_of_the_ring(kind: str) -> None:
    """And the deviation is exactly the one of a full sort, whatever comes and goes."""
    rng = np.random.default_rng(0)
    losses = rng.normal(size=(40, 3)).astype("float32")
    if kind == "ties":
        losses = np.round(losses)
    elif kind in ("falls", "rises"):
        losses = np.sort(losses, axis=0)[:: -1 if kind == "falls" else 1]
    elif kind == "negative":
        losses = -np.abs(losses)
    elif kind == "outliers":
        losses *= 10.0 ** rng.integers(-8, 9, (40, 3))
    strategy = weighting.get("mad", warmup=2, window=9)
    state, step = strategy.init(3), compiled(strategy.update)
    for t, row in enumerate(losses):
        state, _ = step(state, ops.convert_to_tensor(row))
        last = losses[max(0, t - 8) : t + 1]
        ordered = ops.convert_to_numpy(state["ordered"])
        np.testing.assert_array_equal(ordered[:, : len(last)], np.sort(last, axis=0).T)
        assert np.all(ordered[:, len(last) :] == np.finfo("float32").max)
        np.testing.assert_array_equal(
            np.sort(ops.convert_to_numpy(state["history"])[:, : len(last)], axis=1), np.sort(last, axis=0).T
        )


@pytest.mark.parametrize("count", [1, 2, 7, 8, 30])
def test_deviation_is_exactly_that_of_a_sort(count: int) -> None:
    z = np.sort(np.random.default_rng(count).random((4, 30)).astype("float32"), axis=1)
    z[2, :count] = np.round(z[2, :count], 1)
    half = np.float32(0.5)
    middle = half * (z[:, (count - 1) // 2] + z[:, count // 2])
    sizes = np.sort(np.abs(z[:, :count] - middle[:, None]), axis=1)
    expected = half * (sizes[:, (count - 1) // 2] + sizes[:, count // 2])
    got = _ordered.deviation(ops.convert_to_tensor(z), ops.convert_to_tensor(count, dtype="int32"))
    np.testing.assert_array_equal(ops.convert_to_numpy(got), expected)


@pytest.mark.parametrize(
    ("values", "right"), [([3.0, 1.0, 2.0], 2.0), ([4.0, 1.0, 3.0, 2.0], 2.5), ([5.0], 5.0)]
)
def test_the_notebook_took_these_medians_wrong(values: list, right: float) -> None:
    row = ops.convert_to_tensor(np.sort(np.array([values], "float32")))
    assert float(_ordered.median(row, ops.convert_to_tensor(len(values), dtype="int32"))[0, 0]) == right


@pytest.mark.parametrize("center", [0.0, 1e-8, 1e-3, 1.0, 5.0, 1e8])
def test_symlog_differences_do_not_cancel(center: float) -> None:
    steps = np.array([0, 1, 2, 5, 60], "float32") * np.spacing(np.float32(max(center, 1e-8)))
    a = (np.float32(center) + steps).astype("float32")
    exact = np.log1p(a.astype("float64")) - np.log1p(np.float64(a[0]))
    got = ops.convert_to_numpy(
        _memory.symlog_difference(ops.convert_to_tensor(a), ops.convert_to_tensor(a[:1]))
    )
    np.testing.assert_allclose(got, exact, rtol=1e-5, atol=1e-12)


def test_symlog_difference_over_signs_and_sizes() -> None:
    values = np.array([-1e9, -5, -1, -1e-3, 0, 1e-3, 1, 5, 1e9], "float32")
    symlog = np.sign(values) * np.log1p(np.abs(values.astype("float64")))
    for (a, x), (b, y) in itertools.product(zip(values, symlog, strict=True), repeat=2):
        got = float(_memory.symlog_difference(ops.convert_to_tensor(a), ops.convert_to_tensor(b)))
        assert got == pytest.approx(x - y, rel=1e-5, abs=1e-9), (a, b)


def test_minmax_of_a_constant_is_zero() -> None:
    rows = ops.convert_to_tensor(np.full((1, 4), 2.0, "float32"))
    z = _memory.scale(rows, rows[:, :1], rows[:, :1])
    assert not ops.convert_to_numpy(z).any()


@pytest.mark.parametrize("name", ["var", "mad", "bayes"])
def test_all_losses_constant_gives_equal_weights(name: str) -> None:
    weights = weighting.replay(name, np.full((12, 3), [0.5, 2.0, 7.0]), warmup=4, window=8)
    np.testing.assert_allclose(weights, 1 / 3, rtol=1e-6)


def test_a_constant_loss_has_no_variance_and_no_weight() -> None:
    losses = history(12, 3)
    losses[:, 1] = 0.7
    weights = weighting.replay("var", losses, warmup=4, window=8)[-1]
    assert weights[1] == 0
    assert weights.sum() == pytest.approx(1)


@pytest.mark.parametrize("still", ["constant", "half of it equal"])
def test_a_term_with_mad_0_takes_the_median_of_the_others(still: str) -> None:
    losses = history(12, 4, 3)
    losses[:, 2] = 0.7
    if still != "constant":
        losses[::4, 2] = 0.9
    weights = weighting.replay("mad", losses, warmup=4, window=12)[-1]
    mads = deviation(scaled(losses.astype("float64")))
    assert mads[2] < 1e-12
    mads[2] = np.median(np.delete(mads, 2))
    np.testing.assert_allclose(weights, (1 / mads) / (1 / mads).sum(), atol=1e-5)


@pytest.mark.parametrize("name", ["mad", "bayes"])
def test_two_terms_with_mad_0_do_not_take_all_the_weight(name: str) -> None:
    losses = history(12, 3)
    losses[:, 1:] = 0.7
    weights = weighting.replay(name, losses, warmup=4, window=12)[-1]
    np.testing.assert_allclose(weights, 1 / 3, atol=1e-5)


def contest(steps: int) -> np.ndarray:
    """Two losses, the first steadier; halfway they change places."""
    z = np.linspace(0.0, 1.0, 7)
    calm, wild = np.sign(z - 0.5) * np.abs(2 * (z - 0.5)) ** 3, 2 * z - 1
    pair = np.stack([calm, wild], axis=1)
    order = np.random.default_rng(0).permuted(np.tile(pair, (steps // 7 + 1, 1)), axis=0)[:steps]
    order[steps // 2 :] = order[steps // 2 :, ::-1]
    return (0.5 + 0.1 * order).astype("float32")


def test_bayes_of_the_notebook_collapses_for_good_and_the_default_recovers() -> None:
    losses = contest(240)
    collapsed = weighting.replay("bayes", losses, warmup=8, window=16, prior_power=1.0)
    assert np.all(collapsed[119:].min(axis=1) == 0)  # below what float32 holds
    tempered = weighting.replay("bayes", losses, warmup=8, window=16)
    assert 0 < tempered[119, 1] < 0.4
    assert tempered[-1, 1] > 0.6
    assert tempered.min() >= 0.99e-6


def test_bayes_floor_holds_a_belief_that_would_vanish() -> None:
    losses = np.random.default_rng(0).random((40, 2)).astype("float32")
    losses[:, 0] = 0.5 + 1e-6 * losses[:, 0]
    losses[::9, 0] = 3.0  # outliers stretch the range: the rest of it is steady to 1e-6
    weights = weighting.replay("bayes", losses, warmup=8, window=30)[-1]
    np.testing.assert_allclose(weights, [1 - 1e-6, 1e-6], atol=2e-7)


def test_bayes_without_a_prior_is_mad() -> None:
    losses = history(20, 3)
    with_none = weighting.replay("bayes", losses, warmup=4, window=8, prior_power=0.0)
    np.testing.assert_allclose(with_none, weighting.replay("mad", losses, warmup=4, window=8), atol=1e-6)
