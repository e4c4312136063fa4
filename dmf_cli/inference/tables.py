"""An evaluation as files (CSV, JSON, Markdown, LaTeX) and as a table for the terminal.

Every table says what its figures depend on: images, resolution, threshold, the rule for empty masks, and
how many images fall under it. Trivial predictors stand beside the network, so a broken run is seen at once.
"""

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dmf_cli.files import write_atomic
from dmf_cli.inference import confusion
from dmf_cli.metrics.summary import is_scored, jsonable
from dmf_cli.run_folder import headline
from dmf_cli.terminal import latex as _latex
from dmf_cli.terminal.formats import score, spread
from dmf_cli.terminal.narrow import Fitted, Name, add_numbers
from dmf_cli.terminal.text import csv_text, markdown_row, markdown_text

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from dmf_cli.inference.evaluation import Evaluation

LABELS = {
    "dice": "Dice", "iou": "IoU", "precision": "Precision", "recall": "Recall", "specificity": "Specificity",
    "f1": "F1", "accuracy": "Accuracy", "fpr": "FPR (low)", "fnr": "FNR (low)", "npv": "NPV",
    "cb_dice": "CB-Dice", "hd95": "HD95 px (low)", "assd": "ASSD px (low)", "nsd": "NSD px",
    "hd95_mm": "HD95 mm (low)", "assd_mm": "ASSD mm (low)", "nsd_mm": "NSD mm",
    "lesion_sensitivity": "Lesion recall", "lesion_fp": "FP per image (low)", "ece": "ECE (low)",
}  # fmt: skip
COLUMNS = ("metric", "mean ± std", "median", "n", "pooled", "nothing", "everything")
NARROW = ("median", "pooled", "everything", "nothing", "n")  # dropped first where a terminal is narrow
PRINTED = COLUMNS[:5]  # in a paper
STATISTICS = ("mean", "std", "median", "n", "pooled")
BRIEF = ("dice", "iou", "recall")  # of each class, in the terminal
LEGEND = (
    "Mean ± std (n - 1) and median over the n images that count; pooled: pixels of all images together; "
    "nothing, everything: mean of a predictor that always says so"
)


def write_metrics(folder: Path, name: str, evaluation: "Evaluation") -> None:
    """``NAME_per_image.csv`` and ``NAME_summary.{json,csv,md,tex}`` in ``folder``, each whole or not at all;
    of several classes ``NAME_confusion.{csv,tex}`` too.

    Args:
        folder: an existing folder.
        name: of the split, e.g. ``test``; also in the tables, unless the evaluation has a name.
        evaluation: what :func:`dmf_cli.inference.evaluation.evaluate` returned.

    Raises:
        RunFolderError: disk full, read-only, no permission.
    """
    settings = evaluation.summary["settings"]
    summary = {**evaluation.summary, "settings": {**settings, "split": settings["split"] or name}}
    contents = {
        f"{name}_per_image.csv": csv_text(evaluation.rows[0], (row.values() for row in evaluation.rows)),
        f"{name}_summary.json": json.dumps(jsonable(summary), indent=2, allow_nan=False) + "\n",
        f"{name}_summary.csv": csv_text(("scope", "metric", *STATISTICS), _records(summary)),
        f"{name}_summary.md": markdown(summary),
        f"{name}_summary.tex": latex(summary, name),
    }
    if cells := list(confusion.records(summary)):
        contents[f"{name}_confusion.csv"] = csv_text(("counted", "truth", "predicted", "count"), cells)
        contents[f"{name}_confusion.tex"] = confusion.latex(summary, name, title(summary))
    for file, content in contents.items():
        write_atomic(folder / file, content)


