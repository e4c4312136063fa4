"""What no strategy can get round, and the parameters that all of them share."""

import functools
import json

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from dmf_cli import _backend, weighting
from dmf_cli.errors import ConfigError, UnknownNameError

ADAPTIVE = ("bayes", "mad", "var")
SMALL = {"warmup": 4, "window": 8}
each = pytest.mark.parametrize("name", weighting.__registry__)
each_adaptive = pytest.mark.parametrize("name", ADAPTIVE)


def small(name: str, **params) -> weighting.Strategy:
    return weighting.get(name, **(SMALL if name in ADAPTIVE else {}), **params)


@functools.cache
def compiled_step(name: str):
    return _backend.compiled(small(name).update)


def run(name: str, losses: np.ndarray):
    """The last state and all weights, in a step that is compiled once a strategy and number of terms."""
    state, weights = small(name).init(losses.shape[1]), []
    for row in losses.astype("float32"):
        state, current = compiled_step(name)(state, ops.convert_to_tensor(row))
        weights.append(ops.convert_to_numpy(current))
    return {key: ops.convert_to_numpy(value) for key, value in state.items()}, np.array(weights)


def random_losses(steps: int = 12, terms: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.1, 2.0, (steps, terms)).astype("float32")


@each
@settings(max_examples=10, deadline=None, derandomize=True, database=None)
@given(
    seed=st.integers(0, 2**32 - 1), exponent=st.sampled_from([-8, -3, 0, 4, 8]), sign=st.sampled_from([1, -1])
)
def test_weights_are_finite_not_negative_and_sum_to_1_at_any_scale(name, seed, exponent, sign) -> None:
    rng = np.random.default_rng(seed)
    losses = sign * 10.0 ** rng.uniform(-abs(exponent), exponent, (14, 3))
    losses[rng.random((14, 3)) < 0.1] = 0.0
    state, weights = run(name, losses)
    assert np.all(np.isfinite(weights))
    assert np.all(weights >= 0)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, rtol=1e-5)
    assert all(np.all(np.isfinite(value)) for value in state.values())
    assert state["stored"] == 14


@each
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_row_with_a_value_that_is_not_finite_is_dropped_whole(name: str, bad: float) -> None:
    losses = random_losses()
    broken = np.insert(losses, 7, [1.0, bad, 1.0], axis=0)
    before, weights_before = run(name, losses[:7])
    at, _ = run(name, broken[:8])
    for key in set(before) - {"step", "skipped"}:
        np.testing.assert_array_equal(at[key], before[key], err_msg=key)
    after, weights = run(name, broken)
    np.testing.assert_array_equal(weights[7], weights_before[-1])
    assert (after["step"], after["stored"], after["skipped"]) == (13, 12, 1)
    np.testing.assert_array_equal(np.delete(weights, 7, axis=0), run(name, losses)[1])


@each
def test_bad_rows_before_anything_else_leave_equal_weights(name: str) -> None:
    state, weights = run(name, np.full((6, 3), np.nan))
    np.testing.assert_allclose(weights, 1 / 3, rtol=1e-6)
    assert (state["step"], state["stored"], state["skipped"]) == (6, 0, 6)


@each_adaptive
def test_bad_rows_do_not_count_for_the_warmup(name: str) -> None:
    losses = np.insert(random_losses(), [0, 2], np.nan, axis=0)
    weights = run(name, losses)[1]
    np.testing.assert_allclose(weights[:5], 1 / 3, rtol=1e-6)
    assert np.ptp(weights[5]) > 1e-3


@each
@pytest.mark.parametrize("terms", [1, 2, 20])
def test_any_number_of_terms(name: str, terms: int) -> None:
    weights = weighting.replay(small(name), random_losses(10, terms))
    assert weights.shape == (10, terms)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, rtol=1e-5)
    if terms == 1:
        np.testing.assert_allclose(weights, 1.0, rtol=1e-6)


