"""Annotations of parameters, evaluated from their source without running it.

They may use what :mod:`typing`, :mod:`collections.abc`, :mod:`annotated_types` and :mod:`dmf_cli.ranges`
offer, the builtin types, and a ``NAME = Literal[...]`` or ``NAME = Annotated[...]`` of their own file.
Whatever else stands in one says nothing about the values that are allowed: it is ``Any``.
"""

import ast
import importlib
from collections.abc import Mapping
from typing import Any

_LIGHT = ("annotated_types", "collections.abc", "dmf_cli.ranges", "typing")
_PLAIN = {one.__name__: one for one in (int, float, str, bool, list, tuple, dict)}
_RULES = ("Interval", "Ge", "Gt", "Le", "Lt", "Len", "MinLen", "MaxLen", "Text")


class UnknownAnnotationError(Exception):
    """An expression that is not evaluated."""


def names(tree: ast.Module) -> dict[str, Any]:
    """What the annotations of a module may refer to by one name."""
    known: dict[str, Any] = dict(_PLAIN)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            known |= _imported_from(str(node.module), node.names)
        elif isinstance(node, ast.Import):
            known |= {
                alias.asname or alias.name: importlib.import_module(alias.name)
                for alias in node.names
                if alias.name in _LIGHT
            }
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                known[node.targets[0].id] = evaluated(node.value, known)
            except UnknownAnnotationError:
                continue
    return known


def hint(node: ast.expr | None, known: Mapping[str, Any], default: Any) -> Any:
    """What an annotation says; without one, what the default of the parameter is.

    Args:
        node: the annotation.
        known: of :func:`names`.
        default: of the parameter.
    """
    if node is None:
        return _of_default(default)
    try:
        return evaluated(node, known)
    except UnknownAnnotationError:
        return Any


def evaluated(node: ast.expr, known: Mapping[str, Any]) -> Any:
    """The value of an expression of names, constants, ``A[...]``, ``A | B`` and ranges.

    Raises:
        UnknownAnnotationError: it is anything else. Nothing of a user's file is ever called.
    """
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name) if name in known:
            return known[name]
        case ast.Attribute():
            return _attribute(node, known)
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            return tuple(evaluated(one, known) for one in elements)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -evaluated(operand, known)
        case ast.BinOp(op=ast.Pow(), left=base, right=ast.Constant(value=int(power))) if power < 128:
            return evaluated(base, known) ** power
        case ast.BinOp(op=ast.Add() | ast.Sub(), left=left, right=right):
            sign = 1 if isinstance(node.op, ast.Add) else -1
            return evaluated(left, known) + sign * evaluated(right, known)
    try:
        match node:
            case ast.BinOp(op=ast.BitOr(), left=left, right=right):
                return evaluated(left, known) | evaluated(right, known)
            case ast.Subscript(value=generic, slice=inner):
                return evaluated(generic, known)[evaluated(inner, known)]
            case ast.Call(func=function) if _is_rule(function):
                named = {str(one.arg): evaluated(one.value, known) for one in node.keywords}
                return evaluated(function, known)(*(evaluated(one, known) for one in node.args), **named)
    except (TypeError, ValueError, LookupError, ArithmeticError):
        raise UnknownAnnotationError from None
    raise UnknownAnnotationError


def _attribute(node: ast.Attribute, known: Mapping[str, Any]) -> Any:
    """``typing.Literal``, ``ranges.Share``, ``dmf_cli.ranges.Share``; no attribute of anything else."""
    place, name = ast.unparse(node.value), node.attr
    module = getattr(known.get(place), "__name__", place)
    if module == "ranges" and place not in known:
        module = "dmf_cli.ranges"
    if module in _LIGHT and not name.startswith("_"):
        found = getattr(importlib.import_module(module), name, None)
        if found is not None:
            return found
    raise UnknownAnnotationError


def _is_rule(function: ast.expr) -> bool:
    return ast.unparse(function).rpartition(".")[2] in _RULES


def _imported_from(module: str, aliases: list[ast.alias]) -> dict[str, Any]:
    if module in _LIGHT:
        light = importlib.import_module(module)
        return {
            alias.asname or alias.name: getattr(light, alias.name)
            for alias in aliases
            if hasattr(light, alias.name)
        }
    return {
        alias.asname or alias.name: importlib.import_module(f"{module}.{alias.name}")
        for alias in aliases
        if f"{module}.{alias.name}" in _LIGHT
    }


def _of_default(default: Any) -> Any:
    # A whole number may be meant as any number: an annotation says so where it may not.
    kinds: dict[type, Any] = {int: float, tuple: list}
    plain = type(default) in (bool, float, str, list, dict)
    return type(default) if plain else kinds.get(type(default), Any)