def title(summary: dict[str, Any]) -> str:
    """``busi, test: 98 images at their original size, threshold 0.5``, and ``missed=`` if it matters."""
    settings, images = summary["settings"], summary["counts"]["images"]
    height, width = settings["image_size"]
    where = (
        "at their original size"
        if settings["resolution"] == "original"
        else f"at network size {height}x{width}"
    )
    rule = settings.get("rule")
    if rule is None:
        likeliest = len(summary["classes"]) > 2
        rule = "likeliest class" if likeliest else f"threshold {settings['threshold']:g}"
    name = ", ".join(text for text in (settings["dataset"], settings["split"]) if text)
    if "missed" in settings:  # only metrics=full has figures that depend on it
        rule += f", missed={settings['missed']}"
    return f"{name}: {images} {'image' if images == 1 else 'images'} {where}, {rule}"


def notes(summary: dict[str, Any]) -> list[str]:
    """What stands under a table: a warning if there is need, counts, the rule for empty masks, the legend."""
    counts, settings = summary["counts"], summary["settings"]
    how_many = (
        f"Images with a lesion: {counts['with_truth']} (missed {counts['missed']}, no overlap "
        f"{counts['no_overlap']}); without: {counts['images'] - counts['with_truth']} (false alarms "
        f"{counts['false_alarm']}, both empty {counts['both_empty']})"
    )
    rules = f"Empty masks, empty={settings['empty']}: {'; '.join(settings['rules'])}"
    full = [f"Distances and detection: {'; '.join(settings.get('full_rules', ()))}"]
    return [
        *warnings(summary),
        how_many,
        rules,
        *(full if "full_rules" in settings else []),
        *_own(settings.get("own_metrics", {})),
        *_of_classes(summary),
        *_calibration(settings),
        LEGEND,
    ]


def _calibration(settings: dict[str, Any]) -> list[str]:
    """How far the probabilities of the network are from what happens, before and after the temperature."""
    if "ece" not in settings:
        return []
    before, after = (score(settings["ece"][key]) for key in ("before", "after"))
    return [f"Calibration error (ECE) of the foreground: {before} before the temperature, {after} after it"]


def _own(metrics: dict[str, Any]) -> list[str]:
    """The user's metrics with their parameters."""
    said = [
        f"{name}{''.join(f', {key}={value}' for key, value in one['params'].items())}"
        for name, one in metrics.items()
    ]
    return [f"Your own metrics: {'; '.join(said)}"] if said else []


def warnings(summary: dict[str, Any]) -> list[str]:
    """One line if the images are no test of the network, one for each class that is never predicted or never
    there, one if the network is not better than a trivial predictor.
    """
    return [*_seen(summary), *_lacking(summary), *_trivial(summary)]


def _lacking(summary: dict[str, Any]) -> list[str]:
    """Classes that no image holds, and of several those that the network never predicts."""
    lines = []
    above = dict(list(summary["classes"].items())[1:])
    for name, figures in above.items():
        counts = figures["counts"]
        there, missed = counts["with_truth"], counts["missed"]
        if not there:
            what = "there is no image with" if len(above) > 1 else "no image has a"
            alarms = f" (predicted in {counts['false_alarm']})" if counts["false_alarm"] else ""
            lines.append(f"{what} {name}{alarms}: its Dice says nothing, or is undefined")
        elif len(above) > 1 and missed == there and not counts["false_alarm"]:
            images = "1 image has" if there == 1 else f"{there} images have"
            lines.append(f"WARNING: {name} is never predicted, and {images} it")
    return lines


def _of_classes(summary: dict[str, Any]) -> list[str]:
    """What the mean over classes is, beside the mean of each class."""
    if headline.scope(summary) == headline.UNION:
        return []
    above, empty = dict(list(summary["classes"].items())[1:]), summary["settings"]["empty"]
    held = [name for name, figures in above.items() if is_scored(figures, empty)]
    each = ", ".join(f"{name} {score(above[name]['dice']['mean'])}" for name in held)
    absent = [name for name in above if name not in held]
    without = f"; without {' and '.join(absent)}, which no image has" if absent else ""
    said = (
        f"Mean over classes: each figure is the mean of those of the classes (Dice: {each}{without}), n the "
        "images in which any of them counts; dmf compare has the mean over the classes of each image"
    )
    return [said, *([confusion.NOTE] if "confusion" in summary else [])]


