"""Parts that are objects of this process, as a function of a notebook: plugins without a file.

A config names them as any part, and its ``plugins`` have their hash; nothing of them is in a run folder.
"""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from dmf_cli import lookup
from dmf_cli.errors import PluginError
from dmf_cli.hashes import digest
from dmf_cli.parts import annotations, decorators, plugins
from dmf_cli.parts.definitions import Definition, Parameter
from dmf_cli.parts.kinds import KINDS

_PREFIX = "object"
_parts: dict[tuple[str, str], Any] = {}
_PLAIN = (bool, int, float, str, type(None), list, tuple, dict)


@dataclasses.dataclass(frozen=True)
class Given(plugins.Plugin):
    """A plugin that is one object.

    Args:
        part: what a source would say of it.
        content: its hash.
    """

    part: Definition | None = None
    content: str = ""

    @property
    def definitions(self) -> tuple[Definition, ...]:
        """The part."""
        return (self.part,) if self.part else ()

    @property
    def files(self) -> dict[str, Path]:
        """There are none."""
        return {}

    @property
    def hash(self) -> str:
        """Of the object."""
        return self.content

    @property
    def is_module(self) -> bool:
        """It is none."""
        return False

    def refusal(self) -> PluginError:
        """The error for an object that another process had."""
        assert self.part is not None
        return PluginError(
            f"{self.untrusted} was trained with {self.part.kind} {self.part.name!r}, an object in no file",
            path=self.untrusted,
            key=self.part.kind,
            value=self.part.name,
            hint="give it again from Python, as dmf_cli.train has it, or write it in a file for plugins=",
        )


def put(kind: str, name: str, part: Callable[..., Any], content: str) -> None:
    """Make ``part`` known by ``name`` until this process ends, in place of an earlier object of that name.

    Args:
        kind: of :data:`dmf_cli.parts.kinds.KINDS`.
        name: an identifier.
        part: a function or a class with the signature of its kind.
        content: a hash of all that decides what it does.

    Raises:
        PluginError: a part of dmf or of a file has the name, or its signature is not that of its kind.
    """
    file = Path(f"<{kind} {name}>")
    _add(Given(_label(kind, name), file, Path(), part=_definition(kind, name, part, file), content=content))
    decorators.registered[kind, name] = _parts[kind, name] = part


def absent(run: Path, plugin: str, hash: str, config: Mapping[str, Any]) -> None:
    """Make an object known that the run in ``run`` was trained with and this process lacks.

    Its parameters are those in the ``config``: that can be read, and what needs the object says so.
    """
    _, kind, name = plugin.split(".")
    group = config.get(KINDS[kind].group) or {}
    several = {"loss": "terms", "metric": "own"}.get(kind)
    values = (group.get(several) or {}).get(name, {}) if several else group
    file = Path(f"<{kind} {name}>")
    keys = {key: Parameter(Any, value) for key, value in values.items() if key != "name"}
    _add(Given(plugin, file, Path(), run, Definition(kind, name, file, 1, keys), hash))


def holds(kind: str, name: str, part: Any) -> bool:
    """Whether the object ``name`` is ``part``; a cell that is run again makes another one of that name."""
    return find(kind, name) and _parts.get((kind, name)) is part


def find(kind: str, name: Any) -> bool:
    """Whether ``name`` is that of an object."""
    return any(one.name == _label(kind, str(name)) for one in plugins.active())


def is_given(plugin: str) -> bool:
    """Whether the ``plugins`` of a config mean an object by this name."""
    prefix, *rest = plugin.split(".")
    return prefix == _PREFIX and len(rest) == 2 and rest[0] in KINDS


def _add(one: Given) -> None:
    before = next((other for other in plugins.active() if other.name == one.name), None)
    if before is not None:
        plugins.remove(before)
    plugins.add(one)


def source(part: Any) -> str:
    """A hash of a function or class: of its source, or else of its code, and of the values that it holds."""
    if isinstance(part, functools.partial):
        return digest(repr((source(part.func), part.args, sorted(part.keywords.items()))))
    if not isinstance(part, type) and not hasattr(part, "__code__"):  # an object that can be called
        settings = part.get_config() if hasattr(part, "get_config") else vars(part)
        return digest(repr((source(type(part)), sorted(settings.items()))))
    try:
        text = inspect.getsource(part)
    except (OSError, TypeError):  # typed into an interpreter
        code = getattr(part, "__code__", None)
        text = repr((code.co_code, code.co_consts)) if code else repr(part)
    cells = [repr(cell.cell_contents) for cell in getattr(part, "__closure__", None) or ()]
    defaults = [getattr(part, name, None) for name in ("__defaults__", "__kwdefaults__")]
    return digest(repr((text, cells, defaults)))


def weights(model: Any) -> str:
    """A hash of a Keras model: of its layers and of its weights."""
    values = b"".join(array.tobytes() for array in model.get_weights())
    return digest(model.to_json().encode() + values)


def _label(kind: str, name: str) -> str:
    return f"{_PREFIX}.{kind}.{name}"


def _definition(kind: str, name: str, part: Callable[..., Any], file: Path) -> Definition:
    parameters = inspect.signature(part).parameters.values()
    before = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    arguments = tuple(one.name for one in before if one.default is one.empty)
    variable = any(one.kind is one.VAR_POSITIONAL for one in parameters)
    if len(arguments) not in [len(each) for each in KINDS[kind].arguments] and not variable:
        what = f"{kind} {name!r} takes ({', '.join(arguments)})"
        raise PluginError(what, key=kind, allowed=KINDS[kind].shape)
    keys = {key: _parameter(kind, name, one) for key, one in lookup.keywords(part).items()}
    options = decorators.given.get((kind, name), {})
    text = inspect.getdoc(part) or ""
    summary = " ".join(text.partition("\n\n")[0].split()).rstrip(".")
    return Definition(kind, name, file, 1, MappingProxyType(keys), summary, "", options, arguments)


def _parameter(kind: str, name: str, one: inspect.Parameter) -> Parameter:
    if not isinstance(one.default, _PLAIN):
        raise PluginError(
            f"{kind} {name!r}: {one.name} has no default that a config can hold",
            key=kind,
            allowed=f"a constant, as {one.name}=0.5",
        )
    untyped = one.annotation is one.empty or isinstance(one.annotation, str)
    return Parameter(annotations.hint(None, None, one.default) if untyped else one.annotation, one.default)
