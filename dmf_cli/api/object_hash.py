"""A hash of all that decides what an object does: its code and the values that the code uses.

The same for the same code in every process, and another one as soon as a constant, a global, a base class or
an array is another. What cannot be read, such as a lock, has a hash that no other object and no other process
has: better one run too many than the run of something else.
"""

import contextlib
import dis
import functools
import importlib
import importlib.util
import inspect
import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any

import numpy as np

from dmf_cli.api import network_hash
from dmf_cli.hashes import digest

_PLAIN = (bool, int, float, complex, str, bytes, type(None), type(...))
_INSTALLED = {"site-packages", "dist-packages"}
# Of a class: how Python made it, which the code and the values below say too.
_MADE = {"__module__", "__qualname__", "__doc__", "__dict__", "__weakref__", "__annotations__", "_abc_impl",
         "__abstractmethods__", "__dataclass_fields__", "__dataclass_params__", "__firstlineno__",
         "__static_attributes__", "__annotate__", "__annotate_func__", "__annotations_cache__"}  # fmt: skip
_CODE = ("co_code", "co_names", "co_varnames", "co_freevars", "co_cellvars", "co_flags", "co_argcount",
         "co_posonlyargcount", "co_kwonlyargcount", "co_exceptiontable")  # fmt: skip

_unreadable: dict[int, tuple[Any, str]] = {}  # id -> what has it, which is kept so that the id stays its own


def of(value: Any) -> str:
    """The hash of a function, a class, or an object that can be called.

    Example:
        >>> of(lambda x: 2 * x) == of(lambda x: 2 * x) != of(lambda x: 3 * x)
        True
    """
    return digest(_Reader().read(value))


class _Reader:
    """Reads one object with all that it uses; each thing once, and circles are followed once around."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, str]] = {}  # with the objects, so that no id is used again
        self._open: list[int] = []

    def read(self, value: Any, names: Sequence[str] = ()) -> str:
        """The digest of ``value``; of a module of the user's, what the code calls by ``names``."""
        if type(value) in _PLAIN:
            return digest(f"{type(value).__name__} {value!r}")
        if id(value) in self._open:
            return f"circle {len(self._open) - self._open.index(id(value))}"
        if id(value) in self._known:
            return self._known[id(value)][1]
        self._open.append(id(value))
        try:
            found = self._module(value, names) if isinstance(value, ModuleType) else self._parts(value)
        except Exception:  # whatever the object raises, it cannot be read
            found = _unreadable.setdefault(id(value), (value, secrets.token_hex()))[1]
        finally:
            self._open.pop()
        if not isinstance(value, ModuleType):
            self._known[id(value)] = value, found
        return found

    def _parts(self, value: Any) -> str:
        kind = type(value)
        if kind in (list, tuple):
            return self._all(kind.__name__, *value)
        if kind in (set, frozenset):
            return digest(" ".join([kind.__name__, *sorted(map(self.read, value))]))
        if kind is dict or isinstance(value, MappingProxyType):
            return self._all("dict", *(one for item in value.items() for one in item))
        if isinstance(value, CodeType):
            return self._all("code", *(getattr(value, name) for name in _CODE), value.co_consts)
        if isinstance(value, FunctionType | BuiltinFunctionType | type) and _is_installed(value):
            return digest(f"installed {value.__module__} {value.__qualname__}")
        if isinstance(value, type):
            return self._class(value)
        if hasattr(value, "__array__") and hasattr(value, "dtype"):
            return self._array(value)
        return self._code(value) or self._object(value)

    def _all(self, what: str, *values: Any) -> str:
        return digest(" ".join([what, *map(self.read, values)]))

    def _code(self, value: Any) -> str:
        """Of what has the code of functions; empty for any other object."""
        if isinstance(value, FunctionType):
            return self._function(value)
        if isinstance(value, MethodType):
            return self._all("method", value.__func__, value.__self__)
        if isinstance(value, functools.partial):
            return self._all("partial", value.func, value.args, sorted(value.keywords.items()))
        if isinstance(value, property):
            return self._all("property", value.fget, value.fset, value.fdel)
        if isinstance(value, functools.cached_property):
            return self._all("property", value.func)
        if hasattr(value, "__wrapped__") and _is_installed(
            type(value)
        ):  # a staticmethod, a cache, a compiler
            return self._all("wrapped", type(value), value.__wrapped__)
        return ""

    def _function(self, function: FunctionType) -> str:
        codes = list(_codes(function.__code__))
        names = sorted({name for code in codes for name in code.co_names})
        used = sorted({name for code in codes for name in _loaded(code) if name in function.__globals__})
        cells = [self._cell(cell, names) for cell in function.__closure__ or ()]
        values = [self.read(function.__globals__[name], names) for name in used]
        modules = [self.read(one, names) for code in codes for one in _imported(code, function.__globals__)]
        held = [function.__defaults__, function.__kwdefaults__, vars(function)]
        return self._all("function", function.__code__, *held, cells, used, values, modules)

    def _cell(self, cell: Any, names: Sequence[str]) -> str:
        try:
            return self.read(cell.cell_contents, names)
        except ValueError:
            return "empty"

    def _class(self, cls: type) -> str:
        """Its attributes, and those of its bases."""
        own = {name: one for name, one in vars(cls).items() if name not in _MADE}
        return self._all("class", type(cls), *cls.__mro__[1:], own)

    def _module(self, module: ModuleType, names: Sequence[str]) -> str:
        used = {} if _is_package(module.__name__) else vars(module)
        found = [f"{name} {self.read(used[name], names)}" for name in names if name in used]
        return digest(" ".join(["module", module.__name__, *found]))

    def _array(self, value: Any) -> str:
        value = value.detach().cpu() if hasattr(value, "detach") else value
        array = np.asarray(value)
        if array.dtype.hasobject:
            return self._all("objects", array.shape, array.tolist())
        return digest(f"{array.dtype.str} {array.dtype.name} {array.shape} ".encode() + array.tobytes())

    def _object(self, value: Any) -> str:
        """Of any other object: its class, and what it holds."""
        if network_hash.is_network(value):
            return self._all("network", network_hash.facts(value), *network_hash.code(value))
        if network_hash.is_keras(value):  # a loss; its name has a number if there was one of it before
            return self._all("object", type(value), {**vars(value), "name": None})
        made = value.__reduce_ex__(2)  # what ``copy`` and ``pickle`` take
        if isinstance(made, str):
            return self._all("object", type(value), getattr(value, "__module__", None), made)
        function, values, *state = made
        held = [list(one) if isinstance(one, Iterator) else one for one in state]
        return self._all("object", function, values, held)


