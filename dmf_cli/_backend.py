"""What Keras 3 has no common word for; the only place where the core names a backend."""

from collections.abc import Callable
from typing import Any

import keras


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` (of tensors or trees of tensors) traced once and compiled, or as it is on PyTorch."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        return tensorflow.function(function, autograph=False)
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    return function
