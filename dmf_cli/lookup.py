"""Objects by name: the re-exports of a package's ``__init__`` are its registry.

Used for losses, strategies and models alike, so that each of them is one function (or class) and one
re-export line, and a misspelt name or parameter always gives the same kind of error.
"""

import inspect
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from dmf_cli.errors import UnknownNameError


def names(module: ModuleType) -> list[str]:
    """The public names that ``module`` offers, without its helpers (``get``, ``replay``, classes' bases)."""
    return sorted(module.__registry__)


def find(kind: str, module: ModuleType, name: str) -> Any:
    """The object called ``name`` in ``module``; raises ``UnknownNameError`` with the closest name."""
    allowed = names(module)
    if name not in allowed:
        raise UnknownNameError(kind, name, allowed)
    return getattr(module, name)


def keywords(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The keyword-only parameters of ``function``: exactly what a user may set.

    A class that passes ``**common`` on to its bases takes their keywords too.
    """
    found: dict[str, inspect.Parameter] = {}
    for owner in inspect.getmro(function) if inspect.isclass(function) else (function,):
        parameters = inspect.signature(owner).parameters.values() if owner is not object else ()
        found |= {p.name: p for p in parameters if p.kind is p.KEYWORD_ONLY and p.name not in found}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return found


def check_keywords(kind: str, function: Callable[..., Any], params: Mapping[str, Any]) -> None:
    """Raise ``UnknownNameError`` for the first parameter that ``function`` does not take."""
    allowed = keywords(function)
    for name in params:
        if name not in allowed:
            raise UnknownNameError(f"parameter of {kind}", name, allowed)
