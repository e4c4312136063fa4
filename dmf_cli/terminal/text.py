"""Tables as text: CSV and Markdown."""

import csv
import io
import math
from collections.abc import Iterable
from typing import Any

from dmf_cli.escapes import cell, visible


def csv_text(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """Nine digits a number, an empty cell for NaN; no text is a formula."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(map(cell, header))
    writer.writerows([_plain(value) for value in row] for row in rows)
    return buffer.getvalue()


def markdown_row(cells: Iterable[str]) -> str:
    """One row of a table, its cells escaped."""
    return "| " + " | ".join(markdown_text(cell) for cell in cells) + " |"


def markdown_text(text: str) -> str:
    """Names of datasets and classes must not become markup, least of all a new column or line."""
    return "".join(f"\\{c}" if c in "\\|*_`<>[]#" else c for c in visible(text))


def _plain(value: Any) -> Any:
    if not isinstance(value, float):
        return cell(value)
    return "" if math.isnan(value) else f"{value:.9g}"
