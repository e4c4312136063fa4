"""What the page of many runs says: the comparison, curves of each setting, and every run with its state."""

import math
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dmf_cli.comparison import loading, plots, settings, tables
from dmf_cli.comparison import notes as comparison_notes
from dmf_cli.comparison.compare import Comparison, compare
from dmf_cli.comparison.intervals import Interval
from dmf_cli.errors import DmfError, RunFolderError, UnknownNameError
from dmf_cli.figures import bokeh_renderer
from dmf_cli.report import drawing
from dmf_cli.report.reading import RunFacts, read
from dmf_cli.report.table import Cell, Table, cell, sortable
from dmf_cli.run_folder import headline
from dmf_cli.terminal.formats import duration


def context(
    paths: Sequence[Path],
    file: Path,
    *,
    metric: str | None = None,
    by: Sequence[str] | None = None,
    baseline: str | None = None,
) -> dict[str, Any]:
    """Everything that the template of many runs needs.

    Args:
        paths: runs, or folders that hold some.
        file: where the page goes: links are relative to it.
        metric: see :func:`dmf_cli.comparison.compare.compare`; so are ``by`` and ``baseline``.

    Raises:
        RunFolderError: no run in ``paths``.
        ConfigError: a metric, key or baseline that there is not.
    """
    folders, without = loading.find(list(paths))
    runs, problems = _runs(folders)
    problems = [*without, *problems]
    compared: Comparison | None = None
    try:
        compared = compare([run.path for run in runs], metric=metric, by=by, baseline=baseline)
    except UnknownNameError:
        raise
    except DmfError as error:
        if by or baseline:
            raise
        problems.append(" ".join(str(error).split()))
    groups = plots.runs_of(compared) if compared else _by_setting(runs)
    figures = [plots.curves(groups, {run.path: run.epochs for run in runs})]
    if compared:
        figures = [plots.images(compared), *figures]
        problems += compared.skipped
    states = Counter(run.state for run in runs)
    return {
        "title": _title(paths),
        "subtitle": comparison_notes.title(compared) if compared else "",
        "states": ", ".join(f"{count} {state}" for state, count in states.items()),
        "total": len(runs),
        "problems": list(dict.fromkeys(problems)),
        "answer": comparison_notes.answer(compared) if compared else [],
        "notes": comparison_notes.notes(compared)[1:] if compared else [],
        "comparison": _comparison(compared) if compared else None,
        "events": _events(compared) if compared else [],
        "weights": _weights(compared) if compared else None,
        "repetitions": _repetitions(compared) if compared else None,
        "charts": bokeh_renderer.charts(figures),
        "runs": _listed(runs, compared.metric if compared else metric or "foreground.dice", file),
    }


def _runs(folders: Sequence[Path]) -> tuple[list[RunFacts], list[str]]:
    """What can be read of each run, and a line for each folder that is none after all."""
    runs, problems = [], []
    for folder in folders:
        try:
            runs.append(read(folder, brief=True))
        except RunFolderError as error:
            problems.append(error)
    if not runs:
        raise problems[0]
    return runs, [*map(str, problems), *(line for run in runs for line in run.notes)]


def _title(paths: Sequence[Path]) -> str:
    names = [path.resolve().name or str(path) for path in paths]
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _placed(runs: Sequence[RunFacts]) -> dict[Path, settings.Placed]:
    """Setting and repetition of each run whose config can be read, whatever its state."""
    known = [loading.Run(run.path, loading.flat(run.config), {}, "", "") for run in runs if run.config]
    return {one.run.path: one for one in settings.place(known)} if known else {}


def _by_setting(runs: Sequence[RunFacts]) -> dict[str, list[Path]]:
    groups: dict[str, list[Path]] = {}
    for path, one in _placed(runs).items():
        groups.setdefault(settings.words(one.setting) or "all runs", []).append(path)
    return groups


