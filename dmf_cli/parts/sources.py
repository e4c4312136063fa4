"""The files that a plugin consists of: its own, and what it imports from beside it."""

import ast
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
    waiting = [file, *_packages(file, root)]
    while waiting:
        one = waiting.pop()
        name = one.relative_to(root).as_posix()
        if name not in found:
            found[name] = one
            waiting += [*_imported(one, root)]
            if len(found) > MOST_FILES:
                raise PluginError(
                    path=file,
                    reason=f"imports more than {MOST_FILES} files of {root}",
                    hint="make a package of them, install it, and leave only the parts in the plugin",
                )
    if sum(one.stat().st_size for one in found.values()) > MOST_BYTES:
        raise PluginError(path=file, reason=f"and what it imports have more than {MOST_BYTES:,} bytes")
    return dict(sorted(found.items()))


def content(files: Mapping[str, Path]) -> str:
    """A hash of the files with their names, 16 hex digits, the same on every machine."""
    return digest("".join(f"{name}\n{len(text)}\n{text}" for name, text in _texts(files)))


def _texts(files: Mapping[str, Path]) -> Iterator[tuple[str, str]]:
    for name, file in sorted(files.items()):
        yield name, file.read_bytes().decode("utf-8", errors="surrogateescape").replace("\r\n", "\n")


def _imported(file: Path, root: Path) -> Iterator[Path]:
    """The files below ``root`` that ``file`` imports itself."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):  # it is reported when it is imported
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files(root, alias.name)
        elif isinstance(node, ast.ImportFrom):
            start = _start(file, node.level) if node.level else root
            module = node.module or ""
            yield from _files(start, module)
            for alias in node.names:
                yield from _files(start, f"{module}.{alias.name}" if module else alias.name)


def _start(file: Path, level: int) -> Path:
    """The folder in which a relative import begins."""
    return file.parents[level - 1]


def _files(start: Path, module: str) -> Iterator[Path]:
    """The file of ``module`` below ``start``, and the packages that it is in; none if it is of elsewhere."""
    if module.partition(".")[0] == "dmf_cli" or not module:
        return
    place = start.joinpath(*module.split("."))
    for file in (place.with_name(f"{place.name}.py"), place / "__init__.py"):
        if file.is_file():
            yield file
            yield from _packages(file, start)


def _packages(file: Path, root: Path) -> Iterator[Path]:
    """The ``__init__.py`` of the packages between ``root`` and ``file``."""
    for folder in file.parents:
        if folder == root or not folder.is_relative_to(root):
            return
        if (folder / "__init__.py").is_file():
            yield folder / "__init__.py"
