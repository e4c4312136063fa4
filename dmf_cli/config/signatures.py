"""The parameters of losses, strategies and models, read from their source: to import them would import Keras.

The annotation of a parameter is its schema. It may use what :mod:`typing`, :mod:`collections.abc`,
:mod:`annotated_types` and :mod:`dmf_cli.ranges` offer, and a ``NAME = Literal[...]`` of its own module.
"""

import ast
import functools
import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
_LIGHT = ("annotated_types", "collections.abc", "dmf_cli.ranges", "typing")


@functools.cache
def of(module: str, name: str) -> Mapping[str, Any]:
    """Name -> annotation of the keyword-only parameters of the function or class ``name`` of ``module``.

    A class that passes ``**common`` on to its base takes the parameters of that too, as in
    :func:`dmf_cli.lookup.keywords`.

    Example:
        >>> of("dmf_cli.losses", "boundary")["normalize"]
        <class 'bool'>
    """
    tree = _tree(module)
    imported = _imports(tree)
    if name in imported:
        return of(*imported[name])
    (node,) = (node for node in tree.body if getattr(node, "name", None) == name)
    function = node if isinstance(node, ast.FunctionDef) else _initializer(node)
    found: dict[str, Any] = {}
    if function is not None:
        names = dict(_names(tree))
        found = {
            argument.arg: _evaluated(argument.annotation, names) if argument.annotation else Any
            for argument in function.args.kwonlyargs
        }
    if isinstance(node, ast.ClassDef) and (function is None or function.args.kwarg):
        for base in node.bases:
            found = {**of(module, ast.unparse(base)), **found}
    return MappingProxyType(found)


@functools.cache
def _tree(module: str) -> ast.Module:
    path = ROOT.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text(encoding="utf-8"))


def _imports(tree: ast.Module) -> dict[str, tuple[str, str]]:
    """Name -> the module it comes from, and what it is called there."""
    nodes = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    return {
        alias.asname or alias.name: (str(node.module), alias.name) for node in nodes for alias in node.names
    }


def _initializer(node: ast.stmt) -> ast.FunctionDef | None:
    body = node.body if isinstance(node, ast.ClassDef) else []
    return next((one for one in body if isinstance(one, ast.FunctionDef) and one.name == "__init__"), None)


def _names(tree: ast.Module) -> Iterator[tuple[str, Any]]:
    """What annotations of a module may refer to."""
    known = {}
    for name, (module, original) in _imports(tree).items():
        if module in _LIGHT:
            known[name] = getattr(importlib.import_module(module), original)
            yield name, known[name]
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("Literal["):
            yield ast.unparse(node.targets[0]), _evaluated(node.value, known)


def _evaluated(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """The annotation: source of this package, never anything that a user wrote."""
    return eval(compile(ast.Expression(node), "<annotation>", "eval"), dict(names))
