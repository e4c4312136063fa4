"""How the tests of strategies run them: small, and in a step that is compiled once."""

import functools
import json
from collections.abc import Callable

import numpy as np
import pytest
from keras import ops

from dmf_cli import lookup, weighting
from dmf_cli.ops import backend


def _small(name: str, **params) -> weighting.Strategy:
    """The strategy with a warm-up of 4, a window of 8 and epochs of 3 steps, where it has them."""
    known = {"warmup": 4, "window": 8, "steps_per_epoch": 3}
    taken = lookup.keywords(getattr(weighting, name))
    return weighting.get(name, **({k: v for k, v in known.items() if k in taken} | params))


@functools.cache
def compiled_step(name: str, params: str):
    return backend.compiled(_small(name, **json.loads(params)).update)


def _gradients_of(strategy: weighting.Strategy, losses: np.ndarray) -> list[dict]:
    """Statistics that go with the losses, where the strategy needs them: some order, no zeros."""
    if not strategy.needs_gradients:
        return [()] * len(losses)
    sizes = np.abs(losses[:, ::-1]) + np.float32(0.01)
    return [({key: ops.convert_to_tensor(row) for key in ("norm", "mean_abs", "max_abs")},) for row in sizes]


def _run(name: str, losses: np.ndarray, gradients: list | None = None, **params):
    """The last state and all weights, in a step that is compiled once a strategy and number of terms."""
    losses = np.asarray(losses, dtype="float32")
    strategy, step = _small(name, **params), compiled_step(name, json.dumps(params))
    state, weights = strategy.init(losses.shape[1]), []
    for row, extra in zip(losses, gradients or _gradients_of(strategy, losses), strict=True):
        state, current = step(state, ops.convert_to_tensor(row), *extra)
        weights.append(ops.convert_to_numpy(current))
    return {key: ops.convert_to_numpy(value) for key, value in state.items()}, np.array(weights)


@pytest.fixture(scope="session")
def small() -> Callable[..., weighting.Strategy]:
    return _small


@pytest.fixture(scope="session")
def run() -> Callable[..., tuple[dict, np.ndarray]]:
    return _run


@pytest.fixture(scope="session")
def gradients_of() -> Callable[..., list]:
    return _gradients_of
