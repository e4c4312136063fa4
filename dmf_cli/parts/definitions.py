"""What a file defines, read from its source: to import it would import Keras, or run a stranger's code.

Used for the package's own files and for those of users.
"""

import ast
import dataclasses
import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from dmf_cli.errors import PluginError
from dmf_cli.parts import annotations
from dmf_cli.parts.kinds import KINDS

ROOT = Path(__file__).resolve().parent.parent.parent
LARGEST = 2**22  # bytes of a file of source
NUMBERS = ("nan", "inf", "infinity")  # words that are no names in expressions
WORDS = ("true", "false", "null", "none", "yes", "no", "on", "off")  # nor in YAML
Part = ast.FunctionDef | ast.ClassDef


@dataclasses.dataclass(frozen=True)
class Parameter:
    """A parameter after the ``*``: annotation, default (``...``: none), and what ``Args:`` says of it."""

    hint: Any
    default: Any = ...
    meaning: str = ""


@dataclasses.dataclass(frozen=True)
class Definition:
    """A part as its source describes it.

    Args:
        kind: a key of :data:`dmf_cli.parts.kinds.KINDS`.
        name: of the function or class.
        file: where it is written.
        line: of its ``def`` or ``class``.
        parameters: name -> parameter, in the order written, those of the bases of a class behind its own.
        summary: the first sentence of the docstring, without its full stop.
        source: what follows ``Source:`` there.
        options: of the decorator, such as ``{"better": "high"}``.
        arguments: names of the parameters before the ``*``.
    """

    kind: str
    name: str
    file: Path
    line: int
    parameters: Mapping[str, Parameter]
    summary: str = ""
    source: str = ""
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    arguments: tuple[str, ...] = ()

    @property
    def defaults(self) -> dict[str, Any]:
        """Parameter -> its default, as a config has it: tuples are lists there."""
        return {
            name: list(one.default) if isinstance(one.default, tuple) else one.default
            for name, one in self.parameters.items()
        }

    @property
    def hints(self) -> dict[str, Any]:
        """Parameter -> annotation."""
        return {name: one.hint for name, one in self.parameters.items()}

    @property
    def place(self) -> str:
        """``my.py, line 5``."""
        return f"{self.file.name}, line {self.line}"


def in_file(file: Path) -> tuple[Definition, ...]:
    """The parts that ``file`` defines, in the order written.

    Raises:
        PluginError: it cannot be read, is no Python, or a part in it has no signature of its kind.
    """
    return _in_file(file, (stat := _stat(file)).st_mtime_ns, stat.st_size)


@functools.lru_cache(maxsize=512)
def _in_file(file: Path, changed: int, size: int) -> tuple[Definition, ...]:
    try:
        return tuple(_found(file, _tree(file)))
    except RecursionError:
        raise PluginError(path=file, reason="is nested too deeply to be read") from None


def _found(file: Path, tree: ast.Module) -> Iterator[Definition]:
    marks = _marks(tree)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            for decorator in node.decorator_list:
                call = decorator if isinstance(decorator, ast.Call) else None
                kind = marks.get(ast.unparse(call.func if call else decorator))
                if kind is not None:
                    yield _definition(file, tree, node, kind, call)


@functools.cache
def of_package(kind: str) -> Mapping[str, Definition]:
    """Name -> definition of the parts of ``kind`` that dmf brings, by name."""
    file = module_file(KINDS[kind].module)
    files = file.parent.glob("*.py") if file.name == "__init__.py" else [file]
    found = [one for each in files for one in in_file(each) if one.kind == kind]
    return MappingProxyType({one.name: one for one in sorted(found, key=lambda one: one.name)})


def parameters(module: str, name: str) -> Mapping[str, Parameter]:
    """The parameters of a function or class of dmf, found through the imports of ``module``.

    Example:
        >>> parameters("dmf_cli.losses", "boundary")["normalize"].hint
        <class 'bool'>
    """
    file = module_file(module)
    tree = _tree(file)
    imported = _imports(tree)
    if name in imported:
        return parameters(*imported[name])
    node = next(node for node in tree.body if getattr(node, "name", None) == name)
    assert isinstance(node, ast.FunctionDef | ast.ClassDef)
    return _parameters(file, tree, node)


