"""The state of a weighting strategy as variables of a model: on the device, and saved with the weights."""

from typing import Any

import keras
from keras import ops

from dmf_cli.weighting import Strategy

Tensor = Any


def state_variables(model: keras.Model, strategy: Strategy, n_terms: int) -> dict[str, keras.Variable]:
    """One non-trainable variable of ``model`` an entry of the state at step 0."""
    return {name: _variable(model, name, value) for name, value in strategy.init(n_terms).items()}


def _variable(model: keras.Model, name: str, value: Tensor) -> keras.Variable:
    dtype = keras.backend.standardize_dtype(value.dtype)
    # Floats are averaged over replicas; counts are the same on each, and a mean of integers is refused.
    aggregation = "mean" if dtype == "float32" else "only_first_replica"
    variable = model.add_weight(
        shape=tuple(value.shape),
        dtype=dtype,
        initializer="zeros",
        trainable=False,
        autocast=False,
        aggregation=aggregation,
        name=f"memory_{name}",
    )
    # Two entries may share one array of JAX, which a compiled step could not take over twice.
    variable.assign(ops.copy(value))
    return variable


def read(variable: keras.Variable) -> Tensor:
    """The value now: without the copy TensorFlow reads a variable late, and PyTorch shares its storage,
    so that an assignment in the same step would change what was read before it.
    """
    return ops.copy(variable.value)


def objective_weights(strategy: Strategy, n_terms: int) -> Tensor:
    """Weights of the objective that stays comparable over epochs: the coefficients, summing to 1."""
    prior = strategy.prior or [1.0] * n_terms
    return ops.convert_to_tensor([c / sum(prior) for c in prior], dtype="float32")
