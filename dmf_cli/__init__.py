"""dmf: train segmentation models with several losses whose weights adapt while training.

The core (``losses``, ``weighting``, ``models``, ``metrics``, ``fuse``) is plain Keras 3 and runs on
TensorFlow, JAX and PyTorch. Everything is imported on first use, so that ``import dmf_cli`` and
``dmf --help`` stay instant and the Keras backend can still be chosen.
"""

import importlib
from typing import Any

from dmf_cli import _registration

__version__ = "0.1.0"
__all__ = ["Auxiliary", "FusedModel", "fuse", "losses", "metrics", "models", "weighting"]

_registration.announce()
_FROM_FUSION = ("Auxiliary", "FusedModel", "fuse")


def __getattr__(name: str) -> Any:
    if name in _FROM_FUSION:
        return getattr(importlib.import_module("dmf_cli.fusion"), name)
    if name in __all__:
        return importlib.import_module(f"dmf_cli.{name}")
    raise AttributeError(f"module 'dmf_cli' has no attribute {name!r}")
