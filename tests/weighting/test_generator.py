"""The counter-based generator: fixed numbers, the same on every backend, and as good as random."""

import numpy as np
import pytest
from keras import ops

from dmf_cli import weighting
from dmf_cli.ops.backend import compiled
from dmf_cli.weighting import _generator

FIXED_0 = [0.6701402068138123, 0.9133251309394836, 0.49114853143692017]
FIXED_42 = [0.08668798208236694, 0.7387996315956116, 0.8330066800117493]
FIXED_NORMAL = [-1.5347393, -0.4146627, -0.0667215]


def uniforms(seed: int, counter: int, lanes: int) -> np.ndarray:
    return ops.convert_to_numpy(
        _generator.uniform(seed, ops.convert_to_tensor(counter, dtype="int32"), lanes)
    )


def restated(seed: int, counter: int, lane: int) -> float:
    """The same in Python's integers, written down separately."""
    mask, keys = 2**15, ((seed + lane * 7919) % 2**15, (seed // 2**15 + lane * 12289) % 2**15)
    left, right = counter // mask % mask, counter % mask
    for turn in range(10):
        product = (54773, 47123)[turn % 2] * right
        key = (keys[0] + turn * 20249 if turn % 2 else keys[1] + turn * 12829) % mask
        left, right = product % mask, left ^ (product // mask % mask) ^ key
    return (left * 256 + right // 128 + 0.5) / 2**23


@pytest.mark.parametrize("seed", [0, 1, 12345, 2**15, 2**30 - 1, 2**40 + 3])
def test_numbers_are_those_of_plain_integers(seed: int) -> None:
    for counter in (0, 1, 2, 2**15 - 1, 2**15, 123456789, 2**31 - 1):
        expected = [restated(seed, counter, lane) for lane in range(5)]
        np.testing.assert_array_equal(uniforms(seed, counter, 5), np.array(expected, "float32"))


def test_fixed_numbers() -> None:
    """A change of the generator would change every run with random weights."""
    np.testing.assert_array_equal(uniforms(0, 0, 3), np.array(FIXED_0, "float32"))
    np.testing.assert_array_equal(uniforms(42, 1000, 3), np.array(FIXED_42, "float32"))
    counter = ops.convert_to_tensor(1000, dtype="int32")
    draws = ops.convert_to_numpy(_generator.normal(42, counter, 3))
    np.testing.assert_allclose(draws, FIXED_NORMAL, rtol=0, atol=2e-6)


def sample(seed: int, draws: int, lanes: int) -> np.ndarray:
    step = compiled(lambda counter: _generator.uniform(seed, counter, lanes))
    return np.stack(
        [ops.convert_to_numpy(step(ops.convert_to_tensor(k, dtype="int32"))) for k in range(draws)]
    )


def test_numbers_are_uniform_and_independent() -> None:
    """2000 draws of 20 lanes: chi square of 16 bins, and correlations over draws, lanes and seeds."""
    u = sample(3, 2000, 20)
    assert 0 < u.min() < 1e-3
    assert 1 - 1e-3 < u.max() < 1
    counts = np.histogram(u, bins=16, range=(0, 1))[0]
    assert ((counts - 2500) ** 2 / 2500).sum() < 37.7  # 99.9 % of chi square with 15 degrees of freedom
    pairs = np.histogram2d(u[:-1].ravel(), u[1:].ravel(), bins=8, range=[[0, 1]] * 2)[0]
    assert ((pairs - 624.6875) ** 2 / 624.6875).sum() < 103.4  # 99.9 %, 63 degrees
    z = (u - 0.5) * np.sqrt(12)
    bound = 5 / np.sqrt(2000)
    between_lanes = z.T @ z / len(z) - np.eye(20)
    assert np.abs(between_lanes).max() < bound
    for lag in (1, 2, 3, 7, 32):
        assert np.abs(np.mean(z[:-lag] * z[lag:], axis=0)).max() < bound
    other = (sample(4, 2000, 20) - 0.5) * np.sqrt(12)
    assert np.abs(np.mean(z * other, axis=0)).max() < bound


def test_each_counter_gives_another_pair_of_halves() -> None:
    """A permutation for each key: 23 of 30 bits are seen, so that few of 3000 coincide."""
    assert len(np.unique(sample(1, 3000, 1))) > 2995


def test_normal_draws() -> None:
    step = compiled(lambda counter: _generator.normal(5, counter, 500))
    x = np.stack([ops.convert_to_numpy(step(ops.convert_to_tensor(k, dtype="int32"))) for k in range(20)])
    assert np.all(np.isfinite(x))
    assert abs(x.mean()) < 0.04
    assert abs(x.std() - 1) < 0.03
    assert abs(np.mean(x**4) - 3) < 0.4


def test_random_weights_differ_by_step_and_seed_and_repeat() -> None:
    losses = np.ones((6, 3), "float32")
    first = weighting.replay("random", losses, warmup=1, seed=1)
    assert len(np.unique(first, axis=0)) == 6
    np.testing.assert_array_equal(first, weighting.replay("random", losses, warmup=1, seed=1))
    assert np.abs(first - weighting.replay("random", losses, warmup=1, seed=2)).max(axis=1).min() > 1e-3
    np.testing.assert_array_equal(
        weighting.replay("random", losses, warmup=1, seed=0), weighting.replay("random", losses, warmup=1)
    )


def test_random_weights_are_a_softmax_of_normal_draws() -> None:
    logs = np.log(weighting.replay("random", np.ones((400, 3), "float32"), warmup=1))
    # Differences of two independent N(0, 1) have variance 2.
    assert np.var(logs[:, 0] - logs[:, 1]) == pytest.approx(2, rel=0.2)
    assert np.mean(logs[:, 0] - logs[:, 1]) == pytest.approx(0, abs=0.25)
