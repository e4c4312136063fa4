"""One look at the values of all masks of a dataset: what they code, and whether the config reads them so.

A mask of two classes should hold two values. Others are soft edges (JPEG, antialiasing), which have a
threshold at half their maximum, or something that two classes cannot say: three grey values, class
indices, several colours, void pixels.
"""

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from PIL import Image

from dmf_cli.datasets.base import Ignored
from dmf_cli.datasets.finding import Finding
from dmf_cli.datasets.sources import label_coding
from dmf_cli.datasets.sources.mask_planes import INDICES, JPEG, colours, plane

TOP = 128  # from here on values a sixteenth below the maximum are the maximum: 254 and 255
FLAT = 0.25  # share of the pixels between the extremes that lie in uniform patches: values, not edges
SATURATED, HUE = 96, 0.1  # what makes a pixel of a JPEG coloured, and the least share of a colour
NAMED = 6  # values in a message


@dataclasses.dataclass(frozen=True)
class Facts:
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


def facts(image: Image.Image, name: str, ignore: Ignored | None = None) -> Facts:
    """What the mask ``image`` holds, without the pixels in ``ignore``."""
    values = plane(image, keep_indices=False)
    codes, typed = _codes(image, values)
    kept = ~void(image, ignore or Ignored())
    if not kept.any():
        return Facts(name, "hard", (), 0, 0, (0, 0))
    grey = values[kept]
    top = float(grey.max())
    areas = int((grey > 0).sum()), int((grey > top / 2).sum())
    lossy = image.format in JPEG
    hues = _hues(colours(image)) if lossy and image.mode == "RGB" else []
    if hues:
        kind, told = ("labels" if len(hues) > 1 else "soft"), tuple(hues)
    else:
        kind, plain = _kind(codes, kept, values, lossy)
        told = tuple(typed(code) for code in plain[:INDICES])
    return Facts(name, kind, told, float(grey.min()), top, areas)


def void(image: Image.Image, ignore: Ignored) -> np.ndarray:
    """Where a mask holds a value, palette index or colour of ``ignore``, ``(H, W)``."""
    where = np.isin(plane(image, keep_indices=True), ignore.values)
    if ignore.colours:
        where = where | np.isin(
            label_coding.pack(colours(image)), label_coding.pack(np.array(ignore.colours, np.uint8))
        )
    return where


def threshold(found: Sequence[Facts]) -> float:
    """Foreground is above it: 0 for hard masks, half of the largest value if some masks are soft."""
    soft = [fact.top for fact in found if fact.kind == "soft"]
    return max(soft) / 2 if soft else 0.0


def foreground(
    values: np.ndarray, level: float, *, lossy: bool, counted: np.ndarray | None = None
) -> np.ndarray:
    """Where a mask of two classes is foreground, by the ``threshold`` of its dataset.

    Among soft masks, a mask of two values is hard all the same, whatever its scale. ``counted``: pixels that
    are not left out; None: all.
    """
    seen = values if counted is None else values[counted]
    if level and not lossy and seen.size:
        low, high = seen.min(), seen.max()
        if not ((seen > low) & (seen < high)).any():
            level = float(low) if low < high else 0.0
    return values > level


def remarks(found: Sequence[Facts], classes: Sequence[str], given: float | None) -> list[Finding]:
    """What is wrong or doubtful about the masks of two classes.

    Args:
        found: of all masks.
        classes: names.
        given: ``dataset.threshold`` where the config says one, else None: then what two classes cannot say
            is an error.
    """
    first = [_labels(found, classes, given), _never_zero(found, given)]
    several = first if any(first) else [_unlike(found, given)]
    made = [remark for remark in (*several, _soft(found, given)) if remark]
    return [remark for remark in made if remark.is_error] or made


def _labels(found: Sequence[Facts], classes: Sequence[str], given: float | None) -> Finding | None:
    maps = [fact for fact in found if fact.kind == "labels"]
    if not maps:
        return None
    seen = _in_order({value for fact in maps for value in fact.values})
    read = f"all above {given:g} are {classes[1]}" if given is not None else "dataset.classes has two"
    text = (
        f"{len(maps)} of {len(found)} masks hold several values, as {maps[0].name}: {_list(seen)}; {read}: "
        f"{_what_to_do(seen)}"
    )
    kind = "mask values" if given is None else "doubtful values"
    return Finding(kind, _names(maps), text)