def _codes(code: CodeType) -> Iterator[CodeType]:
    """``code`` and that of the functions in it."""
    yield code
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield from _codes(one)


def _loaded(code: CodeType) -> Iterator[str]:
    """The names of globals that ``code`` uses."""
    for one in dis.get_instructions(code):
        if one.opname == "LOAD_NAME" or (one.opname.startswith("LOAD") and "GLOBAL" in one.opname):
            yield str(one.argval)


def _imported(code: CodeType, variables: Mapping[str, Any]) -> Iterator[ModuleType]:
    """The modules of the user's that ``code`` imports when it runs."""
    instructions = list(dis.get_instructions(code))
    for level, one in zip(instructions, instructions[2:], strict=False):
        if one.opname != "IMPORT_NAME":
            continue
        with contextlib.suppress(Exception):  # the function says so when it runs
            place = "." * level.argval + str(one.argval)
            name = importlib.util.resolve_name(place, str(variables.get("__package__")))
            if not _is_package(name):
                yield importlib.import_module(name)


def _is_installed(value: Any) -> bool:
    """Whether the name of a function or class says which it is: that of a package, and no inner one."""
    module = value.__module__ or getattr(getattr(value, "__self__", None), "__name__", "")
    if not isinstance(module, str) or not _is_package(module):
        return False
    if isinstance(value, type):
        return "<locals>" not in value.__qualname__
    found: Any = sys.modules.get(module)
    for name in value.__qualname__.split("."):
        found = inspect.getattr_static(found, name, None)
    return getattr(found, "__func__", found) is value


def _is_package(module: str) -> bool:
    """Whether a module is one of Python, of dmf or of an installed package."""
    top = module.partition(".")[0]
    if top in ("", "__main__"):
        return False
    if top == "dmf_cli" or top in sys.stdlib_module_names:
        return True
    file = getattr(sys.modules.get(module), "__file__", None)
    places = [file] if file else _places(top)
    return bool(places) and all(_INSTALLED.intersection(Path(place).parts) for place in places)


def _places(module: str) -> list[str]:
    """Where a module is that is not imported."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return []
    if spec is None:
        return []
    return [spec.origin] if spec.origin else list(spec.submodule_search_locations or ())
