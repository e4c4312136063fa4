"""What goes wrong inside a part of a user's, in one line with the line of its file."""

import contextlib
import re
import traceback
from collections.abc import Iterator
from pathlib import Path

from dmf_cli.errors import DmfError, PluginError
from dmf_cli.parts import plugins
from dmf_cli.parts.definitions import Definition


def where(error: BaseException, *files: Path) -> str:
    """``my.py, line 12``: the last place in ``files`` (default: all plugins) that an error came through."""
    wanted = {str(file) for file in files} or {str(f) for one in plugins.active() for f in one.files.values()}
    if isinstance(error, SyntaxError) and error.filename in wanted:
        return f"{Path(error.filename).name}, line {error.lineno}"
    frames = [
        (f.filename, f.lineno) for f in traceback.extract_tb(error.__traceback__) if f.filename in wanted
    ]
    # TensorFlow hands on the traceback of a Python function as text.
    frames += [one for one in re.findall(r'File "(.+?)", line (\d+)', _text(error)) if one[0] in wanted]
    return f"{Path(frames[-1][0]).name}, line {frames[-1][1]}" if frames else ""


@contextlib.contextmanager
def located_errors() -> Iterator[None]:
    """Whatever the code of a plugin raises inside the block becomes one line that names the place in it.

    Raises:
        PluginError: an exception that is none of dmf came through a plugin.
    """
    try:
        yield
    except DmfError:
        raise
    except Exception as error:
        if place := where(error):
            raise located(error, place) from error
        raise


def located(error: BaseException, place: str, file: Path | None = None) -> PluginError:
    """The error for an exception that came through ``place``."""
    advice = "mend that line; DMF_DEBUG=1 shows the traceback"
    if isinstance(error, ModuleNotFoundError) and error.name:
        advice = f"install {error.name.partition('.')[0]}, or put {error.name}.py beside the file"
    return PluginError(f"{place}: {cause(error)}", path=file, hint=advice)


def failed(definition: Definition, error: Exception, hint: str = "") -> PluginError:
    """The error for whatever the function of a part raised."""
    return PluginError(
        f"{where(error, definition.file) or definition.place}: {definition.kind} "
        f"{definition.name!r} fails with {cause(error)}",
        path=definition.file,
        key=definition.name,
        hint="; ".join(filter(None, (hint, "DMF_DEBUG=1 shows the traceback"))),
    )


def _text(error: BaseException) -> str:
    """What an error says, which may be a class of a plugin's that cannot say it."""
    try:
        return str(error)
    except Exception:
        return ""


def cause(error: BaseException) -> str:
    """``ValueError: oh``, one sentence; TensorFlow writes pages, and hides the error of a Python function."""
    lines = [line.strip() for line in _text(error).splitlines() if line.strip()]
    inner = next((line for line in lines if re.match(r"[A-Z]\w*Error: ", line)), None)
    said = re.split(r"(?<=\w\.)\s", lines[0])[0] if lines else "it says no more"
    return inner or f"{type(error).__name__}: {said}"
