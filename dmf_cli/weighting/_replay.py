"""A strategy run over losses that were recorded earlier."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dmf_cli.errors import ConfigError
from dmf_cli.ops.backend import scan
from dmf_cli.weighting._strategy import Strategy


def replay(
    strategy: str | Strategy, losses: Any, *, gradients: Mapping[str, Any] | None = None, **params: Any
) -> np.ndarray:
    """The weights that ``strategy`` would have given on a recorded history, without training.

    Args:
        strategy: a name (then ``params`` are its parameters) or a :class:`Strategy`.
        losses: ``(steps, n_terms)``; rows with NaN or infinite values are dropped by the strategy's guard.
        gradients: for a strategy that needs them: recorded statistics of the gradients, each of the shape
            of ``losses``: ``norm`` for gradnorm, ``mean_abs`` and ``max_abs`` for lr_annealing.

    Returns:
        float32 ``(steps, n_terms)``; row t is what step t was trained with, its own
        losses included.

    Raises:
        ConfigError: for another shape, or gradients that are needed and not given.

    Example:
        >>> replay("fixed", [[1.0, 2.0], [0.5, 1.5]]).tolist()
        [[0.5, 0.5], [0.5, 0.5]]
    """
    from dmf_cli import weighting

    if isinstance(strategy, str):
        strategy = weighting.get(strategy, **params)
    elif params:
        raise ConfigError(
            f"replay got a ready strategy and the parameters {', '.join(sorted(params))}",
            key="strategy",
            allowed="its name with them",
        )
    history = np.asarray(losses, dtype="float32")
    if history.ndim != 2 or 0 in history.shape:
        shape = f"has shape {history.shape}"
        raise ConfigError(key="losses", reason=shape, allowed="(steps, n_terms), both at least 1")
    recorded = _recorded(strategy, gradients, history.shape)
    state = strategy.init(history.shape[1])
    if recorded:
        return scan(lambda state, row: strategy.update(state, *row), state, (history, recorded))
    return scan(strategy.update, state, history)


def _recorded(
    strategy: Strategy, gradients: Mapping[str, Any] | None, shape: tuple[int, ...]
) -> dict[str, np.ndarray]:
    """Those of ``gradients`` that ``strategy`` uses, as float32 of ``shape``."""
    missing = [name for name in strategy.statistics if name not in (gradients or {})]
    if missing:
        raise ConfigError(
            f"weighting {strategy.name} needs the gradient of each loss, and {missing[0]} was not recorded",
            key=f"gradients.{missing[0]}",
            allowed=f"replay(gradients={{{missing[0]!r}: array of {shape}}}), or another strategy",
        )
    used = {name: np.asarray(gradients[name], dtype="float32") for name in strategy.statistics if gradients}
    for name, values in used.items():
        if values.shape != shape:
            reason = f"has shape {values.shape}"
            raise ConfigError(key=f"gradients.{name}", reason=reason, allowed=f"the shape of losses, {shape}")
    return used
