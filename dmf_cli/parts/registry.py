"""Parts by name: which there are, what their source says, and the functions themselves once they are used."""

import importlib
from typing import Any

from dmf_cli.errors import UnknownNameError
from dmf_cli.parts import decorators, loading, plugins
from dmf_cli.parts.definitions import Definition, of_package
from dmf_cli.parts.kinds import KINDS


def known(kind: str) -> dict[str, Definition]:
    """Name -> definition of all parts of ``kind``: those of dmf, then those of active plugins."""
    return {**of_package(kind), **{one.name: one for one in plugins.definitions(kind)}}


def names(kind: str) -> list[str]:
    """The names of all parts of ``kind``."""
    return sorted({*known(kind), *(name for of, name in decorators.registered if of == kind)})


def definition(kind: str, name: str) -> Definition:
    """What the source of a part says; raises ``UnknownNameError`` with the closest name."""
    if name not in (there := known(kind)):
        raise UnknownNameError(KINDS[kind].group if kind == "strategy" else kind, name, names(kind))
    return there[name]


def find(kind: str, name: str) -> Any:
    """The function or class itself; its file is imported now.

    Raises:
        UnknownNameError: there is none; names the closest one.
        PluginError: its file cannot be imported.
    """
    if (kind, name) not in decorators.registered:
        if name in of_package(kind):
            importlib.import_module(KINDS[kind].module)
        else:
            loading.load(definition(kind, name))
    return decorators.registered[kind, name]
