"""Annotations of parameters, evaluated from their source without running it.

They may use the types of Python, ``Any Literal Annotated Optional Union Sequence Mapping``, the limits of
:mod:`annotated_types`, the names of :mod:`dmf_cli.ranges`, and a ``NAME = Literal[...]`` of their own file.
Whatever else stands in one says nothing about the values that are allowed: it is ``Any``.

The file may be a stranger's. So names are looked up in a fixed list, nothing is called but the limits, a text
is a value of ``Literal`` and never an annotation, numbers stay small, and the work is counted.
"""

import ast
import collections.abc
import typing
from typing import Any

import annotated_types

from dmf_cli import ranges

_LIMITS = {name: getattr(annotated_types, name) for name in ("Interval", "Ge", "Gt", "Le", "Lt", "Len")}
_LIMITS |= {name: getattr(annotated_types, name) for name in ("MinLen", "MaxLen")}
_TYPING = ("Any", "Literal", "Annotated", "Optional", "Union", "Sequence", "Mapping", "List", "Tuple", "Dict")
# What a name imported from these modules stands for; other names of theirs are unknown.
KNOWN: dict[str, dict[str, Any]] = {
    "typing": {name: getattr(typing, name) for name in _TYPING},
    "collections.abc": {name: getattr(collections.abc, name) for name in ("Sequence", "Mapping", "Iterable")},
    "annotated_types": _LIMITS,
    "dmf_cli.ranges": {
        name: one for name, one in vars(ranges).items() if name[0].isupper() and typing.get_origin(one)
    },
}
_PLAIN = {one.__name__: one for one in (int, float, str, bool, list, tuple, dict)}
MOST = 500  # expressions inside one annotation
LARGEST, LONGEST = 1e300, 1000  # of a number, and characters of a text


class UnknownAnnotationError(Exception):
    """An expression that is not evaluated."""


class Names:
    """What the annotations of a module may refer to.

    Args:
        tree: of the module.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.known: dict[str, Any] = dict(_PLAIN)
        self.modules: dict[str, str] = {"dmf_cli.ranges": "dmf_cli.ranges"}
        self.assigned: dict[str, ast.expr] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                self._import_from(str(node.module), node.names)
            elif isinstance(node, ast.Import):
                named = [(alias.asname or alias.name, alias.name) for alias in node.names]
                self.modules |= {called: module for called, module in named if module in KNOWN}
        for node in tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                self.assigned.setdefault(node.targets[0].id, node.value)

    def _import_from(self, module: str, aliases: list[ast.alias]) -> None:
        for alias in aliases:
            called = alias.asname or alias.name
            if alias.name in KNOWN.get(module, {}):
                self.known[called] = KNOWN[module][alias.name]
            elif f"{module}.{alias.name}" in KNOWN:
                self.modules[called] = f"{module}.{alias.name}"

    def value(self, node: ast.expr) -> Any:
        """What an annotation stands for.

        Raises:
            UnknownAnnotationError: it is of no kind that is evaluated.
        """
        try:
            return _Evaluation(self).type(node)
        except (TypeError, ValueError, LookupError, ArithmeticError, RecursionError, AttributeError):
            raise UnknownAnnotationError from None


class _Evaluation:
    """One annotation; its work is counted, for a name may stand for a name, and so on."""

    def __init__(self, names: Names) -> None:
        self.names, self.done = names, 0

    def type(self, node: ast.expr) -> Any:
        """A type or a limit: no text, no number."""
        self.done += 1
        if self.done > MOST:
            raise UnknownAnnotationError
        match node:
            case ast.Constant(value=None):
                return None
            case ast.Name(id=name) if name in self.names.known:
                return self.names.known[name]
            case ast.Name(id=name) if name in self.names.assigned:
                return self.type(self.names.assigned[name])
            case ast.Attribute(value=place, attr=name):
                return KNOWN[self.names.modules[ast.unparse(place)]][name]
            case ast.BinOp(op=ast.BitOr(), left=left, right=right):
                return self.type(left) | self.type(right)
            case ast.Subscript(value=generic, slice=inner):
                return self._generic(self.type(generic), inner)
            case ast.Call(func=function):
                return self._limit(self.type(function), node)
        raise UnknownAnnotationError

    def _generic(self, generic: Any, inner: ast.expr) -> Any:
        items = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        if generic is Ellipsis or len(items) > MOST:
            raise UnknownAnnotationError
        if generic is typing.Literal:
            return generic[tuple(self._constant(one) for one in items)]
        ellipsis = [isinstance(one, ast.Constant) and one.value is ... for one in items]
        values = tuple(
            ... if is_dots else self.type(one) for one, is_dots in zip(items, ellipsis, strict=True)
        )
        return generic[values[0] if len(values) == 1 else values]

    def _limit(self, function: Any, node: ast.Call) -> Any:
        if not any(function is one for one in _LIMITS.values()):
            raise UnknownAnnotationError
        named = {str(one.arg): self._constant(one.value) for one in node.keywords}
        return function(*(self._constant(one) for one in node.args), **named)

    def _constant(self, node: ast.expr) -> Any:
        """A number, a text, true, false or None; ``-1``, ``2**32 - 1`` and names for these."""
        self.done += 1
        if self.done > MOST:
            raise UnknownAnnotationError
        match node:
            case ast.Constant(value=value) if _is_small(value):
                return value
            case ast.Name(id=name) if name in self.names.assigned:
                return self._constant(self.names.assigned[name])
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self._constant(operand)
            case ast.BinOp(
                op=ast.Pow(), left=ast.Constant(value=int(base)), right=ast.Constant(value=int(power))
            ):
                if abs(base) <= 1000 and 0 <= power <= 100:
                    return base**power
            case ast.BinOp(op=ast.Add() | ast.Sub(), left=left, right=right):
                first, second = self._constant(left), self._constant(right)
                if all(isinstance(one, int | float) for one in (first, second)):
                    return first + second if isinstance(node.op, ast.Add) else first - second
        raise UnknownAnnotationError


def hint(node: ast.expr | None, names: Names | None, default: Any) -> Any:
    """What an annotation says; without one, what the default of the parameter is.

    Args:
        node: the annotation.
        names: of its module; None where there is no annotation.
        default: of the parameter.
    """
    if node is None or names is None:
        return _of_default(default)
    try:
        return names.value(node)
    except UnknownAnnotationError:
        return Any


def _is_small(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= LONGEST
    return value is None or (isinstance(value, int | float) and abs(value) <= LARGEST)


def _of_default(default: Any) -> Any:
    # A whole number may be meant as any number: an annotation says so where it may not.
    kinds: dict[type, Any] = {int: float, tuple: list}
    plain = type(default) in (bool, float, str, list, dict)
    return type(default) if plain else kinds.get(type(default), Any)


def is_text(hint: Any) -> bool:
    """Whether something stands for a type by its name alone, which would have to be evaluated."""
    return isinstance(hint, str | typing.ForwardRef)