def _seen(summary: dict[str, Any]) -> list[str]:
    """Images that the network has been trained on, or chosen by, in words."""
    if "seen" not in summary["settings"]:
        return []
    if summary["settings"]["seen"] is None:
        return [
            "Whether this network was trained on these images is not known: the run's split.json is missing, "
            "or it began with weights of a file"
        ]
    train, val = (summary["settings"]["seen"][part] for part in ("train", "val"))
    images = summary["counts"]["images"]
    of = f"of {'this' if images == 1 else f'these {images}'} image{'' if images == 1 else 's'}"
    chose = f"{val} more chose its best epoch" if train else f"{val} {of} chose the network's best epoch"
    text = f"{train} {of} trained this network" + (f" ({chose})" if val else "") if train else chose
    return [f"{text}: this is no test"]


def _trivial(summary: dict[str, Any]) -> list[str]:
    network = summary["foreground"]["dice"]["mean"]
    scores = {name: figures["dice"]["mean"] for name, figures in summary["trivial"].items()}
    name = max(scores, key=lambda name: -1.0 if math.isnan(scores[name]) else scores[name])
    if math.isnan(network) or math.isnan(scores[name]) or network > scores[name]:
        return []
    union = "foreground Dice (union of the classes)" if len(summary["classes"]) > 2 else "Dice"
    return [
        f"WARNING: {union} {score(network)} is not above that of predicting {name} ({score(scores[name])})"
    ]


def sections(summary: dict[str, Any], brief: Sequence[str] | None = None) -> dict[str, list[list[str]]]:
    """Heading -> rows of cells in the order of ``COLUMNS``: the headline, then each class.

    Of several classes the headline is their mean, and their union follows. Of two classes the second is the
    foreground, and not repeated.
    ``brief`` names the metrics of a class (default: all) and excludes the background.
    """
    trivial, labels = summary["trivial"], LABELS | own_labels(summary)
    tables, shown = {}, list(summary["foreground"])

    def row(metric: str, figures: dict[str, float], others: dict[str, Any] | None = None) -> list[str]:
        return _cells(metric, labels.get(metric, metric), figures, others or {})

    if headline.scope(summary) == headline.MEAN:
        above = len(summary["classes"]) - 1
        tables[f"mean over {above} classes"] = [row(m, s) for m, s in summary["mean"].items()]
        shown = list(brief or shown)
    union = "foreground" if len(summary["classes"]) == 2 else "foreground (union)"
    tables[union] = [row(m, summary["foreground"][m], trivial) for m in shown]
    names, several = list(summary["classes"]), len(summary["classes"]) > 2
    for name in ([] if brief else names[:1]) + (names[1:] if several else []):
        figures = summary["classes"][name]
        chosen = brief or [metric for metric in figures if metric != "counts"]
        tables[f"class {name}"] = [row(metric, figures[metric]) for metric in chosen if metric in figures]
    if several:
        tables["all classes"] = [row(m, s) for m, s in summary["all_classes"].items()]
    return tables


def own_labels(summary: dict[str, Any]) -> dict[str, str]:
    """Metric of the user's -> what tables call it: its name, and ``(low)`` where low values are good."""
    own = summary.get("settings", {}).get("own_metrics", {})
    return {name: f"{name} (low)" if said["better"] == "low" else name for name, said in own.items()}


def latex(summary: dict[str, Any], name: str) -> str:
    """One table with what a paper prints; the trivial predictors are in the CSV, the notes are comments."""
    figures = {heading: [row[: len(PRINTED)] for row in rows] for heading, rows in sections(summary).items()}
    caption = f"{title(summary)}. Mean ± SD and median over the n images that count; pooled over all pixels."
    return _latex.table(caption, PRINTED, figures, label=f"tab:{name}", comments=notes(summary))


