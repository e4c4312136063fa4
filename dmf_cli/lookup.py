"""The parameters of functions and classes: those that a user may set are the keyword-only ones."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from dmf_cli.errors import UnknownNameError


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
