"""What a call changes of the process of a notebook, and puts back."""

import contextlib
import logging
import os
import sys
from collections.abc import Iterator, Sequence

from dmf_cli.config.typed import Config

# Devices and the backend are chosen by them; a job that starts later must choose anew.
VARIABLES = ("CUDA_VISIBLE_DEVICES", "JAX_PLATFORMS", "KERAS_BACKEND")


@contextlib.contextmanager
def borrowed(command: Sequence[str] = ()) -> Iterator[None]:
    """Variables, words and the dtype policy of this process, which a run sets, are as before after the block.

    Args:
        command: what ``environment.json`` of a run names as its command; none: that of this process.
    """
    argv, variables = sys.argv, {name: os.environ.get(name) for name in VARIABLES}
    keras = sys.modules.get("keras")
    policy = keras.config.dtype_policy() if keras else None
    if command:
        sys.argv = list(command)
    tensorflow = logging.getLogger("tensorflow")  # it warns of several networks in one process
    level = tensorflow.level
    tensorflow.setLevel(logging.ERROR)
    try:
        yield
    finally:
        sys.argv = argv
        tensorflow.setLevel(level)
        for name, value in variables.items():
            os.environ.pop(name, None)
            os.environ.update({} if value is None else {name: value})
        if keras := sys.modules.get("keras"):
            keras.config.set_dtype_policy(policy or "float32")


def on_loaded_backend(config: Config) -> Config:
    """``config`` as a network is used with it: on the backend that is imported, for any of them will do."""
    keras = sys.modules.get("keras")
    loaded = keras.backend.backend() if keras else config.trainer.backend
    return config.changed("trainer", backend=loaded, device="auto", jit=False, deterministic=False)
