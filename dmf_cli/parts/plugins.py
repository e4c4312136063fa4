"""Plugins: files and modules of users with parts in them; which are known to this process.

A plugin becomes active by ``plugins=my.py`` on the command line, by a project's settings, as an entry point
of an installed package, or because a run was trained with it. Its source is then read. It is imported when a
part of it is used, and that of a run folder only if the user trusts it.
"""

import contextlib
import dataclasses
import functools
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib.machinery import PathFinder
from pathlib import Path

from dmf_cli.errors import PluginError
from dmf_cli.parts import decorators, sources
from dmf_cli.parts.definitions import Definition, in_file, name_taken, of_package

GROUP = "dmf.plugins"  # of entry points
PREFIX = "dmf_plugin_"  # of the module that a file becomes: no file of a user's hides a package


@dataclasses.dataclass(frozen=True)
class Plugin:
    """A file of Python with parts in it.

    Args:
        name: ``my`` of ``my.py``, or the dotted name of a module.
        file: absolute.
        root: the folder in which its imports begin.
        untrusted: the run folder from which it comes, if nobody has said that it may run.
    """

    name: str
    file: Path
    root: Path
    untrusted: Path | None = None

    @classmethod
    def at(cls, file: Path, name: str = "", untrusted: Path | None = None) -> "Plugin":
        """The plugin in ``file``; ``name`` is dotted if it is a module of a package."""
        file = file.expanduser().absolute()
        own = file.parent.name if file.name == "__init__.py" else file.stem
        if not all(one.isidentifier() for one in (name.split(".") if name else [own])):
            hint = "rename the file, as my_loss.py: letters, digits and _"
            raise PluginError(path=file, reason="has a name that Python cannot import", hint=hint)
        depth = len((name or own).split(".")) - (file.name != "__init__.py")
        return cls(name or own, file, file.parents[depth], untrusted)

    @property
    def definitions(self) -> tuple[Definition, ...]:
        """The parts in it."""
        return in_file(self.file)

    @functools.cached_property
    def files(self) -> dict[str, Path]:
        """Path below :attr:`root` -> file: all of which it consists."""
        return sources.gathered(self.file, self.root)

    @functools.cached_property
    def hash(self) -> str:
        """Of the content of its files."""
        return sources.content(self.files)

    @property
    def is_module(self) -> bool:
        """Whether it is part of a package, and not a file by itself."""
        return "." in self.name or self.file.name == "__init__.py"

    @property
    def is_kept(self) -> bool:
        """Whether it is the copy in a run folder."""
        return self.root.parent.name == "plugins" and (self.root.parent.parent / "config.yaml").is_file()

    @property
    def module(self) -> str:
        """What Python calls it."""
        return self.name if self.is_module else f"{PREFIX}{self.name}"

    def refusal(self) -> PluginError:
        """The error for code that comes with a run folder."""
        return PluginError(
            f"the run was trained with {self.file.name} (hash {self.hash}), of which {self.file} is a copy",
            path=self.file,
            hint="read it, then add --trust to run it, or give your own, as plugins=PATH",
        )


_active: dict[str, Plugin] = {}
_earlier: set[str] = set()  # names of those that only an earlier call in this process was given


def active() -> list[Plugin]:
    """The plugins that this process knows, with those of installed packages."""
    for one in _installed():
        _active.setdefault(one.name, one)
    return [one for one in _active.values() if _is_there(one)]


def activate(given: Iterable[str], base: Path | None = None) -> list[Plugin]:
    """Make the parts of ``given`` known, each a path of a file or the name of a module.

    Args:
        given: ``my.py``, ``lib/nets.py``, ``mylab.losses``; safe to give again.
        base: the folder that they are relative to; default: the current one.

    Raises:
        PluginError: it cannot be read, defines nothing, or has a name that is taken.
    """
    return [add(located(text, base or Path.cwd())) for text in given]


def written(value: str) -> list[str]:
    """The plugins in the value of ``plugins=``: one, or several in brackets, quoted or not."""
    inner = value.strip()
    inner = inner[1:-1] if inner.startswith("[") and inner.endswith("]") else inner
    found = re.findall(r"""\s*(?:'((?:\\.|[^'])*)'|"((?:\\.|[^"])*)"|([^,]+))""", inner)
    texts = [re.sub(r"\\(.)", r"\1", one[0] or one[1]) or one[2].strip() for one in found]
    return [text for text in texts if text not in ("", "null")]


def add(plugin: Plugin) -> Plugin:
    """Make the parts of one plugin known; one with the same content may be there already.

    Raises:
        PluginError: as :func:`activate`.
    """
    there = {one.name: one for one in active()}.get(plugin.name)
    if there is not None and there.hash == plugin.hash:
        _earlier.discard(there.name)
        if there.untrusted and not plugin.untrusted:
            _active[plugin.name] = plugin
        return _active[plugin.name]
    # It was edited meanwhile, as in a notebook, or another call was given another one.
    if there is not None and (there.file == plugin.file or there.name in _earlier):
        remove(there)
        there = None
    if there is not None:
        raise PluginError(
            f"there are two plugins called {plugin.name!r}, {there.file} and {plugin.file}",
            key="plugins",
            value=str(plugin.file),
            hint="rename one of the files",
        )
    for other in [one for one in active() if one.name in _earlier]:
        if _parts(other) & _parts(plugin):
            remove(other)
    _check(plugin, active())
    _active[plugin.name] = plugin
    if plugin.is_module and not plugin.is_kept and str(plugin.root) not in sys.path:
        sys.path.append(str(plugin.root))  # jobs in other processes find it there
    return plugin


