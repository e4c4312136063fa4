"""What Keras 3 has no common word for; the only place where the core names a backend."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` (of tensors or trees of tensors) traced once and compiled, or as it is on PyTorch."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        return tensorflow.function(function, autograph=False)
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    return function


def to_numpy(variable: keras.Variable) -> np.ndarray:
    """The value of ``variable`` now; through a copy, for NumPy 2 warns about TensorFlow's variables."""
    return np.asarray(keras.ops.convert_to_numpy(keras.ops.copy(variable.value)))