def _what_to_do(seen: Sequence[str]) -> str:
    void = str(label_coding.VOID)
    rest = [value for value in seen if value != void]
    others = [value for value in seen if value not in ("0", "0x000000")]
    if void in seen and all(value.isdecimal() and int(value) < INDICES for value in rest):
        return (
            f"leave the pixels of no class out by dataset.ignore={void}, or give each value in dataset.values"
        )
    zero = "0x000000:0," if seen[-1].startswith("0x") else "0:0,"
    pairs = ",".join(f"{value}:{label}" for label, value in enumerate(others[:NAMED], 1))
    one = ",".join(f"{value}:1" for value in others[:NAMED])
    return (
        f"for several classes set dataset.classes and 'dataset.values={{{zero}{pairs}}}', for one "
        f"'dataset.values={{{zero}{one}}}'"
    )


def _never_zero(found: Sequence[Facts], given: float | None) -> Finding | None:
    """Classes that are counted from 1: everything would be lesion."""
    values = {value for fact in found for value in fact.values}
    lows = [fact.low for fact in found]
    if given or not lows or min(lows) <= 0 or len(values) < 2 or any(f.kind == "labels" for f in found):
        return None
    seen = _in_order(values)
    table = f"'dataset.values={{{seen[0]}:0,{seen[-1]}:1}}'"
    text = f"no mask holds the value 0, they hold {_list(seen)}: set {table}"
    return Finding("mask values", _names(found), text)


def _soft(found: Sequence[Facts], given: float | None) -> Finding | None:
    soft = [fact for fact in found if fact.kind == "soft"]
    if not soft or given:
        return None
    wide, half = (sum(fact.areas[k] for fact in soft) for k in (0, 1))
    level = threshold(found) if given is None else given
    grown = f"{100 * (wide / half - 1):.0f} % larger" if half else "everywhere"
    text = f"{len(soft)} of {len(found)} masks have soft edges (JPEG or antialiased), as {soft[0].name}: "
    if given is None:
        text += f"foreground is above {level:g}, half of the maximum; above 0 it would be {grown}"
    else:
        text += f"above dataset.threshold=0 foreground is {grown} than above half of the maximum: "
        text += "set dataset.threshold=auto"
    return Finding("soft masks", _names(soft), text)


def _unlike(found: Sequence[Facts], given: float | None) -> Finding | None:
    """Two values in each mask, but others in other masks: 1 here, 2 there; red here, green there."""
    ends = {fact: max(fact.values, key=_order) for fact in found if fact.top > 0 and fact.values}
    # Half of the maximum would take from the darker colour.
    soft = {end for fact, end in ends.items() if fact.kind == "soft" and end.startswith("0x")}
    count = Counter(end for fact, end in ends.items() if fact.kind == "hard" or end in soft)
    if len(_merged(count)) < 2:
        return None
    said = ", ".join(f"{value} in {number}" for value, number in count.most_common(NAMED))
    text = f"masks say foreground by different values ({said}), which dataset.classes reads as one class: "
    text += _what_to_do(_in_order({value for fact in ends for value in fact.values}))
    certain = len(soft) > 1 and given is None
    return Finding("mask values" if certain else "doubtful values", _names(ends), text)


def _merged(values: Iterable[str]) -> set[str]:
    """Without those that are nearly the largest one."""
    plain = set(values)
    numbers = [float(value) for value in plain if not value.startswith("0x")]
    top = max(numbers, default=0.0)
    near = {v for v in plain if not v.startswith("0x") and top >= TOP and float(v) >= top - top // 16}
    return plain - near | ({str(top)} if near else set())


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


def _names(found: Iterable[Facts]) -> tuple[str, ...]:
    return tuple(fact.name for fact in found)


def _order(value: str) -> float:
    return int(value, 16) if value.startswith("0x") else float(value)


def _in_order(values: Iterable[str]) -> list[str]:
    return sorted(values, key=_order)


def _list(values: Sequence[str]) -> str:
    return " ".join(values[:NAMED]) + (f" and {len(values) - NAMED} more" if len(values) > NAMED else "")
