"""dmf: train segmentation models with several losses whose weights adapt while training.

The core (``losses``, ``weighting``, ``models``, ``metrics``, ``fuse``) is plain Keras 3 and runs on
TensorFlow, JAX and PyTorch. The decorators (``loss``, ``model``, ``strategy``, ``metric``, ``augmentation``,
``dataset``) add parts of your own; ``train``, ``load``, ``plan``, ``sweep``, ``compare``, ``replay``,
``tune``, ``verify`` and ``bundle`` are commands as functions. Everything is imported on first use, so that
``import dmf_cli`` and ``dmf --help`` stay instant and the Keras backend can still be chosen; type checkers
read ``__init__.pyi``.
"""

import importlib
from typing import Any

from dmf_cli import _registration

__version__ = "0.1.0"
_FROM = {
    "dmf_cli.fusion": ("Auxiliary", "FusedModel", "fuse"),
    "dmf_cli.api": ("bundle", "compare", "load", "plan", "replay", "sweep", "train", "tune", "verify"),
    "dmf_cli.parts": ("augmentation", "dataset", "loss", "metric", "model", "strategy"),
}
_MODULES = ("augmentations", "errors", "losses", "metrics", "models", "weighting")
__all__ = [*_MODULES, *(name for names in _FROM.values() for name in names)]

_registration.announce()


def __getattr__(name: str) -> Any:
    for module, names in _FROM.items():
        if name in names:
            return getattr(importlib.import_module(module), name)
    if name in _MODULES:
        return importlib.import_module(f"dmf_cli.{name}")
    raise AttributeError(f"module 'dmf_cli' has no attribute {name!r}")