def module_file(module: str) -> Path:
    """The source of a module of dmf."""
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _stat(file: Path) -> Any:
    try:
        stat = file.stat()
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        reason = "does not exist" if missing else f"cannot be read ({error.strerror})"
        raise PluginError(
            path=file, reason=reason, hint="give the Python file that defines your parts"
        ) from None
    if not file.is_file():
        reason = "is a folder" if file.is_dir() else "is no file"
        raise PluginError(path=file, reason=reason, allowed="a Python file, as plugins=my.py")
    if stat.st_size > LARGEST:
        raise PluginError(path=file, reason=f"has {stat.st_size:,} bytes", allowed="a file of Python source")
    return stat


def _tree(file: Path) -> ast.Module:
    try:
        text = file.read_bytes()
        return _parsed(file, text)
    except OSError as error:
        raise PluginError(path=file, reason=f"cannot be read ({error.strerror})") from None


@functools.lru_cache(maxsize=512)
def _parsed(file: Path, text: bytes) -> ast.Module:
    try:
        return ast.parse(text)
    except SyntaxError as error:
        raise PluginError(
            f"{file}, line {error.lineno or 1}: {error.msg}", path=file, hint="it is not valid Python"
        ) from None
    except (ValueError, RecursionError, MemoryError) as error:  # null bytes; brackets without end
        raise PluginError(path=file, reason=f"is not valid Python ({error})") from None


def _marks(tree: ast.Module) -> dict[str, str]:
    """How the decorators are written in a file -> kind: ``dmf_cli.loss``, ``loss``, ``dmf.loss``."""
    marks: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name in ("dmf_cli", "dmf_cli.parts"):
                    marks |= {f"{alias.asname or alias.name}.{kind}": kind for kind in KINDS}
        elif isinstance(node, ast.ImportFrom) and node.module in (
            "dmf_cli",
            "dmf_cli.parts",
            "dmf_cli.parts.decorators",
        ):
            for alias in node.names:
                called = alias.asname or alias.name
                if alias.name in KINDS:
                    marks[called] = alias.name
                elif alias.name == "parts":
                    marks |= {f"{called}.{kind}": kind for kind in KINDS}
    return marks


def _definition(file: Path, tree: ast.Module, node: Part, kind: str, call: ast.Call | None) -> Definition:
    text = ast.get_docstring(node) or ""
    function = node if isinstance(node, ast.FunctionDef) else _initializer(node)
    arguments = [one.arg for one in (*function.args.posonlyargs, *function.args.args)] if function else []
    if isinstance(node, ast.ClassDef):
        arguments = arguments[1:]  # self
    options = {str(one.arg): _constant(one.value, tree, node.lineno) for one in call.keywords} if call else {}
    made = Definition(
        kind,
        node.name,
        file,
        node.lineno,
        _parameters(file, tree, node),
        _first_sentence(text),
        _said_source(text),
        options,
        tuple(arguments),
    )
    if not file.is_relative_to(ROOT / "dmf_cli"):
        _check(made, node, function)
    return made


def _check(made: Definition, node: ast.stmt, function: ast.FunctionDef | None) -> None:
    """Whether a part of a user's has the signature of its kind."""
    kind = KINDS[made.kind]
    is_class = isinstance(node, ast.ClassDef)
    if is_class != (made.kind == "strategy") and made.kind != "dataset":
        raise wrong(made, f"@{made.kind} stands before a {'class' if is_class else 'function'}", kind.shape)
    if made.name.lower() in (*NUMBERS, *WORDS):
        raise wrong(made, f"the command line reads {made.name} as a value", "another name")
    if made.kind == "metric" and made.options.get("better") not in ("high", "low"):
        raise wrong(
            made, "@metric does not say which values are good", "@dmf_cli.metric(better='high') or 'low'"
        )
    early = [one for one in _defaults_before_star(function) if one != "distance"] if function else []
    if early:
        names = ", ".join(early)
        raise wrong(made, f"{names} can be set only after a *", f"(..., *, {names}=...)")
    several = kind.arguments
    if len(made.arguments) not in [len(one) for one in several] and not (function and function.args.vararg):
        raise wrong(made, f"it takes ({', '.join(made.arguments)})", kind.shape)
    for name, parameter in made.parameters.items():
        if parameter.default is ...:
            raise wrong(
                made, f"{name} has no default that can be read from the source", f"a constant, as {name}=0.5"
            )


def wrong(made: Definition, what: str, allowed: str) -> PluginError:
    """The error for a part that is not, or does not return, what it has to: ``gives 'abc' (str)``."""
    return PluginError(
        f"{made.place}: {made.kind} {made.name!r}: {what}", path=made.file, key=made.name, allowed=allowed
    )