@each
def test_total_scales_the_weights(name: str) -> None:
    losses = random_losses()
    three = weighting.replay(small(name, total=3.0), losses)
    np.testing.assert_allclose(three, 3 * weighting.replay(small(name), losses), rtol=1e-5)


@each_adaptive
def test_without_total_the_formulas_own_sum_is_kept(name: str) -> None:
    losses = random_losses()
    own = weighting.replay(small(name, total=None), losses)
    np.testing.assert_allclose(own, weighting.replay(small(name), losses), rtol=1e-5)
    # With coefficients the sum moves: it is what the adapted weights make of them.
    prior = np.array([1.0, 2.0, 0.5])
    np.testing.assert_allclose(
        weighting.replay(small(name, total=None, prior=prior), losses), own * prior, rtol=1e-5
    )


def test_fixed_without_total_keeps_the_coefficients_as_written() -> None:
    losses = random_losses(2, 2)
    np.testing.assert_allclose(
        weighting.replay("fixed", losses, total=None, prior=[0.7, 2.0]), [[0.7, 2.0]] * 2
    )
    np.testing.assert_allclose(weighting.replay("fixed", losses, total=None), 1.0)
    np.testing.assert_allclose(weighting.replay("fixed", losses, prior=[1, 3]), [[0.25, 0.75]] * 2)


@each
def test_a_prior_multiplies_and_the_sum_stays(name: str) -> None:
    losses, prior = random_losses(), np.array([1.0, 2.0, 0.0])
    plain = weighting.replay(small(name), losses) * prior
    weights = weighting.replay(small(name, prior=prior), losses)
    np.testing.assert_allclose(weights, plain / plain.sum(axis=1, keepdims=True), rtol=1e-5)
    assert not weights[:, 2].any()


def test_a_prior_on_terms_without_weight_leaves_the_coefficients() -> None:
    losses = random_losses()
    losses[:, :2] = 0.5  # constant: var gives the third term everything, the prior gives it nothing
    weights = weighting.replay(small("var", prior=[1, 3, 0]), losses)
    np.testing.assert_allclose(weights, [[0.25, 0.75, 0.0]] * 12, rtol=1e-6)


@each
def test_the_sum_before_rescaling_is_in_the_state(name: str) -> None:
    strategy = small(name, total=5.0, prior=[1, 2, 3])
    state = strategy.init(3)
    for row in random_losses(6):
        state, weights = strategy.update(state, ops.convert_to_tensor(row))
    own = weighting.replay(small(name, total=None, prior=[1, 2, 3]), random_losses(6))[-1]
    assert float(state["raw_sum"]) == pytest.approx(own.sum(), rel=1e-5)
    assert float(ops.sum(weights)) == pytest.approx(5.0, rel=1e-5)


@each
def test_update_is_pure(name: str) -> None:
    strategy = small(name)
    state, _ = strategy.update(strategy.init(3), ops.convert_to_tensor(random_losses(1)[0]))
    before = {key: ops.convert_to_numpy(value).copy() for key, value in state.items()}
    new, weights = strategy.update(state, ops.convert_to_tensor(random_losses(1, seed=1)[0]))
    again, _ = strategy.update(state, ops.convert_to_tensor(random_losses(1, seed=1)[0]))
    for key, value in before.items():
        np.testing.assert_array_equal(ops.convert_to_numpy(state[key]), value)
        np.testing.assert_array_equal(ops.convert_to_numpy(new[key]), ops.convert_to_numpy(again[key]))
        assert new[key].shape == state[key].shape
        assert new[key].dtype == state[key].dtype
    np.testing.assert_array_equal(ops.convert_to_numpy(weights), ops.convert_to_numpy(new["weights"]))


@each
def test_config_round_trip(name: str) -> None:
    changed = {"total": 2.0, "prior": np.array([1.0, 2.0, 3.0])}
    changed |= {"warmup": 5, "window": 9} if name in ADAPTIVE else {}
    changed |= {"prior_power": 0.25} if name == "bayes" else {}
    for strategy in (weighting.get(name), weighting.get(name, **changed)):
        config = json.loads(json.dumps(strategy.get_config()))
        again = weighting.get(strategy.name, **config)
        assert type(again) is type(strategy)
        assert again.get_config() == config == strategy.get_config()
    assert {**config, "prior": None} == {**strategy.get_config(), **changed, "prior": None}


