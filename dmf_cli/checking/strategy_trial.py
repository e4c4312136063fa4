"""A strategy that is run over losses, and the losses that it is run over."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from keras import ops

from dmf_cli.ops.backend import compiled
from dmf_cli.weighting import Strategy

STEPS = 14
EVENTS: dict[str, Callable[[np.ndarray], Any]] = {
    "constant": lambda x: np.full_like(x, [0.5, 2.0, 7.0]),
    "one constant": lambda x: _at(x, np.s_[:, 1], 0.7),
    "one at 0": lambda x: _at(x, np.s_[:, 1], 0.0),
    "falls to 0": lambda x: _at(x, np.s_[6:, 1], 0.0),
    "all 0": lambda x: 0.0 * x,
    "first row 0": lambda x: _at(x, 0, 0.0),
    "scales": lambda x: x * [1e-8, 1.0, 1e8],
    "tiny": lambda x: x * 1e-8,
    "huge": lambda x: x * 1e8,
    "signs": lambda x: _at(x, np.s_[::2], -x[::2]),
    "negative": lambda x: -x,
    "spikes": lambda x: _at(x, np.s_[5::4, 0], x[5::4, 0] * 1000.0),
    "spike of 1e15": lambda x: _at(x, np.s_[6, 2], x[6, 2] * 1e15),
}


@dataclasses.dataclass
class Subject:
    """A strategy to check, with a step that is compiled once for each number of terms.

    Args:
        make: gives it, ready to use.
    """

    make: Callable[[], Strategy]

    @functools.cached_property
    def strategy(self) -> Strategy:
        """The strategy."""
        return self.make()

    @functools.cached_property
    def step(self) -> Callable[..., Any]:
        """Its ``update``, compiled."""
        return compiled(self.strategy.update)

    def run(self, losses: np.ndarray, extra: Sequence[Any] = ()) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """The last state and the weights of each step, ``(steps, terms)``.

        Args:
            losses: ``(steps, terms)``.
            extra: arguments of each step beside its losses; default: those of :func:`gradients`.
        """
        losses = np.asarray(losses, "float32")
        state, weights = self.strategy.init(losses.shape[1]), []
        for row, more in zip(losses, extra or gradients(self.strategy, losses), strict=True):
            state, current = self.step(state, ops.convert_to_tensor(row), *more)
            weights.append(np.array(ops.convert_to_numpy(current)))
        return {key: np.array(ops.convert_to_numpy(value)) for key, value in state.items()}, np.array(weights)


def gradients(
    strategy: Strategy, losses: np.ndarray, sizes: np.ndarray | None = None
) -> list[tuple[Any, ...]]:
    """Statistics that go with the losses, where the strategy needs them.

    Args:
        strategy: which may need none.
        losses: ``(steps, terms)``.
        sizes: of the gradients; default: above 0, in another order than the losses.
    """
    if not strategy.needs_gradients:
        return [()] * len(losses)
    sizes = sizes_of(losses[:, ::-1]) if sizes is None else sizes
    return [({key: ops.convert_to_tensor(row) for key in ("norm", "mean_abs", "max_abs")},) for row in sizes]


def random_losses(steps: int = 12, terms: int = 3, seed: int = 0) -> np.ndarray:
    """``(steps, terms)`` from 0.1 to 2."""
    return np.random.default_rng(seed).uniform(0.1, 2.0, (steps, terms)).astype("float32").round(3)


def falling(steps: int = STEPS, terms: int = 3) -> np.ndarray:
    """``(steps, terms)`` as a training has them."""
    fading = np.exp(-0.1 * np.arange(steps, dtype="float32"))[:, None]
    losses: np.ndarray = (random_losses(steps, terms) * fading + 0.05).round(3)
    return losses


def event(kind: str) -> np.ndarray:
    """Rows of three losses in which something happens."""
    return np.asarray(EVENTS[kind](falling()), "float32")


def sizes_of(losses: np.ndarray) -> np.ndarray:
    """Of gradients: of some order, and above 0."""
    sizes: np.ndarray = np.abs(losses) + np.float32(0.01)
    return sizes


def _at(array: np.ndarray, place: Any, value: Any) -> np.ndarray:
    changed = array.copy()
    changed[place] = value
    return changed
