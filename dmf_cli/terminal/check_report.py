"""The findings of `dmf data check`: tables for the terminal."""

from typing import Any

from rich.table import Table

from dmf_cli.datasets.finding import KINDS
from dmf_cli.datasets.inspect.check import Report, counts
from dmf_cli.terminal.formats import percent

FIRST = 3  # findings of a kind that the table names


def findings(report: Report) -> Table:
    """How many findings of each kind, the first of them by name."""
    table = _table("", "found", "what, and the first of them")
    for kind, number in counts(report.findings).items():
        wrong, title = KINDS[kind]
        table.add_row("[red]error[/]" if wrong else "[yellow]warning[/]", str(number), title)
        named = [finding.text for finding in report.findings if finding.kind == kind][:FIRST]
        for text in [*named, *([f"and {number - FIRST} more"] if number > FIRST else [])]:
            table.add_row("", "", f"[dim]{_escaped(text)}[/]")
    return table


def strata(summary: dict[str, Any]) -> Table:
    """Images, those without a lesion, and how large lesions are, by stratum."""
    table = _table("stratum", "images", "without lesion", "lesion, share of pixels (median, range)")
    for name, stratum in summary.get("strata", {}).items():
        lesion = stratum.get("lesion")
        text = "-" if lesion is None else f"{percent(lesion['median'], how='.3g')}, {_percents(lesion)}"
        table.add_row(_escaped(name), str(stratum["images"]), str(stratum["without lesion"]), text)
    return table


def classes(summary: dict[str, Any]) -> Table:
    """How many images each class is in, and its share of all pixels that count; and those that do not."""
    table = _table("class", "in images", "share of pixels")
    rows = {**summary.get("classes", {})}
    if "ignored" in summary:
        rows["(dataset.ignore; of all pixels)"] = summary["ignored"]
    for name, part in rows.items():
        table.add_row(_escaped(name), str(part["images"]), percent(part["pixels"], how=".3g"))
    return table


def images(summary: dict[str, Any]) -> str:
    """Sizes and grey values in one line."""
    if not summary:
        return "no image could be read"
    (h, w), grey = (summary["height"], summary["width"]), summary["mean grey"]
    return (
        f"{summary['sizes']} size(s), width {w['min']:.0f} to {w['max']:.0f}, height {h['min']:.0f} to "
        f"{h['max']:.0f}; mean grey {grey['median']:.0f} of 255 ({grey['min']:.0f} to {grey['max']:.0f}), "
        f"black {_percents(summary['black pixels'])} and white {_percents(summary['white pixels'])} of pixels"
    )


def leaks(report: Report) -> Table:
    """Near-duplicates (and patients) in two parts, under the split of the config and under plain ones."""
    patients = report.dataset.groups is not None
    table = _table(
        "split", "near-duplicates split", *(["patients split"] if patients else []), "test images that leak"
    )
    for name, leak in report.leaks.items():
        share = f"{leak['test_images']:g} ({percent(leak['test_share'], how='.3g')})"
        table.add_row(name, f"{leak['pairs']:g}", *([f"{leak['patients']:g}"] if patients else []), share)
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in ("images", "found") else "left")
    return table


def _percents(spread: dict[str, float]) -> str:
    return " to ".join(percent(spread[end], how=".3g") for end in ("min", "max"))


def _escaped(text: str) -> str:
    """Names of files are no markup."""
    from rich.markup import escape

    return escape(text)
