"""Scripts as modules: `scripts/` is no package."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]


def load(name: str) -> ModuleType:
    """``scripts/NAME.py``, executed; it finds the others beside it, as when it is run."""
    if (folder := str(ROOT / "scripts")) not in sys.path:
        sys.path.append(folder)
    spec = importlib.util.spec_from_file_location(f"script_{name}", ROOT / "scripts" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
