"""Can every loss train the network at all? Asked once, before the first step.

A Dice that is computed from argmax looks like a loss, prints like a loss and has no gradient: the run
would train with the other terms alone, and nothing would say so.
"""

from collections.abc import Mapping
from functools import partial

import numpy as np
from keras import ops

from dmf_cli.errors import ConfigError
from dmf_cli.fusion.logit_gradients import logit_gradients
from dmf_cli.fusion.targets import Loss, Targets, Tensor, term_value

SPREAD = 0.5  # of the probe's logits: probabilities of about 0.2 to 0.8, on both sides of one half


def check_alive(losses: Mapping[str, Loss], y_true: Tensor) -> None:
    """Raise unless each of ``losses`` has a gradient that is not 0 everywhere.

    Args:
        losses: by the name that the error shall give.
        y_true: one-hot ``(batch, *spatial, classes)`` with every class in it: several losses have exactly
            no gradient on a batch without a lesion.

    Raises:
        ConfigError: naming the first loss without a gradient.
    """
    y_pred = ops.convert_to_tensor(_unsaturated(np.shape(y_true)))
    targets = Targets.of(y_true)
    functions = [partial(term_value, name, loss, targets) for name, loss in losses.items()]
    for name, gradient in zip(losses, logit_gradients(functions, y_pred), strict=True):
        if gradient is not None and not np.isfinite(ops.convert_to_numpy(gradient)).all():
            raise ConfigError(
                key="auxiliary" if name == "auxiliary" else f"loss term {name!r}",
                reason="cannot train the network",
                hint="its gradient is NaN or infinite for probabilities of .2 to .8; clip what it divides by "
                "or takes the logarithm of",
            )
        if gradient is None or not np.any(ops.convert_to_numpy(gradient)):
            raise ConfigError(
                key="auxiliary" if name == "auxiliary" else f"loss term {name!r}",
                reason="cannot train the network",
                hint=f"its gradient is {'missing' if gradient is None else '0'} on a batch that holds every "
                "class; compute it from the probabilities, not from argmax or a threshold, and check its "
                "coefficients and class weights",
            )


def _unsaturated(shape: tuple[int, ...]) -> np.ndarray:
    """Probabilities that are sure of nothing, the same in every run."""
    logits = np.random.default_rng(0).normal(0.0, SPREAD, shape).astype("float32")
    probabilities: np.ndarray = 1.0 / (1.0 + np.exp(-logits))
    if shape[-1] > 1:
        powers = np.exp(logits)
        probabilities = powers / powers.sum(axis=-1, keepdims=True)
    return probabilities