@pytest.mark.parametrize(
    ("name", "params", "match"),
    [
        ("var", {"warmup": 0}, "weighting.warmup is 0: give a whole number of steps"),
        ("var", {"warmup": 2.5}, "weighting.warmup is 2.5"),
        ("mad", {"warmup": "auto"}, "weighting.warmup is 'auto'"),
        ("mad", {"warmup": 51, "window": 50}, "window is 50 and weighting.warmup 51.*never adapt"),
        ("var", {"warmup": 1, "window": 1}, "window is 1"),
        ("var", {"window": 99.5}, "window is 99.5"),
        ("bayes", {"prior_power": 1.5}, "prior_power is 1.5: give a number from 0 to 1"),
        ("bayes", {"prior_power": float("nan")}, "prior_power is nan"),
        ("fixed", {"total": 0.0}, "weighting.total is 0.0: give a number above 0"),
        ("fixed", {"total": float("nan")}, "weighting.total is nan"),
        ("fixed", {"total": float("inf")}, "weighting.total is inf"),
        ("fixed", {"prior": [1.0, -1.0]}, "give finite numbers of 0 and above"),
        ("var", {"prior": [1.0, float("nan")]}, "give finite numbers of 0 and above"),
        ("fixed", {"prior": [0.0, 0.0]}, "not all 0"),
        ("fixed", {"prior": [1.0]}, "1 coefficients for 2 loss terms"),
    ],
)
def test_a_parameter_out_of_range(name: str, params: dict, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        weighting.get(name, **params).init(2)


def test_a_misspelt_name_or_parameter_names_the_closest() -> None:
    with pytest.raises(UnknownNameError, match="unknown weighting 'vra': did you mean 'var'"):
        weighting.get("vra")
    with pytest.raises(UnknownNameError, match="unknown parameter of mad 'widow': did you mean 'window'"):
        weighting.get("mad", widow=3)
    with pytest.raises(UnknownNameError, match="unknown parameter of fixed 'window'"):
        weighting.get("fixed", window=3)
    with pytest.raises(UnknownNameError, match="unknown weighting 'replay'"):
        weighting.get("replay")


def test_replay_says_what_it_needs() -> None:
    for shape in ((3,), (0, 2), (2, 0), (2, 2, 2)):
        with pytest.raises(ConfigError, match="replay needs"):
            weighting.replay("fixed", np.ones(shape))
    with pytest.raises(ConfigError, match="ready strategy"):
        weighting.replay(small("var"), random_losses(), warmup=2)


def test_a_strategy_without_a_formula_says_so() -> None:
    with pytest.raises(TypeError, match="does not define adapt"):
        weighting.replay(weighting.Strategy(), [[1.0]])


@each
def test_no_gradient_flows_through_the_weights(name: str) -> None:
    strategy = small(name)
    state = strategy.init(2)
    for row in random_losses(6, 2):
        state, _ = strategy.update(state, ops.convert_to_tensor(row))
    assert not weights_depend_on_losses(strategy, state)


def weights_depend_on_losses(strategy: weighting.Strategy, state) -> bool:
    """Whether the weights depend on the losses in the eyes of the backend's autodiff."""
    row = np.array([0.4, 0.9], "float32")
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        slope = jax.grad(lambda x: strategy.update(state, x)[1][0])(jax.numpy.asarray(row))
        return bool(np.any(np.asarray(slope)))
    if backend == "torch":
        import torch

        return strategy.update(state, torch.tensor(row, requires_grad=True))[1].requires_grad
    import tensorflow as tf

    x = tf.convert_to_tensor(row)
    with tf.GradientTape() as tape:
        tape.watch(x)
        first = strategy.update(state, x)[1][0]
    return tape.gradient(first, x) is not None
