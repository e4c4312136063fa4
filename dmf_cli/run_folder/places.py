"""Where run folders are made and found: exclusive claims, and the run that was probably meant."""

import contextlib
import datetime
import difflib
import os
import re
from pathlib import Path

from dmf_cli import hints
from dmf_cli.config.typed import Config
from dmf_cli.errors import RunFolderError
from dmf_cli.files import disk_errors

CONFIG, STATUS, REPORT = "config.yaml", "status.json", "report.html"
FILES, LEVELS = 1_000_000, 16  # in a run: masks of all its test images, in folders of its own
ATTEMPTS = 10_000  # runs that may start in one second


def sweep_folder(config: Config) -> Path:
    """Where sweeps below one output folder keep locks and logs of launchers; hidden, and gone when empty."""
    return Path(config.output_root).expanduser() / ".sweep"


def check_free(path: Path) -> None:
    """Raise ``RunFolderError`` if ``path`` exists: reported before minutes are spent on a run."""
    if path.exists():
        raise _taken(path)


def make_exactly(path: Path) -> list[Path]:
    """Make the folder ``path``, which must not exist; returns the folders made, ``path`` last.

    Raises:
        RunFolderError: there is something at ``path``, or it cannot be made.
    """
    with disk_errors(path, "make"):
        made = _make_parents(path.parent)
        try:
            path.mkdir()
        except BaseException as error:
            remove_empty(made)
            if isinstance(error, FileExistsError):
                raise _taken(path) from None
            raise
    return [*made, path]


def make_dated(root: Path, slug: str) -> list[Path]:
    """Make ``root/<date>/<time>_<slug>``, numbered if it is taken; returns the folders made, it last.

    Raises:
        RunFolderError: it cannot be made.
    """
    now = datetime.datetime.now()
    name = f"{now:%H-%M-%S}_{re.sub(r'[^A-Za-z0-9._+-]+', '-', slug)}"[:120]
    day = root / f"{now:%Y-%m-%d}"
    with disk_errors(day, "make"):
        made = _make_parents(day)
        try:
            for number in range(1, ATTEMPTS):
                path = day / (name if number == 1 else f"{name}_{number}")
                try:
                    path.mkdir()
                    return [*made, path]
                except FileExistsError:
                    continue
                except FileNotFoundError:  # a run that was abandoned took the empty day away
                    made += _make_parents(day)
        except BaseException:
            remove_empty(made)
            raise
    raise RunFolderError(path=day, reason=f"holds {ATTEMPTS:,} runs of this second", hint="set run_dir=...")


def remove_empty(folders: list[Path]) -> None:
    """Remove ``folders``, innermost first, as far as they are empty."""
    for folder in reversed(folders):
        with contextlib.suppress(OSError):
            folder.rmdir()


def is_run(folder: Path) -> bool:
    """Whether ``folder`` holds what every run has."""
    return (folder / CONFIG).is_file() and (folder / STATUS).is_file()


def check_files(folder: Path, *, inner: bool = False) -> None:
    """Whatever is in the folder of a run is a file or a folder of its own.

    A run may come from anybody. A symbolic link in it would have dmf read, write or delete what the link
    points to, and a pipe would have it wait for ever; so every way into a run begins here.

    Args:
        folder: of the run, which may be a link itself, for the user names it.
        inner: it is one in a run, such as ``metrics``, and need not be there yet.

    Raises:
        RunFolderError: something in it is a link or no file, a folder cannot be read, or there are more of
            them than in any run.
    """
    if inner and folder.is_symlink():
        raise _linked(folder)
    folders = [(folder, 0)] if folder.exists() or not inner else []
    count = 0
    while folders:
        here, level = folders.pop()
        with disk_errors(here, "read"), os.scandir(here) as entries:
            for entry in entries:
                count += 1
                if count > FILES or level > LEVELS:
                    reason = f"holds more than {FILES:,} files or {LEVELS} levels of folders, as no run does"
                    raise RunFolderError(path=folder, reason=reason, hint="remove what is not of the run")
                if entry.is_symlink():
                    raise _linked(Path(entry.path))
                if entry.is_dir():
                    folders.append((Path(entry.path), level + 1))
                elif not entry.is_file() and Path(entry.path).exists():  # a temporary file goes meanwhile
                    reason = "is neither a file nor a folder"
                    raise RunFolderError(path=Path(entry.path), reason=reason, hint="remove it from the run")


def _linked(path: Path) -> RunFolderError:
    reason = "is a symbolic link, and a run has no files but its own"
    return RunFolderError(path=path, reason=reason, hint="put a copy of the file or folder in its place")


def no_run(path: Path) -> RunFolderError:
    """The error that says why ``path`` is no run, and which run was probably meant."""
    for above in Path(os.path.realpath(path)).parents:  # which a circle of links is no error for
        if is_run(above):
            part = "is a part of a run"
            return RunFolderError(path=path, reason=part, allowed=f"the run folder {_short(above)}")
    if not path.exists():
        reason = "does not exist"
    elif not path.is_dir():
        reason = "is a file and not a run folder"
    else:
        lacks = [name for name in (CONFIG, STATUS) if not (path / name).is_file()]
        reason = f"is not a run folder (no {' and '.join(lacks)})"
        if len(lacks) == 1:  # it was one: nothing was mistyped
            return RunFolderError(path=path, reason=reason, hint="a part of it is missing")
    return RunFolderError(path=path, reason=reason, hint=_meant(path))


def _meant(path: Path) -> str:
    found = _runs_near(path)
    if not found:
        return "give the folder that `dmf train` printed"
    by_name = {run.name: run for run in found}
    close = difflib.get_close_matches(path.name, by_name, n=1, cutoff=0.6)
    if close:
        return f"did you mean {_short(by_name[close[0]])}?"
    latest = max(found, key=lambda run: (run / STATUS).stat().st_mtime)
    return f"the latest run is {_short(latest)}"


def _runs_near(path: Path) -> list[Path]:
    """Runs inside ``path``, beside it, and in the usual place; never a walk over a whole disk."""
    patterns = [
        (path, "*"),
        (path, "*/*"),
        (path.parent, "*"),
        (Path("outputs"), "*"),
        (Path("outputs"), "*/*"),
    ]
    found = {file.parent for base, depth in patterns for file in base.glob(f"{depth}/{STATUS}")}
    return sorted(run for run in found if is_run(run))


def _taken(path: Path) -> RunFolderError:
    what, hint = f"run_dir={path} exists already", "choose a folder that does not exist"
    if is_run(path):
        what = f"run_dir={path} is a run already"
        hint = f"choose another folder, or resume it with `{hints.command('resume', path)}`"
    return RunFolderError(what, key="run_dir", path=path, hint=hint)


def _make_parents(folder: Path) -> list[Path]:
    """Make ``folder`` and what is missing above it; returns what this call made, outermost first."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        if folder == folder.parent:
            break
        folder = folder.parent
    made: list[Path] = []
    for one in reversed(missing):
        try:
            one.mkdir()
            made.append(one)
        except FileExistsError:
            if not one.is_dir():  # else another run made it just now
                remove_empty(made)
                raise
        except BaseException:
            remove_empty(made)
            raise
    return made


def _short(path: Path) -> Path:
    """Relative to the working folder where that is shorter to type."""
    with contextlib.suppress(ValueError):
        return Path(os.path.realpath(path)).relative_to(Path.cwd())
    return path
