"""What the values of one mask code: two classes, several, or edges between two."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from dmf_cli.datasets.base import Ignored
from dmf_cli.datasets.sources import label_coding
from dmf_cli.datasets.sources.mask_planes import INDICES, JPEG, colours, plane

TOP = 128  # from here on values a sixteenth below the maximum are the maximum: 254 and 255
FLAT = 0.25  # share of the pixels between the extremes that lie in uniform patches: values, not edges
SATURATED, HUE = 96, 0.1  # what makes a pixel of a JPEG coloured, and the least share of a colour


@dataclasses.dataclass(frozen=True)
class MaskFacts:
    """What one mask file holds.

    Args:
        name: of the file.
        kind: ``hard`` (at most two values), ``labels`` (more, in patches), ``soft`` (edges between two).
        values: those that are no edge, as they are typed in ``dataset.values``.
        low: the smallest.
        top: the largest.
        areas: pixels above 0, and above half of ``top``.
    """

    name: str
    kind: str
    values: tuple[str, ...]
    low: float
    top: float
    areas: tuple[int, int]


def facts(image: Image.Image, name: str, ignore: Ignored | None = None) -> MaskFacts:
    """What the mask ``image`` holds, without the pixels in ``ignore``."""
    values = plane(image, keep_indices=False)
    codes, typed = _codes(image, values)
    kept = ~void(image, ignore or Ignored())
    if not kept.any():
        return MaskFacts(name, "hard", (), 0, 0, (0, 0))
    grey = values[kept]
    top = float(grey.max())
    areas = int((grey > 0).sum()), int((grey > top / 2).sum())
    lossy = image.format in JPEG
    hues = _hues(colours(image)) if lossy and image.mode == "RGB" else []
    if hues:
        kind, shown = ("labels" if len(hues) > 1 else "soft"), tuple(hues)
    else:
        kind, plain = _kind(codes, kept, values, lossy)
        shown = tuple(typed(code) for code in plain[:INDICES])
    return MaskFacts(name, kind, shown, float(grey.min()), top, areas)


def void(image: Image.Image, ignore: Ignored) -> np.ndarray:
    """Where a mask holds a value, palette index or colour of ``ignore``, ``(H, W)``."""
    where = np.isin(plane(image, keep_indices=True), ignore.values)
    if ignore.colours:
        where = where | np.isin(
            label_coding.pack(colours(image)), label_coding.pack(np.array(ignore.colours, np.uint8))
        )
    return where


def threshold(found: Sequence[MaskFacts]) -> float:
    """Foreground is above it: 0 for hard masks, half of the largest value if some masks are soft."""
    soft = [fact.top for fact in found if fact.kind == "soft"]
    return max(soft) / 2 if soft else 0.0


def foreground(
    values: np.ndarray, level: float, *, lossy: bool, counted: np.ndarray | None = None
) -> np.ndarray:
    """Where a mask of two classes is foreground, by the ``threshold`` of its dataset.

    Among soft masks, a mask of two values is hard all the same, whatever its scale. ``counted``: pixels that
    are kept; None: all.
    """
    seen = values if counted is None else values[counted]
    if level and not lossy and seen.size:
        low, high = seen.min(), seen.max()
        if not ((seen > low) & (seen < high)).any():
            level = float(low) if low < high else 0.0
    return values > level


def _codes(image: Image.Image, values: np.ndarray) -> tuple[np.ndarray, Callable[[float], str]]:
    """The numbers by which pixels differ, and how one is typed: grey values, palette indices or colours."""

    def number(code: float) -> str:
        return f"{code:g}"

    if image.mode == "P" and "transparency" not in image.info:
        used = np.unique(np.asarray(image))
        palette = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
        shown = palette[used[used < len(palette)]]
        return (values if (shown == shown[:, :1]).all() else np.asarray(image)), number
    if image.mode in ("RGB", "RGBA") and values.dtype == np.uint8:
        pixels = colours(image)
        if (
            (pixels != pixels[..., :1]).any()
            and values.max(initial=0) >= INDICES
            and image.format not in JPEG
        ):
            return label_coding.pack(pixels), lambda code: label_coding.written(
                label_coding.unpack(np.array([int(code)]))[0]
            )
    return values, number


def _kind(codes: np.ndarray, kept: np.ndarray, values: np.ndarray, lossy: bool) -> tuple[str, list[float]]:
    """``hard``, ``labels`` or ``soft``, and the codes that are no edge."""
    present, inverse = np.unique(codes, return_inverse=True)
    inverse = inverse.reshape(codes.shape)
    counts = np.bincount(inverse[kept], minlength=len(present))
    uniform = np.bincount(inverse[kept & label_coding.flat(codes)], minlength=len(present))
    seen = counts > 0
    if codes is values:
        low, top = present[seen].min(), present[seen].max()
        ends = (present == low) | (present >= (top - top // 16 if top >= TOP else top))
    else:  # colours and indices have no order: the two most frequent ones are the ends
        ends = np.isin(np.arange(len(present)), np.argsort(-uniform - counts / counts.sum())[:2])
    middle = seen & ~ends
    if not middle.any():
        return "hard", present[seen].tolist()
    whole = np.issubdtype(codes.dtype, np.integer)
    small = whole and codes is values and present[seen].max() < INDICES
    patches = uniform[middle].sum() >= FLAT * counts[middle].sum() and seen.sum() <= INDICES
    if not lossy and (small or patches):
        return "labels", present[seen & (ends | (uniform > 0) | small)].tolist()
    return "soft", present[seen & ends].tolist()[:: max(1, int((seen & ends).sum()) - 1)]


def _hues(pixels: np.ndarray) -> list[str]:
    """The strong colours of a JPEG, as which of red, green and blue are bright; one is no several."""
    high, low = pixels.max(axis=-1).astype(int), pixels.min(axis=-1)
    strong = pixels[high - low >= SATURATED]
    if not len(strong):
        return []
    bright = (strong > (strong.max(axis=-1, keepdims=True) // 2)).astype(np.uint8) * 255
    count = Counter(label_coding.pack(bright).tolist())
    codes = sorted(code for code, number in count.items() if number >= HUE * len(strong))
    return [label_coding.written(label_coding.unpack(np.array([code]))[0]) for code in codes]
