"""How the tests of strategies run them: small, and in a step that is compiled once."""

import functools
import json
from collections.abc import Callable

import numpy as np
import pytest

from dmf_cli import lookup, weighting
from dmf_cli.checking.strategy_trial import Subject, gradients


def _small(name: str, **params) -> weighting.Strategy:
    """The strategy with a warm-up of 4, a window of 8 and epochs of 3 steps, where it has them."""
    known = {"warmup": 4, "window": 8, "steps_per_epoch": 3}
    taken = lookup.keywords(getattr(weighting, name))
    return weighting.get(name, **({k: v for k, v in known.items() if k in taken} | params))


@functools.cache
def _kept(name: str, params: str) -> Subject:
    return Subject(functools.partial(_small, name, **json.loads(params)))


def _subject(name: str, **params) -> Subject:
    """The strategy with a step that is compiled once for each number of terms."""
    return _kept(name, json.dumps(params))


def _run(name: str, losses: np.ndarray, extra: list | None = None, **params):
    """The last state and all weights; ``extra`` are the gradients of each step."""
    return _subject(name, **params).run(losses, extra or ())


@pytest.fixture(scope="session")
def small() -> Callable[..., weighting.Strategy]:
    return _small


@pytest.fixture(scope="session")
def run() -> Callable[..., tuple[dict, np.ndarray]]:
    return _run


@pytest.fixture(scope="session")
def subject() -> Callable[..., Subject]:
    return _subject


@pytest.fixture(scope="session")
def gradients_of() -> Callable[..., list]:
    return gradients
