"""The files that a plugin consists of: its own, and what it imports from beside it."""

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from dmf_cli.errors import PluginError
from dmf_cli.hashes import digest

MOST_FILES, MOST_BYTES = 200, 2**23


def gathered(file: Path, root: Path) -> dict[str, Path]:
    """Path below ``root`` -> file, of ``file`` and all that it imports from below ``root``, however deep.

    Args:
        file: of the plugin.
        root: the folder in which its imports begin.

    Raises:
        PluginError: these are no few files of source.
    """
    found: dict[str, Path] = {}
    size, waiting = 0, [file, *_packages(file, root)]
    # Of a package only its own files: beside it may lie all the packages that are installed.
    top = root / file.relative_to(root).parts[0]
    while waiting:
        one = waiting.pop()
        name = one.relative_to(root).as_posix()
        if name in found or (top.is_dir() and not one.is_relative_to(top)):
            continue
        found[name], size = one, size + one.stat().st_size
        if len(found) > MOST_FILES or size > MOST_BYTES:
            raise PluginError(
                path=file,
                reason=f"and what it imports are more than {MOST_FILES} files or {MOST_BYTES:,} bytes",
                hint="make a package of them, install it, and leave only the parts in the plugin",
            )
        waiting += [*_imported(one, root)]
    return dict(sorted(found.items()))


def imported(file: Path) -> set[str]:
    """The first names of the modules that ``file`` imports."""
    nodes = [*ast.walk(_parsed(file))]
    whole = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    whole |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    return whole | {name.partition(".")[0] for name in whole}


def content(files: Mapping[str, Path]) -> str:
    """A hash of the files with their names, 16 hex digits, the same on every machine."""
    parts = [(name, file.read_bytes().replace(b"\r\n", b"\n")) for name, file in sorted(files.items())]
    return digest(b"".join(b"%s\n%d\n%s" % (name.encode(), len(text), text) for name, text in parts))


def _imported(file: Path, root: Path) -> Iterator[Path]:
    """The files below ``root`` that ``file`` imports itself."""
    for node in ast.walk(_parsed(file)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files(root, alias.name)
        elif isinstance(node, ast.ImportFrom):
            start = file.parents[node.level - 1] if 0 < node.level <= len(file.parents) else root
            if not start.is_relative_to(root):
                continue
            module = node.module or ""
            yield from _files(start, module)
            for alias in node.names:
                yield from _files(start, f"{module}.{alias.name}" if module else alias.name)


def _parsed(file: Path) -> ast.Module:
    try:
        return ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # it is reported when it is imported
        return ast.Module([], [])


def _files(start: Path, module: str) -> Iterator[Path]:
    """The file of ``module`` below ``start``, and the packages that it is in; none if it is of elsewhere."""
    if not module or module.partition(".")[0] in {"dmf_cli", *sys.stdlib_module_names}:
        return
    place = start.joinpath(*module.split("."))
    for file in (place / "__init__.py", place.with_name(f"{place.name}.py")):  # as Python prefers them
        if file.is_file():
            yield file
            yield from _packages(file, start)
            return


def _packages(file: Path, root: Path) -> Iterator[Path]:
    """The ``__init__.py`` of the packages between ``root`` and ``file``."""
    for folder in file.parents:
        if folder == root or not folder.is_relative_to(root):
            return
        if (folder / "__init__.py").is_file():
            yield folder / "__init__.py"
