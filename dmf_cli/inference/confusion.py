"""Which class is taken for which: per lesion and per pixel, of a summary of several classes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dmf_cli.terminal import latex as _latex
from dmf_cli.terminal.formats import count, percent
from dmf_cli.terminal.text import markdown_row, markdown_text

if TYPE_CHECKING:
    from rich.table import Table

MOST = 6  # classes, background included, that the terminal shows
MISSED, NO_LESION = "missed", "no lesion"
HEADINGS = {
    "lesions": "Confusion of lesions (rows: truth)",
    "pixels": "Confusion of pixels (rows: truth)",
}
NOTE = (
    "Confusion of lesions: a lesion (connected component) counts as the class of most of its predicted "
    "pixels; no lesion: predicted components outside all lesions"
)

Rows = list[list[str]]


def sections(summary: Mapping[str, Any]) -> dict[str, tuple[list[str], Rows]]:
    """Heading -> (columns, rows of text), lesions first; empty for one class and for runs of version 0.1."""
    names = list(summary.get("classes", ()))
    made = {"lesions": _lesions, "pixels": _pixels}
    return {HEADINGS[kind]: made[kind](summary["confusion"][kind], names) for kind in _kinds(summary)}


def _kinds(summary: Mapping[str, Any]) -> list[str]:
    return [kind for kind in HEADINGS if kind in (summary.get("confusion") or {})]


def records(summary: Mapping[str, Any]) -> Iterator[tuple[str, str, str, int]]:
    """``(lesions or pixels, truth, predicted, count)`` of every cell, for a CSV."""
    names = list(summary.get("classes", ()))
    for kind, matrix in (summary.get("confusion") or {}).items():
        for t, row in enumerate(matrix):
            for p, cell in enumerate(row):
                if kind == "pixels":
                    yield kind, names[t], names[p], cell
                elif t or p:
                    yield kind, names[t] if t else NO_LESION, names[p] if p else MISSED, cell


def confused(summary: Mapping[str, Any]) -> tuple[int, int] | None:
    """Lesions that were predicted as another class, and all lesions; None where they were not counted."""
    matrix = (summary.get("confusion") or {}).get("lesions")
    if matrix is None:
        return None
    above = range(1, len(matrix))
    wrong = sum(matrix[t][p] for t in above for p in above if t != p)
    return wrong, sum(sum(matrix[t]) for t in above)


def markdown(summary: Mapping[str, Any]) -> list[str]:
    """The tables as lines of GitHub Markdown."""
    lines = []
    for heading, (columns, rows) in sections(summary).items():
        lines += [f"## {markdown_text(heading)}", "", markdown_row(columns)]
        lines += ["|:--" + "|--:" * (len(columns) - 1) + "|", *map(markdown_row, rows), ""]
    return lines


def latex(summary: Mapping[str, Any], name: str, title: str) -> str:
    """The tables for a paper, lesions first; empty where there are none.

    Args:
        summary: of several classes.
        name: of the split; ``\\label{tab:test-lesions}``.
        title: what the figures depend on, which stands behind the heading in each caption.
    """
    made = []
    for kind, (heading, (columns, rows)) in zip(_kinds(summary), sections(summary).items(), strict=True):
        caption, comments = f"{heading}. {title}.", [NOTE] if kind == "lesions" else []
        made.append(_latex.table(caption, columns, {"": rows}, label=f"tab:{name}-{kind}", comments=comments))
    return "\n".join(made)


def render(summary: Mapping[str, Any]) -> "Table | None":
    """The lesions for the terminal; None where there is nothing to show, or too much."""
    section = sections(summary).get(HEADINGS["lesions"])
    if section is None or len(summary["classes"]) > MOST:
        return None
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    columns, rows = section
    table = Table(box=box.SIMPLE_HEAD, title=HEADINGS["lesions"], title_justify="left")
    for place, column in enumerate(columns):
        table.add_column(escape(column), justify="right" if place else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    return table


def _lesions(matrix: Sequence[Sequence[int]], names: Sequence[str]) -> tuple[list[str], Rows]:
    """Counts: a row a class, and one for what is predicted where no lesion is."""
    columns = ["truth", *names[1:], MISSED, "lesions"]
    rows = [
        [name, *map(count, row[1:]), count(row[0]), count(sum(row))]
        for name, row in zip(names[1:], matrix[1:], strict=True)
    ]
    return columns, [*rows, [NO_LESION, *map(count, matrix[0][1:]), "", count(sum(matrix[0]))]]


def _pixels(matrix: Sequence[Sequence[int]], names: Sequence[str]) -> tuple[list[str], Rows]:
    """Shares of the pixels of each class, and how many these are."""
    rows = [
        [name, *(percent(part, sum(row)) for part in row), count(sum(row))]
        for name, row in zip(names, matrix, strict=True)
    ]
    return ["truth", *names, "pixels"], rows
