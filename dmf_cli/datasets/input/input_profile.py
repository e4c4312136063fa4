"""What network inputs of the training looked like; `dmf predict` and `dmf eval` say which images differ.

Four figures an image, after normalisation: what the network sees. Kept in the run as ``inputs.json``.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dmf_cli import bounded
from dmf_cli.datasets.base import Dataset
from dmf_cli.datasets.finding import Finding
from dmf_cli.datasets.input.prepared import CHUNK, InputPart
from dmf_cli.datasets.input_spec import InputSpec
from dmf_cli.datasets.sources import image_report
from dmf_cli.files import write_atomic

NAMES = ("mean", "deviation", "dark", "bright")  # the latter two without 1 % of the pixels
log = logging.getLogger("dmf")
SCORED = 64  # images of another dataset that are looked at before they are scored
IMAGES = 512  # that are looked at; more say nothing new
# How far beyond all training images is unlike: a share of their span, and of their usual deviation. Of BUSI's
# images some 2 in 1000 lie there when two thirds of the others are the training images.
SPAN, DEVIATION = 0.25, 0.25
Note = Mapping[str, Any]


def figures(image: np.ndarray) -> np.ndarray:
    """``NAMES`` of a network input ``(h, w, C)``; float64 ``(4,)``."""
    dark, bright = np.percentile(image, (1, 99))
    return np.array([image.mean(dtype=np.float64), image.std(dtype=np.float64), dark, bright])


def _looked_at(part: InputPart) -> tuple[list[int], np.ndarray]:
    """Rows of the images that are looked at, evenly spread, and their figures ``(n, 4)``."""
    rows = np.unique(np.linspace(0, len(part) - 1, min(len(part), IMAGES)).round().astype(int))
    chunks = (part.rows(rows[start : start + CHUNK])[0] for start in range(0, len(rows), CHUNK))
    return rows.tolist(), np.stack([figures(image) for chunk in chunks for image in chunk])


def describe(part: InputPart) -> dict[str, Any]:
    """The range of each figure over the training images, JSON-able."""
    rows, values = _looked_at(part)
    ends = zip(NAMES, values.min(axis=0).tolist(), values.max(axis=0).tolist(), strict=True)
    return {
        "images": len(rows),
        "usual_deviation": float(np.median(values[:, 1])),
        "range": {name: [round(low, 6), round(high, 6)] for name, low, high in ends},
    }


def dark(part: InputPart, normalize: str) -> list[Finding]:
    """Training images that use a small part of the grey range, see :func:`image_report.dark`."""
    if normalize != "unit":
        return []
    rows, values = _looked_at(part)
    return image_report.dark([part.ids[row] for row in rows], 255.0 * values[:, 2:], normalize)


def unlike(note: Note, image: np.ndarray) -> str | None:
    """What of a network input lies far from all training images, in words; None: nothing."""
    for name, value in zip(NAMES, figures(image).tolist(), strict=True):
        low, high = note["range"][name]
        slack = SPAN * (high - low) + DEVIATION * note["usual_deviation"]
        if not low - slack <= value <= high + slack:
            return f"{name} {value:.3g}, in training {low:.3g} to {high:.3g}"
    return None


def warn_unlike(note: Note, dataset: Dataset, spec: InputSpec) -> None:
    """Warn if images that are scored look otherwise than those of the training, as other grey values do.

    Args:
        note: of the training.
        dataset: whose images are scored; ``SCORED`` of them, evenly spread, are looked at.
        spec: of the network's inputs.
    """
    rows = np.unique(np.linspace(0, len(dataset) - 1, min(len(dataset), SCORED)).round().astype(int))
    reasons = {dataset.ids[i]: unlike(note, spec.image(dataset.load(i).image)[0]) for i in rows.tolist()}
    odd = [f"{name}: {why}" for name, why in reasons.items() if why]
    if odd:
        log.warning(
            "%d of %d images that were looked at are unlike those of the training (first %s): if their grey "
            "values are on another scale, set dataset.range",
            *(len(odd), len(rows), odd[0]),
        )


def write(path: Path, part: InputPart) -> None:
    """Keep the note of ``part`` at ``path``."""
    write_atomic(path, json.dumps(describe(part), indent=1) + "\n")


def read(path: Path) -> Note | None:
    """The note at ``path``; None for runs that have none, or none that can be read."""
    try:
        note = bounded.read_json(path)
        float(note["usual_deviation"])
        return note if all(_is_range(note["range"][name]) for name in NAMES) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_range(ends: Sequence[float]) -> bool:
    low, high = (float(end) for end in ends)
    return low <= high