def begin() -> None:
    """What is active is of earlier calls: it makes room for what is named now."""
    _earlier.clear()
    _earlier.update(name for name, one in _active.items() if one not in _installed())


def needed(plugin: Plugin) -> list[Plugin]:
    """The other active plugins that ``plugin`` imports by their names, as ``import base``."""
    names = {name for file in plugin.files.values() for name in sources.imported(file)}
    return [one for one in active() if one.name in names and one.name != plugin.name]


def _parts(plugin: Plugin) -> set[tuple[str, str]]:
    return {(one.kind, one.name) for one in plugin.definitions}


def _is_there(plugin: Plugin) -> bool:
    """Whether its file can be read still; one that cannot says so when it is named again."""
    try:
        return bool(plugin.definitions)
    except PluginError:
        return False


def remove(plugin: Plugin) -> None:
    """Forget a plugin, what it has registered, and its modules: its file is imported anew when it is used."""
    _active.pop(plugin.name, None)
    _earlier.discard(plugin.name)
    files = {str(file) for file in plugin.files.values()}
    for key, part in list(decorators.registered.items()):
        if str(decorators.file_of(part)) in files:
            del decorators.registered[key]
    for name, module in list(sys.modules.items()):
        if getattr(module, "__file__", None) in files:
            del sys.modules[name]


def definitions(kind: str) -> list[Definition]:
    """The parts of ``kind`` of all active plugins."""
    return [one for plugin in active() for one in plugin.definitions if one.kind == kind]


def of_part(definition: Definition) -> Plugin | None:
    """The active plugin that defines a part; None for one of dmf."""
    return next((one for one in active() if one.file == definition.file), None)


@contextlib.contextmanager
def isolated() -> Iterator[None]:
    """Whatever plugins become active inside the block are forgotten after it."""
    before, known, modules, path = (
        dict(_active),
        dict(decorators.registered),
        set(sys.modules),
        list(sys.path),
    )
    try:
        yield
    finally:
        files = {str(file) for one in _active.values() if one not in before.values() for file in _files(one)}
        _active.clear()
        _active.update(before)
        _earlier.clear()
        for kind, name in set(decorators.registered) - set(known):
            if name not in of_package(kind):  # that of dmf is imported once
                del decorators.registered[kind, name]
        sys.path[:] = path
        for name in set(sys.modules) - modules:
            if name.startswith(PREFIX) or getattr(sys.modules[name], "__file__", None) in files:
                del sys.modules[name]


def _files(plugin: Plugin) -> Iterable[Path]:
    try:
        return plugin.files.values()
    except (PluginError, OSError):  # it is gone
        return ()


def located(text: str, base: Path) -> Plugin:
    """The plugin that ``text`` names: a path, or a module that can be imported from ``base`` too."""
    text = str(text)
    if text.endswith(".py") or "/" in text or text.startswith("~"):
        file = base / Path(text).expanduser()
        package = file / "__init__.py"
        return Plugin.at(package if package.is_file() else file)
    if (base / f"{text}.py").is_file():
        return Plugin.at(base / f"{text}.py")
    found = _module_file(text, [str(base), *sys.path])
    if found is None:
        close = sorted(one.name for one in base.glob("*.py"))
        raise PluginError(
            key="plugins",
            value=text,
            reason="which is neither a file nor a module that Python finds",
            allowed=close or "a path, as plugins=my.py, or a module, as plugins=mylab.losses",
        )
    return Plugin.at(found, text)


def _module_file(module: str, folders: Sequence[str]) -> Path | None:
    """The source of a module; its packages are not imported."""
    places: Sequence[str] | None = folders
    spec = None
    done = ""
    for part in module.split("."):
        done = f"{done}.{part}" if done else part
        spec = PathFinder.find_spec(done, places)
        if spec is None:
            return None
        places = spec.submodule_search_locations
    return Path(spec.origin).resolve() if spec and spec.origin and spec.has_location else None


@functools.cache
def _installed() -> tuple[Plugin, ...]:
    """The plugins of installed packages."""
    from importlib.metadata import entry_points

    found: list[Plugin] = []
    for entry in entry_points(group=GROUP):
        file = _module_file(entry.module, sys.path)
        if file is None:
            raise PluginError(
                f"the installed package {getattr(entry.dist, 'name', '?')} has the plugin {entry.value!r}",
                key="plugins",
                hint="no such module is installed: install the package again, or remove it",
            )
        plugin = Plugin.at(file, entry.module)
        _check(plugin, found)
        found.append(plugin)
    return tuple(found)


def _check(plugin: Plugin, others: Sequence[Plugin]) -> None:
    """Whether it has parts, none of which is there already."""
    if not plugin.definitions:
        raise PluginError(
            path=plugin.file,
            reason="defines no part",
            hint="put @dmf_cli.loss, @dmf_cli.model, ... before your function, at the top level of the file",
        )
    taken = {(one.kind, one.name): one for other in others for one in other.definitions}
    for one in plugin.definitions:
        theirs = of_package(one.kind).get(one.name) or taken.get((one.kind, one.name))
        if theirs is not None:
            place = "dmf" if theirs.file.is_relative_to(Path(__file__).parents[1]) else theirs.file
            raise name_taken(one, f"there is a {one.kind} {one.name!r} already, in {place}")
        taken[one.kind, one.name] = one