def markdown(summary: dict[str, Any]) -> str:
    """The tables as GitHub Markdown."""
    lines = [f"# {markdown_text(title(summary))}", ""]
    for heading, rows in sections(summary).items():
        lines += [
            f"## {markdown_text(heading)}",
            "",
            markdown_row(COLUMNS),
            "|:--" + "|--:" * (len(COLUMNS) - 1) + "|",
        ]
        lines += [*(markdown_row(row) for row in rows), ""]
    lines += confusion.markdown(summary)
    return "\n".join([*lines, *(f"- {markdown_text(note)}" for note in notes(summary)), ""])


def render(evaluation: "Evaluation") -> "RenderableType":
    """A table for the terminal, whole from 80 columns on; with several classes these, and their confusion."""
    fitted = Fitted(lambda without: _rendered(evaluation.summary, without), NARROW)
    confused = confusion.render(evaluation.summary)
    if confused is None:
        return fitted
    from rich.console import Group

    return Group(confused, fitted)


def _rendered(summary: dict[str, Any], without: Sequence[str]) -> "Table":
    """The table without some columns."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(
        box=box.SIMPLE_HEAD, title=escape(title(summary)), title_justify="left", caption_justify="left"
    )
    parts = sections(summary, BRIEF)
    shown = [i for i, column in enumerate(COLUMNS) if i and column not in without]
    table.add_column(COLUMNS[0])
    for i in shown:
        style = "dim" if COLUMNS[i] in summary["trivial"] else None
        add_numbers(table, COLUMNS[i], [row[i] for rows in parts.values() for row in rows], style)
    for heading, rows in parts.items():
        if table.row_count:
            table.add_section()
            table.add_row(Name(heading), style="bold")
        for row in rows:
            style = "bold" if row[0] == LABELS["dice"] else None
            table.add_row(Name(row[0]), *(row[i] for i in shown), style=style)
    gone = [column for column in COLUMNS if column in without]
    said = [f"Too narrow here for {', '.join(gone)}: the summary in metrics/ has them"] if gone else []
    red = len(warnings(summary))
    lines = [escape(note) for note in notes(summary)]
    table.caption = "\n".join(
        [*(f"[not dim bold red]{line}[/]" for line in lines[:red]), *said, *lines[red:]]
    )
    return table


def _cells(metric: str, label: str, figures: dict[str, float], trivial: dict[str, Any]) -> list[str]:
    """One row: ``Dice | 0.812 ± 0.101 | 0.834 | 93 | 0.871 | 0.000 | 0.154``."""
    mean, std, median, n, pooled = (figures[key] for key in STATISTICS)
    means = (trivial.get(name, {}).get(metric, {"mean": None})["mean"] for name in COLUMNS[5:])
    others = ["" if mean is None else score(mean) for mean in means]
    return [label, spread(mean, std), score(median), str(n), score(pooled), *others]


def _records(summary: dict[str, Any]) -> Iterable[list[Any]]:
    """Rows of the summary's CSV."""
    classes = {f"class.{name}": figures for name, figures in summary["classes"].items()}
    trivial = {f"trivial.{name}": figures for name, figures in summary["trivial"].items()}
    mean = {headline.MEAN: summary[headline.MEAN]} if headline.MEAN in summary else {}
    union = {**summary["foreground"], "counts": summary["counts"]}
    scopes = {**mean, "foreground": union, **classes, **trivial}
    for scope, figures in {**scopes, "all_classes": summary["all_classes"]}.items():
        yield from ([scope, m, *(s[k] for k in STATISTICS)] for m, s in figures.items() if m != "counts")
        yield from ([scope, what, "", "", "", n, ""] for what, n in figures.get("counts", {}).items())