def _comparison(compared: Comparison) -> Table:
    """The table of ``dmf compare`` with its intervals drawn."""
    means = drawing.span(
        [end for row in compared.rows for end in (row.mean.mean, row.mean.low, row.mean.high)]
    )
    against = [row.versus.difference for row in compared.rows if row.versus]
    gaps = drawing.span([end for d in against for end in (d.mean, d.low, d.high)], zero=True)
    rows = []
    for row, texts in zip(compared.rows, tables.cells(compared), strict=True):
        made = []
        for column, text in zip(tables.COLUMNS, texts, strict=True):
            one = sortable(text)
            if column == "mean ± std":
                picture = drawing.interval(row.mean.mean, row.mean.low, row.mean.high, means)
                one = Cell(text, row.mean.mean, picture=picture)
            elif column == "difference" and row.versus:
                gap, clear = row.versus.difference, row.versus.significant
                picture = drawing.interval(gap.mean, gap.low, gap.high, gaps, zero=True, clear=clear)
                one = Cell(text, gap.mean, picture=picture)
            elif column == "95 % interval":
                one = _by_lower(text, row.mean)
            elif column == "its 95 % interval" and row.versus:
                one = _by_lower(text, row.versus.difference)
            made.append(one)
        rows.append(made)
    caption = f"{compared.metric}: " + (
        f"each setting against {compared.baseline}" if compared.baseline else "pooled"
    )
    return Table("comparison", caption, tables.COLUMNS, rows)


def _events(compared: Comparison) -> list[Table]:
    """What no score counts, a table a kind: false alarms, missed lesions."""
    columns = tables.COLUMNS[:-2]
    return [
        Table(f"events{i}", heading, columns, [[sortable(text) for text in one[:-2]] for one in rows])
        for i, (heading, rows) in enumerate(tables.event_cells(compared).items())
    ]


def _weights(compared: Comparison) -> Table | None:
    """How far the weights moved; None without any."""
    rows = [
        [cell(row.group.name), cell(one.term), cell(one.mean), cell(one.low), cell(one.high)]
        for row in compared.rows
        for one in row.weights
    ]
    columns = ("setting", "term", "mean weight", "lowest", "highest")
    caption = "Weights over all steps of all runs of a setting"
    return Table("weights", caption, columns, rows, frozenset({0, 1})) if rows else None


def _by_lower(text: str, interval: Interval) -> Cell:
    """An interval is sorted by its lower end: that is what a setting has at the least."""
    return Cell(text, None if math.isnan(interval.low) else interval.low)


def _repetitions(compared: Comparison) -> Table:
    """One row a repetition, one column a setting: do they agree?"""
    groups = [row.group for row in compared.rows]
    every = sorted({repetition for group in groups for repetition in group.repetitions})
    rows = [
        [cell(settings.words(r)), *(cell(g.mean_of(r) if r in g.repetitions else None) for g in groups)]
        for r in every
    ]
    columns = ("repetition", *(group.name for group in groups))
    return Table("repetitions", f"{compared.metric} of each repetition", columns, rows)


def _listed(runs: Sequence[RunFacts], metric: str, file: Path) -> Table:
    """Every run with its state and where it leads."""
    places, rows = _placed(runs), []
    for run in runs:
        place, best = places.get(run.path), run.status.get("best") or {}
        scored = run.summaries.get("test", {})
        scope, _, name = metric.rpartition(".")
        value = _figures(scored, scope).get(name, {}).get("mean")
        epochs = run.status.get("epochs")
        done = int(max(run.epochs.get("epoch", [0])))
        rows.append(
            [
                Cell(run.name, run.name, href=_link(run.path, file)),
                Cell(run.state, run.state, style=f"state-{run.state}"),
                cell(settings.words(place.setting) if place else None),
                cell(settings.words(place.repetition) if place else None),
                Cell(f"{done} of {epochs}" if epochs else str(done), done),
                cell(headline.kept(best)[1]),
                cell(value),
                Cell("-" if run.seconds is None else duration(run.seconds), run.seconds),
                cell(str(run.status.get("message") or "")),
            ]
        )
    columns = [
        "run",
        "state",
        "setting",
        "repetition",
        "epochs",
        "best validation",
        f"test {metric}",
        "training",
        "message",
    ]
    if not any(row[-1].text for row in rows):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    return Table(
        "runs",
        "Every run, scored as in its own tables; a name leads to its own report, or its folder",
        columns,
        rows,
        frozenset({0, 1, 2, 3, 8}),
    )


def _figures(summary: dict[str, Any], scope: str) -> dict[str, Any]:
    """The figures of ``foreground``, ``mean`` or ``class.NAME`` in a summary; nothing where it has none."""
    kind, _, name = scope.partition(".")
    figures = summary.get("classes", {}).get(name, {}) if kind == "class" else summary.get(scope, {})
    return figures if isinstance(figures, dict) else {}


def _link(run: Path, file: Path) -> str:
    """To the report of the run where there is one, else to its folder; relative, so that a copy works.

    Both without symbolic links: a browser goes up from where a page really is.
    """
    from urllib.parse import quote

    target = run / "report.html"
    where = run.resolve() / target.name if target.is_file() else run.resolve()
    inside = os.path.relpath(where, file.parent.resolve())
    return quote(Path(inside).as_posix())
