"""The worst and best images of an evaluation as files, so that a report needs neither network nor dataset.

predictions/NAME_cases/cases.json     id, kind and Dice of each, and its files
                       01_image.png 01_truth.png 01_prediction.png     masks: the labels as grey values
"""

import dataclasses
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from dmf_cli import bounded, hints
from dmf_cli.errors import RunFolderError
from dmf_cli.files import disk_errors, flush, remove, write_atomic
from dmf_cli.run_folder import places

INDEX = "cases.json"
PARTS = ("image", "truth", "prediction")
_DAMAGED = (OSError, ValueError, KeyError, TypeError, SyntaxError, Image.DecompressionBombError)


@dataclasses.dataclass(frozen=True)
class Example:
    """One image with its masks, to look at.

    Args:
        id: of the image.
        kind: why it was chosen: a rank by foreground Dice (``best``, ``median``, ...), ``missed`` or ``false
            alarm``; of a case ``worst`` or ``best``.
        dice: of the foreground.
        image: ``(h, w, C)`` uint8; as read from a file ``(h, w)`` or ``(h, w, 3)``.
        truth: ``(h, w)`` uint8 labels.
        prediction: ``(h, w)`` uint8 labels.
    """

    id: str
    kind: str
    dice: float
    image: np.ndarray
    truth: np.ndarray
    prediction: np.ndarray


def write(folder: Path, examples: Sequence[Example]) -> None:
    """Write ``examples`` into ``folder``; what an earlier evaluation left there is replaced.

    Raises:
        RunFolderError: disk full, read-only, no permission; ``folder`` or a file in it is a link.
    """
    places.check_files(folder, inner=True)
    with disk_errors(folder):
        folder.mkdir(exist_ok=True)
        flush(folder.parent)
        pictures = [old for part in PARTS for old in folder.glob(f"[0-9][0-9]_{part}.png")]
    for old in (folder / INDEX, *pictures):
        remove(old)
    index = []
    for number, example in enumerate(examples, start=1):
        files = {part: f"{number:02}_{part}.png" for part in PARTS}
        for part, name in files.items():
            write_atomic(folder / name, _png(getattr(example, part)))
        dice = None if math.isnan(example.dice) else round(example.dice, 6)
        index.append({"id": example.id, "kind": example.kind, "dice": dice, **files})
    write_atomic(folder / INDEX, json.dumps(index, indent=1) + "\n")  # last: it vouches for the others


def read(folder: Path) -> list[Example]:
    """What :func:`write` wrote; empty where there is none (a run of an earlier version).

    Raises:
        RunFolderError: a file is missing or damaged.
    """
    if not (folder / INDEX).is_file():
        return []
    try:
        index = bounded.read_json(folder / INDEX)
        return [
            Example(
                str(one["id"]),
                str(one["kind"]),
                math.nan if one["dice"] is None else float(one["dice"]),
                *(_pixels(folder / Path(one[part]).name) for part in PARTS),
            )
            for one in index
        ]
    except _DAMAGED as error:
        again = f"`{hints.command('eval', folder.parent.parent)}` writes it again"
        why = f"cannot be read ({type(error).__name__})"
        raise RunFolderError(path=folder, reason=why, hint=again) from None


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    flat = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[-1] == 1 else pixels
    Image.fromarray(flat).save(buffer, format="png", optimize=True)
    return buffer.getvalue()


def _pixels(file: Path) -> np.ndarray:
    with bounded.opened(file, bounded.MOST) as stream, Image.open(stream, formats=["PNG"]) as image:
        return np.asarray(image)
