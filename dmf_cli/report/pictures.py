"""The images of a report: each once, with a thin mask for the truth and one for the prediction."""

import base64
import dataclasses
import io
import math
from collections.abc import Mapping, Sequence

import numpy as np

from dmf_cli.figures import palette
from dmf_cli.report.table import parsed
from dmf_cli.run_folder.cases import Example

PICTURE_SIDE = 360  # pixels a side in the report; the folder has them larger
QUALITY = 84


@dataclasses.dataclass(frozen=True)
class Picture:
    """One image with its masks as data URIs.

    Args:
        id: of the image.
        kind: ``worst`` or ``best``.
        title: what happened to it: ``missed``, ``false alarm``, ``no overlap`` or ``found``.
        facts: Dice and sizes in words.
        image: JPEG.
        truth: PNG, transparent outside the lesion.
        prediction: PNG, likewise.
        height: pixels.
        width: pixels.
        start: where the slider stands at first, percent of the width.
    """

    id: str
    kind: str
    title: str
    facts: str
    image: str
    truth: str
    prediction: str
    height: int
    width: int
    start: int


def pictures(cases: Sequence[Example], rows: Sequence[Mapping[str, str]], classes: int = 2) -> list[Picture]:
    """``cases`` in their order, worst first.

    Args:
        cases: of one evaluation.
        rows: its table per image, for the numbers under each.
        classes: background included; several have their colours on both sides of the slider.
    """
    known = {row["id"]: row for row in rows}
    return [_picture(case, known.get(case.id, {}), classes) for case in cases]


def _picture(case: Example, row: Mapping[str, str], classes: int) -> Picture:
    step = max(1, math.ceil(max(case.truth.shape[:2]) / PICTURE_SIDE))
    image, truth, prediction = (part[::step, ::step] for part in (case.image, case.truth, case.prediction))
    return Picture(
        case.id,
        case.kind,
        row.get("outcome", "").replace("_", " ") or case.kind,
        _facts(case, row),
        _jpeg(_smooth(case.image, step, image)),
        _mask(truth, palette.outlines(classes, palette.TRUTH)),
        _mask(prediction, palette.outlines(classes, palette.PREDICTION)),
        truth.shape[0],
        truth.shape[1],
        start(truth, prediction),
    )


def start(truth: np.ndarray, prediction: np.ndarray) -> int:
    """Where a slider shows most of both: the truth on its left, the prediction on its right; in percent."""
    left = np.concatenate([[0], np.cumsum((truth > 0).sum(axis=0))])
    right = np.concatenate([np.cumsum((prediction > 0).sum(axis=0)[::-1])[::-1], [0]])
    seen = (left + 1.0) * (right + 1.0)
    best = np.flatnonzero(seen == seen.max()) * 100.0 / truth.shape[1]
    return round(float(best[np.argmin(np.abs(best - 50.0))]))


def _facts(case: Example, row: Mapping[str, str]) -> str:
    said = ["Dice undefined" if math.isnan(case.dice) else f"Dice {case.dice:.3f}"]
    for name, column in (("truth", "lesion_pixels"), ("prediction", "predicted_pixels")):
        pixels = parsed(row.get(column))
        if not math.isnan(pixels):
            said.append(f"{name} {pixels:,.0f} px")
    return ", ".join(said)


def _smooth(image: np.ndarray, step: int, thinned: np.ndarray) -> np.ndarray:
    """Scaled down by its means, so that speckle does not alias; masks keep exact pixels."""
    if step == 1:
        return image
    from PIL import Image

    size = (thinned.shape[1], thinned.shape[0])
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))


def _jpeg(image: np.ndarray) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="jpeg", quality=QUALITY, optimize=True)
    return _uri(buffer, "jpeg")


def _mask(labels: np.ndarray, colours: Sequence[str]) -> str:
    """Each class in its colour: its border opaque, its inside a tint, as PNG with a palette."""
    from PIL import Image

    border = _border(labels)
    indices = np.where(labels > 0, 1 + 2 * ((labels.astype(int) - 1) % len(colours)) + border, 0)
    colours_of, opacity = [0, 0, 0], [0]
    for colour in colours:
        colours_of += [*palette.rgb(colour)] * 2
        opacity += [70, 255]
    size = (labels.shape[1], labels.shape[0])
    picture = Image.frombytes("P", size, indices.astype(np.uint8).tobytes())
    picture.putpalette(colours_of)
    buffer = io.BytesIO()
    picture.save(buffer, format="png", transparency=bytes(opacity), optimize=True)
    return _uri(buffer, "png")


def _border(labels: np.ndarray) -> np.ndarray:
    """Pixels of a class with a neighbour of another one."""
    padded = np.pad(labels, 1, mode="constant")
    around = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    border: np.ndarray = (labels > 0) & np.any([side != labels for side in around], axis=0)
    return border


def _uri(buffer: io.BytesIO, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
