"""Plugins are imported when a part of theirs is used, and only if the user has said that they may run."""

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from dmf_cli.errors import DmfError, PluginError
from dmf_cli.parts import decorators, failures, plugins
from dmf_cli.parts.definitions import Definition
from dmf_cli.parts.plugins import Plugin


def load(definition: Definition) -> None:
    """Import the plugin of a part.

    Raises:
        PluginError: it fails, with the line in which it does; or it is that of a run folder, untrusted.
    """
    plugin = plugins.of_part(definition)
    assert plugin is not None
    run_file(plugin)
    if (definition.kind, definition.name) not in decorators.registered:
        raise PluginError(
            f"{definition.place}: {definition.kind} {definition.name!r} was not registered when the file ran",
            path=definition.file,
            hint=f"does something replace the decorator @{definition.kind}?",
        )


def run_file(plugin: Plugin) -> None:
    """Import ``plugin``, once.

    Raises:
        PluginError: as :func:`load`; or Python finds another module of its name.
    """
    if plugin.untrusted is not None:
        raise plugin.refusal()
    if plugin.module in sys.modules or not plugin.files:
        return
    if not any(isinstance(finder, _Beside) for finder in sys.meta_path):
        sys.meta_path.append(_Beside())  # at the end: a file called keras.py hides nothing
    _check_others(plugin)
    try:
        if plugin.module.startswith(plugins.PREFIX):
            _run(plugin)
        else:
            importlib.import_module(plugin.module)
    except (DmfError, KeyboardInterrupt):
        raise
    except BaseException as error:  # the line of a plugin that ends the process is said too
        place = failures.where(error, plugin.file) or plugin.file.name
        raise failures.located(error, place, plugin.file) from error
    _check_others(plugin)


def modules(plugin: Plugin) -> list[ModuleType]:
    """What of ``plugin`` has been imported: its own module, and those beside it."""
    files = {str(file) for file in plugin.files.values()}
    return [one for one in list(sys.modules.values()) if getattr(one, "__file__", None) in files]


def _check_others(plugin: Plugin) -> None:
    """Whether Python imports, by the names of the files of ``plugin``, these files and no others.

    Their content is what the hash is of, and what was shown to the user.

    Raises:
        PluginError: another module has such a name.
    """
    for place, file in plugin.files.items():
        name = place.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        if file == plugin.file and not plugin.is_module:
            continue
        there = getattr(sys.modules.get(name), "__file__", None)
        if there is None and "." not in name:
            spec = PathFinder.find_spec(name)
            there = spec.origin if spec else None
        if there is not None and Path(there).resolve() != file.resolve():
            raise PluginError(
                f"the plugin {plugin.name} imports {name} from {file}, and Python finds {there}",
                path=file,
                hint="rename one of them, or start where only one is found",
            )


def _run(plugin: Plugin) -> None:
    spec = _spec(plugin.module, plugin.file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[plugin.module] = module
    try:
        assert spec.loader is not None
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[plugin.module]
        raise


class _Beside(MetaPathFinder):
    """Finds the modules that plugins import from beside them, and that are nowhere else."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        place = fullname.replace(".", "/")
        for plugin in plugins.active():
            for name in () if plugin.untrusted else (f"{place}/__init__.py", f"{place}.py"):
                if file := plugin.files.get(name):
                    return _spec(fullname, file)
            if not plugin.untrusted and any(name.startswith(f"{place}/") for name in plugin.files):
                return ModuleSpec(fullname, None, is_package=True)  # a folder without an __init__.py
        return None


class _Source(SourceFileLoader):
    """Runs what is in the file: a compiled copy of it may be of an earlier content, or somebody else's."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def _spec(module: str, file: Path) -> ModuleSpec:
    package: list[str] | None = [] if file.name == "__init__.py" else None  # its modules are found by _Beside
    spec = importlib.util.spec_from_file_location(
        module, file, loader=_Source(module, str(file)), submodule_search_locations=package
    )
    assert spec is not None
    return spec
