"""The one figure that a run is judged by: Dice of the lesion, or its mean over several classes.

With more than one class above 0 the Dice of their union hides a class that is never found, and counts a
malignant lesion that is said to be benign as found. So the headline is ``mean.dice`` there, and
``foreground.dice`` (the union) where there is one class. Runs of version 0.1 have no ``mean``; it is made of
their columns of each class where single images are known.
"""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dmf_cli import bounded
from dmf_cli.config import lengths
from dmf_cli.config.typed import Config
from dmf_cli.escapes import of_cell
from dmf_cli.metrics.summary import OF_ALL_CLASSES

MEAN, UNION = "mean", "foreground"
MONITORS = {MEAN: "val_mean_dice", UNION: "val_foreground_dice"}
OBJECTIVE = "val_objective"
CLASS_DICE = "val_dice."  # of one class, in epochs.csv
_OF_CLASSES = "class."
_COUNTS = ("lesions", "lesions_found")


def scope(known: Mapping[str, Any]) -> str:
    """``mean`` if the summary of a run, or the columns of its images, have it, else ``foreground``."""
    return MEAN if MEAN in known or f"{MEAN}.dice" in known else UNION


def metric(known: Mapping[str, Any]) -> str:
    """``mean.dice`` or ``foreground.dice``, of a summary or of the columns of its images."""
    return f"{scope(known)}.dice"


def monitor(classes: int) -> str:
    """What ``trainer.monitor=auto`` stands for.

    Args:
        classes: of the dataset, background included.
    """
    return MONITORS[MEAN if classes > 2 else UNION]


def class_column(name: str) -> str:
    """The column of ``epochs.csv`` with the validation Dice of the class ``name``: ``val_dice.benign``."""
    return f"{CLASS_DICE}{' '.join(name.split())}"


def automatic_monitor(config: Mapping[str, Any]) -> str:
    """What ``trainer.monitor=auto`` will stand for, by what the plain ``config`` says of its classes."""
    return monitor(lengths.planned_classes(config.get("dataset", {})) or 2)


def planned_monitor(config: Config) -> str:
    """The monitor of a run that is not begun, with ``auto`` resolved."""
    wanted = config.trainer.monitor
    return automatic_monitor(config.plain) if wanted == "auto" else wanted


def kept(best: Mapping[str, Any] | None) -> tuple[str, float | None]:
    """Figure and value that decided about the best epoch, of ``best`` in a status; ``("", None)`` if none."""
    figures = [(key, value) for key, value in (best or {}).items() if key != "epoch"]
    known = [(key, value) for key, value in figures if value is not None and not math.isnan(value)]
    return (known or figures or [("", None)])[0]


def with_mean(row: Mapping[str, str]) -> dict[str, str]:
    """A row of a table per image, as text, its id as it was, with the means over classes that version 0.1 did
    not write.
    """
    found = dict(row)
    if isinstance(row.get("id"), str):
        found["id"] = of_cell(row["id"])
    if any(key.startswith(f"{MEAN}.") for key in row):
        return found
    each: dict[str, list[tuple[str, float]]] = {}
    for key, value in row.items():
        if key and key.startswith(_OF_CLASSES) and isinstance(value, str):
            name, _, figure = key.removeprefix(_OF_CLASSES).rpartition(".")
            each.setdefault(figure, []).append((name, float(value or math.nan)))
    background = next(iter(each.get("dice", [])), ("", math.nan))[0]  # the first of the columns
    for figure, values in each.items():
        above = [value for name, value in values if name != background]
        if len(above) > 1 and figure not in (*OF_ALL_CLASSES, *_COUNTS):
            known = [value for value in above if not math.isnan(value)]
            found[f"{MEAN}.{figure}"] = str(sum(known) / len(known)) if known else "nan"
    return found


def of_files(files: Sequence[Path]) -> str:
    """The metric for several tables per image: ``mean.dice`` if all that can be read have it."""
    columns = [row for row in map(_first_row, files) if row]
    return metric(columns[0]) if len({scope(row) for row in columns}) == 1 else f"{UNION}.dice"


def _first_row(file: Path) -> dict[str, str]:
    try:
        with bounded.opened_text(file) as stream:
            return with_mean(next(csv.DictReader(stream), {}))
    except (OSError, ValueError, csv.Error):
        return {}
