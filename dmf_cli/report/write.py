"""Which page for which paths, and the file it goes to."""

import dataclasses
import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dmf_cli import hints
from dmf_cli.errors import RunFolderError
from dmf_cli.files import write_atomic
from dmf_cli.run_folder import places

NAME = places.REPORT
log = logging.getLogger("dmf")


@dataclasses.dataclass(frozen=True)
class Written:
    """A report on disk.

    Args:
        file: where it is.
        problems: one line for each thing that could not be read, or was excluded.
        seconds: what it took.
    """

    file: Path
    problems: tuple[str, ...]
    seconds: float


def write(paths: Sequence[Path], output: Path | None = None, **comparison: Any) -> Written:
    """Write the report of one run, or of the runs that ``paths`` are or hold.

    Args:
        paths: a run folder, a folder that holds runs, or several of both.
        output: the file; default ``report.html`` in the one folder that was given, else here.
        comparison: of several runs: ``metric``, ``by`` and ``baseline`` of
            :func:`dmf_cli.comparison.compare.compare`.

    Raises:
        RunFolderError: a path that is no run and holds none, or a file that cannot be written.
    """
    started = time.monotonic()
    inside = paths[0] if len(paths) == 1 and paths[0].is_dir() else Path()
    file = output or inside / NAME
    if file.is_dir():
        raise RunFolderError(path=file, reason="is a folder", allowed=f"a file, as -o {file / NAME}")
    text, problems = _run(paths[0]) if _one_run(paths) else _several(paths, file, comparison)
    try:
        write_atomic(file, text)
    except RunFolderError as error:
        why = error.__cause__.strerror if isinstance(error.__cause__, OSError) else error
        reason, hint = f"cannot be written ({why})", "give another file with -o FILE"
        raise RunFolderError(path=file, reason=reason, hint=hint) from error
    return Written(file, tuple(problems), time.monotonic() - started)


def after_run(path: Path) -> None:
    """The report of the run that has just ended. It never ends a run: why there is none is a warning."""
    try:
        written = write([path])
    except (Exception, KeyboardInterrupt) as error:
        why, again = " ".join(str(error).split()) or "interrupted", hints.command("report", path)
        log.warning("no report (%s: %s); `%s` tries again", type(error).__name__, why, again)
        return
    log.info("report written in %.1f s to %s", written.seconds, written.file)
    for line in written.problems:
        log.info("report: %s", line)


def _one_run(paths: Sequence[Path]) -> bool:
    """Whether it is a run, or nothing that could hold some: the reader of a run says what is wrong then."""
    if len(paths) > 1:
        return False
    above = Path(os.path.realpath(paths[0])).parents
    inside = any(map(places.is_run, above))  # such as RUN/metrics
    return (paths[0] / places.CONFIG).is_file() or not paths[0].is_dir() or inside


def _run(path: Path) -> tuple[str, list[str]]:
    from dmf_cli.report import page, reading, run_page

    facts = reading.read(path)
    context = run_page.context(facts)
    charts = [one for group in context["groups"].values() for one in group]
    return page.render("run.html", context, charts), facts.notes


def _several(paths: Sequence[Path], file: Path, comparison: dict[str, Any]) -> tuple[str, list[str]]:
    from dmf_cli.report import page, sweep_page

    context = sweep_page.context(paths, file, **comparison)
    return page.render("sweep.html", context, context["charts"]), context["problems"]
