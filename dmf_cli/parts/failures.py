"""What goes wrong inside a part of a user's, in one line with the line of its file."""

import re

from dmf_cli.errors import PluginError
from dmf_cli.parts import plugins
from dmf_cli.parts.definitions import Definition


def failed(definition: Definition, error: Exception, hint: str = "") -> PluginError:
    """The error for whatever the function of a part raised."""
    return PluginError(
        f"{plugins.where(error, definition.file) or definition.place}: {definition.kind} "
        f"{definition.name!r} fails with {_first_words(error)}",
        path=definition.file,
        key=definition.name,
        hint="; ".join(filter(None, (hint, "DMF_DEBUG=1 shows the traceback"))),
    )


def wrong(definition: Definition, what: str, allowed: str) -> PluginError:
    """The error for what the function of a part returned, such as ``gives 'abc' (str)``."""
    return PluginError(
        f"{definition.place}: {definition.kind} {definition.name!r} {what}",
        path=definition.file,
        key=definition.name,
        allowed=allowed,
    )


def _first_words(error: Exception) -> str:
    """``ValueError: oh``, one sentence; TensorFlow writes pages, and hides the error of a Python function."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    inner = next((line for line in lines if re.match(r"[A-Z]\w*Error: ", line)), None)
    said = re.split(r"(?<=\w\.)\s", lines[0])[0] if lines else "it says no more"
    return inner or f"{type(error).__name__}: {said}"
