"""Does the formula of a strategy give weights at all? The guards of the base class would hide it if not."""

from typing import Any

import numpy as np
from keras import ops

from dmf_cli.weighting._strategy import Strategy

STEPS = 3


def fault(strategy: Strategy, n_terms: int = 2) -> str:
    """What is wrong with the ``adapt`` of a strategy, for a few rows of falling losses; empty if nothing is.

    Args:
        strategy: any.
        n_terms: losses to be weighted.
    """
    state, own = strategy.init(n_terms), strategy.memory(n_terms)
    for step in range(1, STEPS + 1):
        losses = ops.convert_to_tensor([1.0 / (step + i) for i in range(n_terms)], "float32")
        counts = {name: ops.cast(step, "int32") for name in ("step", "stored")}
        seen: dict[str, Any] = {**state, **counts}
        if strategy.needs_gradients:
            seen["gradients"] = {name: ops.ones((n_terms,), "float32") for name in strategy.statistics}
        given: Any = strategy.adapt(seen, losses)
        if not isinstance(given, tuple) or len(given) != 2 or not isinstance(given[0], dict):
            return f"adapt gives {type(given).__name__}, and not (memory, weights)"
        memory, weights = given
        if unknown := set(memory) - set(own):
            return f"adapt gives {', '.join(sorted(unknown))}, which memory() does not have"
        if wrong := [name for name in memory if np.shape(memory[name]) != np.shape(own[name])]:
            return f"adapt changes the shape of {wrong[0]} from {np.shape(own[wrong[0]])}"
        if np.shape(weights) != (n_terms,):
            return f"adapt gives weights of shape {np.shape(weights)} for {n_terms} losses"
        values = ops.convert_to_numpy(weights)
        if not np.isfinite(values).all() or (values < 0).any() or not values.any():
            return f"adapt gives the weights {values.tolist()} for the losses {np.array(losses).tolist()}"
        state = {**state, **memory}
    return ""
