"""The first thing in which a run that was trained again differs from what was recorded of it."""

import csv
import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from dmf_cli import bounded
from dmf_cli.datasets.splits.division import PARTS
from dmf_cli.files import disk_errors
from dmf_cli.run_folder.csv_log import Columns

Kind = Literal["file", "image", "step", "epoch", "weights"]
ABSENT = "absent"
NOT_COMPARED = ("seconds",)  # how long an epoch took


@dataclasses.dataclass(frozen=True)
class Mismatch:
    """What differs.

    Args:
        kind: of the thing.
        name: which one: a number of a step or an epoch, the id of an image, a file.
        what: of it: a column, a part of the split; may be empty.
        recorded: its value in the run.
        again: its value now.
    """

    kind: Kind
    name: str
    what: str
    recorded: str
    again: str

    def __str__(self) -> str:
        of = f"{self.what} " if self.what else ""
        return f"{self.kind} {self.name}: {of}is {self.again} and was {self.recorded}"


def near(recorded: float, again: float, tolerance: float) -> bool:
    """Whether two numbers are equal; with a ``tolerance``, whether they differ by no more than it.

    It is absolute up to 1 and relative above. Two undefined numbers (NaN) are equal.
    """
    if math.isnan(recorded) or math.isnan(again) or math.isinf(recorded) or math.isinf(again):
        return recorded == again or (math.isnan(recorded) and math.isnan(again))
    return abs(recorded - again) <= tolerance * max(1.0, abs(recorded))


def of_split(recorded: Mapping[str, Any], again: Mapping[str, Any]) -> Mismatch | None:
    """The first image with another content, or in another part of the split."""
    contents, now = recorded.get("hashes") or {}, again.get("hashes") or {}
    for image in sorted({*contents, *now}):
        if contents.get(image) != now.get(image):
            values = contents.get(image, ABSENT), now.get(image, ABSENT)
            return Mismatch("image", image, "its content (SHA-256)", *map(str, values))
    before, after = _parts(recorded), _parts(again)
    for image in sorted({*before, *after}):
        if before.get(image) != after.get(image):
            values = before.get(image, ABSENT), after.get(image, ABSENT)
            return Mismatch("image", image, "its part of the split", *values)
    if recorded.get("fingerprint") != again.get("fingerprint"):
        prints = str(recorded.get("fingerprint")), str(again.get("fingerprint"))
        return Mismatch("file", "split.json", "the fingerprint of the images", *prints)
    return None


def _parts(split: Mapping[str, Any]) -> dict[str, str]:
    return {str(image): part for part in PARTS for image in split.get(part) or ()}


def of_rows(
    kind: Literal["step", "epoch"], recorded: Columns, again: Columns, tolerance: float, rows: int
) -> Mismatch | None:
    """The first value that differs in the first ``rows`` rows of ``steps.csv`` or ``epochs.csv``."""
    names = [name for name in recorded if name not in NOT_COMPARED]
    file = f"{kind}s.csv"
    for name in names:
        if name not in again:
            return Mismatch("file", file, f"column {name}", "there", ABSENT)
    counts = [min(rows, len(next(iter(columns.values()), []))) for columns in (recorded, again)]
    for i in range(min(counts)):
        for name in names:
            if not near(recorded[name][i], again[name][i], tolerance):
                values = f"{recorded[name][i]:.9g}", f"{again[name][i]:.9g}"
                return Mismatch(kind, f"{recorded[kind][i]:g}", name, *values)
    if counts[0] != counts[1]:
        return Mismatch("file", file, "the number of rows", *map(str, counts))
    return None


def of_scores(recorded: Path, again: Path, tolerance: float) -> Mismatch | None:
    """The first image of ``test_per_image.csv`` with another score."""
    before, after = (dict(_by_image(file)) for file in (recorded, again))
    for image, row in before.items():
        if image not in after:
            return Mismatch("image", image, "its row of scores", "there", ABSENT)
        for name, value in row.items():
            now = after[image].get(name, ABSENT)
            if value != now and not _near_text(value, now, tolerance):
                return Mismatch("image", image, name, value or "undefined", now or "undefined")
    if new := [image for image in after if image not in before]:
        return Mismatch("image", new[0], "its row of scores", ABSENT, "there")
    return None


def count_scores(file: Path) -> int:
    """Images that have a row of scores."""
    return sum(1 for _ in _by_image(file))


def _by_image(file: Path) -> Iterator[tuple[str, dict[str, str]]]:
    with disk_errors(file, "read"), bounded.opened_text(file) as stream:
        for row in csv.DictReader(stream):
            yield str(row.pop("id", "")), {str(name): str(value or "") for name, value in row.items()}


def _near_text(recorded: str, again: str, tolerance: float) -> bool:
    try:
        return near(float(recorded or "nan"), float(again or "nan"), tolerance)
    except ValueError:
        return False


def first(found: Sequence[Mismatch | None]) -> Mismatch | None:
    """The first that is one."""
    return next((one for one in found if one is not None), None)
