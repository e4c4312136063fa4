"""A strategy run over losses that were recorded earlier."""

from typing import Any

import numpy as np
from keras import ops

from dmf_cli._backend import compiled
from dmf_cli.errors import ConfigError
from dmf_cli.weighting._base import Strategy


def replay(strategy: str | Strategy, losses: Any, **params: Any) -> np.ndarray:
    """The weights that ``strategy`` would have given on a recorded history, without training.

    Args:
        strategy: a name (then ``params`` are its parameters) or a :class:`Strategy`.
        losses: ``(steps, n_terms)``; rows with NaN or infinite values are dropped by the strategy's guard.

    Returns:
        float32 ``(steps, n_terms)``; row t is what step t was trained with, its own
        losses included.

    Example:
        >>> replay("fixed", [[1.0, 2.0], [0.5, 1.5]]).tolist()
        [[0.5, 0.5], [0.5, 0.5]]
    """
    from dmf_cli import weighting

    if isinstance(strategy, str):
        strategy = weighting.get(strategy, **params)
    elif params:
        raise ConfigError(
            f"replay got a ready strategy and parameters {sorted(params)}: give the name with them"
        )
    history = np.asarray(losses, dtype="float32")
    if history.ndim != 2 or 0 in history.shape:
        raise ConfigError(f"losses of shape {history.shape}: replay needs (steps, n_terms), both at least 1")
    step = compiled(strategy.update)
    state, weights = strategy.init(history.shape[1]), []
    for row in history:
        state, current = step(state, ops.convert_to_tensor(row))
        weights.append(ops.convert_to_numpy(current))
    return np.stack(weights)
