"""What Keras needs to know of this package to load a saved model, without importing Keras.

``import dmf_cli`` is enough before ``keras.models.load_model``, in whichever order the two are imported:
stand-ins for our classes are registered as soon as Keras is there, and import the real ones when a model
asks for them.
"""

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

PACKAGE = "dmf"
MODULES = {
    "FusedModel": "dmf_cli.fusion",
    "ForegroundDice": "dmf_cli.metrics.streaming",
    "MeanDice": "dmf_cli.metrics.streaming",
}


def announce() -> None:
    """Register now if Keras is imported, else once it is."""
    keras = sys.modules.get("keras")
    if hasattr(keras, "saving"):
        _register(keras)
    else:
        sys.meta_path.insert(0, _AfterKeras())


def _register(keras: ModuleType | None) -> None:
    known = keras.saving.get_custom_objects()  # type: ignore[union-attr]
    for name, module in MODULES.items():
        known.setdefault(f"{PACKAGE}>{name}", _stand_in(name, module))


def _stand_in(name: str, module: str) -> type:
    """A class of which Keras only calls ``from_config``."""

    def from_config(config: dict[str, Any], custom_objects: Any = None) -> Any:
        real = getattr(importlib.import_module(module), name)  # replaces this stand-in in Keras's list
        return real.from_config(config)

    return type(name, (), {"from_config": staticmethod(from_config), "__module__": module})


class _AfterKeras(MetaPathFinder):
    """Finds ``keras`` as everyone else does, and registers once it has run."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "keras":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def run_and_register(module: ModuleType) -> None:
                run(module)
                _register(module)

            spec.loader.exec_module = run_and_register  # type: ignore[method-assign]
        return spec
