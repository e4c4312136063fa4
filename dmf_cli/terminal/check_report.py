"""What `dmf data check` found: tables for the terminal, and a picture of the worst pairs."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.table import Table

from dmf_cli.datasets.base import Dataset
from dmf_cli.datasets.finding import KINDS
from dmf_cli.datasets.inspect.check import Report, counts
from dmf_cli.datasets.sources.description import SimilarPair
from dmf_cli.figures import palette
from dmf_cli.figures import style as look
from dmf_cli.figures.examples import class_lines, outline
from dmf_cli.figures.gallery import small

PICTURED = 12  # pairs
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
    for name, found in summary.get("strata", {}).items():
        lesion = found.get("lesion")
        text = "-" if lesion is None else f"{_percent(lesion['median'])}, {_percents(lesion)}"
        table.add_row(_escaped(name), str(found["images"]), str(found["without lesion"]), text)
    return table


def classes(summary: dict[str, Any]) -> Table:
    """How many images each class is in, and its share of all pixels that count; and those that do not."""
    table = _table("class", "in images", "share of pixels")
    rows = {**summary.get("classes", {})}
    if "ignored" in summary:
        rows["(dataset.ignore; of all pixels)"] = summary["ignored"]
    for name, found in rows.items():
        table.add_row(_escaped(name), str(found["images"]), _percent(found["pixels"]))
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
    for name, found in report.leaks.items():
        share = f"{found['test_images']:g} ({_percent(found['test_share'])})"
        table.add_row(name, f"{found['pairs']:g}", *([f"{found['patients']:g}"] if patients else []), share)
    return table


def plot_pairs(path: Path, dataset: Dataset, pairs: Iterable[SimilarPair]) -> int:
    """Near-duplicates side by side with the outlines of their masks; how many pairs there are on it.

    Args:
        path: the PNG file, in an existing folder.
        dataset: of the pairs.
        pairs: the worst first; the first ``PICTURED`` are drawn.

    Raises:
        RunFolderError: the picture cannot be written.
    """
    chosen = list(pairs)[:PICTURED]
    rows, columns = math.ceil(len(chosen) / 2), min(2, len(chosen))
    with look.style():
        figure = Figure(figsize=(5.6 * columns, 2.7 * rows))
        panels = figure.subplots(rows, 2 * columns, squeeze=False).ravel()
        for panel in panels:
            panel.set_axis_off()
        for number, pair in enumerate(chosen):
            _image(panels[2 * number], dataset, pair.first, f"similarity {pair.similarity:.2f}")
            differ = dataset.strata[pair.first] != dataset.strata[pair.second]
            _image(panels[2 * number + 1], dataset, pair.second, "in another class" if differ else "")
        if lines := class_lines(dataset.classes):
            figure.legend(lines.values(), lines.keys(), loc="outside lower center", ncols=min(len(lines), 6))
        look.save(path, figure)
    return len(chosen)


def _image(panel: Axes, dataset: Dataset, index: int, note: str) -> None:
    sample = small(dataset.load(index))
    image = sample.image if sample.image.shape[-1] == 3 else sample.image[..., 0]
    panel.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
    outline(panel, sample.label, palette.outlines(len(dataset.classes), palette.TRUTH), "-")
    panel.set_title(f"{look.text(dataset.ids[index], 34)}\n{note}", fontsize=8, loc="left")


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in ("images", "found") else "left")
    return table


def _percents(spread: dict[str, float]) -> str:
    return f"{_percent(spread['min'])} to {_percent(spread['max'])}"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _escaped(text: str) -> str:
    """Names of files are no markup."""
    from rich.markup import escape

    return escape(text)
