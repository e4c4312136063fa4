"""The gradient of a scalar function of one array, on whichever backend runs."""

from collections.abc import Callable

import keras
import numpy as np
import pytest


def _gradient(function: Callable, x: np.ndarray) -> tuple[float, np.ndarray]:
    """``function(x)`` and its gradient with respect to ``x``, in the dtype of ``x``."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        value, gradient = jax.value_and_grad(lambda t: keras.ops.cast(function(t), "float32"))(
            jax.numpy.asarray(x)
        )
    elif backend == "torch":
        import torch

        tensor = torch.tensor(x, requires_grad=True)
        value = function(tensor)
        (gradient,) = torch.autograd.grad(value, tensor)
        value = value.detach()
    else:
        import tensorflow as tf

        tensor = tf.convert_to_tensor(x)
        with tf.GradientTape() as tape:
            tape.watch(tensor)
            value = function(tensor)
        gradient = tape.gradient(value, tensor)
    return float(value), keras.ops.convert_to_numpy(gradient)


@pytest.fixture(scope="session")
def gradient() -> Callable:
    return _gradient
