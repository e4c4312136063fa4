"""Parts that are objects of this process, as a function of a notebook: plugins without a file.

A config names them as any part, and its ``plugins`` have their hash; nothing of them is in a run folder.
Where a run was trained with another object of the same name, a placeholder (:func:`absent`) takes its place
until the next call (:func:`refresh`).
"""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from dmf_cli import lookup
from dmf_cli.errors import PluginError
from dmf_cli.parts import annotations, decorators, plugins
from dmf_cli.parts.definitions import Definition, Parameter
from dmf_cli.parts.kinds import KINDS

_PREFIX = "object"
_PLAIN = (bool, int, float, str, type(None), list, tuple, dict)


@dataclasses.dataclass(frozen=True)
class Given(plugins.Plugin):
    """A plugin that is one object.

    Args:
        part: what a source would say of it.
        content: its hash.
        object: the object itself; None: this process lacks it.
        rehash: gives the hash anew, of an object whose hash may change.
        displaced: the object of this name in this process, where a run was trained with another one.
    """

    part: Definition | None = None
    content: str = ""
    object: Any = dataclasses.field(default=None, compare=False, repr=False)
    rehash: Callable[[], str] | None = dataclasses.field(default=None, compare=False, repr=False)
    displaced: "Given | None" = None

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


def put(
    kind: str, name: str, part: Callable[..., Any], content: str, rehash: Callable[[], str] | None = None
) -> None:
    """Make ``part`` known by ``name`` until this process ends, in place of an earlier object of that name.

    Args:
        kind: of :data:`dmf_cli.parts.kinds.KINDS`.
        name: an identifier.
        part: a function or a class with the signature of its kind.
        content: a hash of all that decides what it does.
        rehash: gives this hash anew: a global that a function uses may change. None: it never does.

    Raises:
        PluginError: a part of dmf or of a file has the name, or its signature is not that of its kind.
    """
    file = Path(f"<{kind} {name}>")
    definition = _definition(kind, name, part, file)
    _add(Given(_label(kind, name), file, Path(), None, definition, content, part, rehash))


def absent(run: Path, plugin: str, hash: str, config: Mapping[str, Any]) -> None:
    """Make an object known that the run in ``run`` was trained with and this process lacks.

    Its parameters are those in the ``config``, which came with the folder and may be anything: that can be
    read, and what needs the object says so. Another object of its name is back after :func:`refresh`.
    """
    _, kind, name = plugin.split(".")
    values: Any = config.get(KINDS[kind].group)
    several = {"loss": "terms", "metric": "own"}.get(kind)
    for key in (several, name) if several else ():
        values = values.get(key) if isinstance(values, Mapping) else None
    file = Path(f"<{kind} {name}>")
    items = values.items() if isinstance(values, Mapping) else ()
    keys = {key: Parameter(Any, value) for key, value in items if isinstance(key, str) and key != "name"}
    there = _active(plugin)
    displaced = there.displaced or (there if there.untrusted is None else None) if there else None
    part = Definition(kind, name, file, 1, keys)
    _add(Given(plugin, file, Path(), run, part, hash, displaced=displaced))


def refresh() -> None:
    """Bring the objects back that :func:`absent` has displaced, and hash all anew."""
    for one in [one for one in plugins.active() if isinstance(one, Given)]:
        there = one.displaced or one
        content = there.rehash() if there.rehash else there.content
        if there is not one or content != one.content:
            _add(dataclasses.replace(there, content=content))


def holds(kind: str, name: str, part: Any) -> bool:
    """Whether the object ``name`` is ``part``; a cell that is run again makes another one of that name."""
    there = _active(_label(kind, name))
    return there is not None and there.object is part


def find(kind: str, name: Any) -> bool:
    """Whether ``name`` is that of an object."""
    return _active(_label(kind, str(name))) is not None


def is_given(plugin: str) -> bool:
    """Whether the ``plugins`` of a config mean an object by this name."""
    prefix, *rest = plugin.split(".")
    return prefix == _PREFIX and len(rest) == 2 and rest[0] in KINDS


def _active(plugin: str) -> Given | None:
    return next((one for one in plugins.active() if isinstance(one, Given) and one.name == plugin), None)


def _add(one: Given) -> None:
    """Make ``one`` the object of its name; a placeholder leaves nothing that could be used in its place."""
    assert one.part is not None
    if (before := _active(one.name)) is not None:
        plugins.remove(before)
    plugins.add(one)
    decorators.registered.pop((one.part.kind, one.part.name), None)
    if one.object is not None:
        decorators.registered[one.part.kind, one.part.name] = one.object


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