def name_taken(part: Definition, sentence: str) -> PluginError:
    """The error for a part of a plugin whose name another part has; ``sentence`` says which."""
    return PluginError(
        f"{part.place}: {sentence}",
        path=part.file,
        key=part.kind,
        value=part.name,
        hint="give yours another name",
    )


def _defaults_before_star(function: ast.FunctionDef) -> list[str]:
    arguments = [*function.args.posonlyargs, *function.args.args]
    count = len(function.args.defaults)
    return [one.arg for one in arguments[len(arguments) - count :]] if count else []


def _parameters(file: Path, tree: ast.Module, node: Part) -> Mapping[str, Parameter]:
    """Those after the ``*``; a class that passes ``**common`` on to its bases takes theirs too."""
    function = node if isinstance(node, ast.FunctionDef) else _initializer(node)
    found: dict[str, Parameter] = {}
    if function is not None:
        known, meanings = annotations.Names(tree), _meanings(ast.get_docstring(node) or "")
        for argument, value in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True):
            default = ... if value is None else _constant(value, tree, node.lineno)
            hint = annotations.hint(argument.annotation, known, default)
            found[argument.arg] = Parameter(hint, default, meanings.get(argument.arg, ""))
    if isinstance(node, ast.ClassDef) and (function is None or function.args.kwarg):
        for base in node.bases:
            found = {**found, **{k: v for k, v in _of_base(file, tree, base).items() if k not in found}}
    return MappingProxyType(found)


def _of_base(file: Path, tree: ast.Module, base: ast.expr) -> Mapping[str, Parameter]:
    """The parameters of a base class, of this file or of dmf; those of other packages are not known."""
    text = ast.unparse(base)
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == text:
            return _parameters(file, tree, node)
    module, _, name = _whole(text, tree).rpartition(".")
    return parameters(module, name) if module.startswith("dmf_cli") else {}


def _whole(name: str, tree: ast.Module) -> str:
    """``weighting.Strategy`` as ``dmf_cli.weighting.Strategy``, by the imports of a file."""
    first, dot, rest = name.partition(".")
    module, original = _imports(tree).get(first, ("", ""))
    return f"{module}.{original}{dot}{rest}" if module else name


def _imports(tree: ast.Module) -> dict[str, tuple[str, str]]:
    """Name -> the module it comes from, and what it is called there."""
    nodes = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    return {
        alias.asname or alias.name: (str(node.module), alias.name) for node in nodes for alias in node.names
    }


def _initializer(node: ast.stmt) -> ast.FunctionDef | None:
    body = node.body if isinstance(node, ast.ClassDef) else []
    return next((one for one in body if isinstance(one, ast.FunctionDef) and one.name == "__init__"), None)


def _constant(node: ast.expr, tree: ast.Module, line: int) -> Any:
    """A literal, or a name that stands for one above ``line`` of the file; ``...`` for anything else."""
    if isinstance(node, ast.Name):
        values = [
            one.value
            for one in tree.body
            if isinstance(one, ast.Assign) and one.lineno < line and ast.unparse(one.targets[0]) == node.id
        ]
        return _literal(values[-1]) if values else ...
    return _literal(node)


def _literal(node: ast.expr) -> Any:
    """The value of a literal or of a fraction such as ``4 / 3``; ``...`` for anything else."""
    try:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            above, below = ast.literal_eval(node.left), ast.literal_eval(node.right)
            return above / below
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, ArithmeticError, MemoryError, RecursionError):
        return ...


def _first_sentence(text: str) -> str:
    return " ".join(text.partition("\n\n")[0].split()).rstrip(".")


def _said_source(text: str) -> str:
    return " ".join(text.partition("Source:")[2].partition("\n\n")[0].split()).rstrip(".")


def _meanings(text: str) -> dict[str, str]:
    """What ``Args:`` of a docstring says of each parameter, in one line."""
    found: dict[str, str] = {}
    name, indent = "", None
    for line in _section(text.splitlines(), "Args:"):
        start = len(line) - len(line.lstrip())
        match = re.match(r"\s*(\w+)(?: \([^)]*\))?: (.*)", line)
        if match and (indent is None or start == indent):
            name, indent = match[1], start
            found[name] = match[2]
        elif name:
            found[name] += f" {line.strip()}"
    return {name: said.rstrip(".") for name, said in found.items()}


def _section(lines: Sequence[str], title: str) -> Iterator[str]:
    inside = False
    for line in lines:
        if line.strip() == title:
            inside = True
        elif inside and line and not line.startswith(" "):
            return
        elif inside and line.strip():
            yield line
