"""How masks say classes: by a threshold, by pixel value, or by colour."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import ImageColor

from dmf_cli.datasets.base import IGNORED, Colour, Ignored
from dmf_cli.errors import ConfigError, LabelError

VOID = 255  # what most label maps give to pixels of no class
SEVERAL = 32
# Distances in RGB. A uniform patch has a colour of the table, a border a mixture of two of them.
NEAR, LOSSY_NEAR = 24, 48
FAR = 96  # from every mixture of two; where three colours meet, some are further than from two
# In a JPEG a uniform patch is one of small steps, and a small one is an accident of its blocks.
STEP, LOSSY_PATCH = 8, 16
# "#" begins a comment in a shell and means nothing to Hydra; six digits alone may be a number.
_HEX = re.compile(r"(?:#|0x|(?=0|\d*[a-f]))([0-9a-f]{6})", re.IGNORECASE)


def split(
    values: Mapping[int | str, int], classes: int
) -> tuple[dict[int, int] | None, dict[Colour, int] | None]:
    """``dataset.values`` as (pixel value -> class) or (colour -> class); the other one is None.

    Args:
        values: from the config; ``{}`` gives (None, None).
        classes: how many there are.

    Raises:
        ConfigError: neither numbers nor colours, or a class that is not there.
    """
    try:
        table = {_key(key): int(label) for key, label in values.items()}
    except (AttributeError, TypeError, ValueError):
        raise _wrong(values) from None
    for key, label in values.items():
        if not 0 <= int(label) < classes:
            raise ConfigError(
                key="dataset.values",
                reason=f"maps {key} to class {label} and dataset.classes has {classes}",
                hint=f"use 0 to {classes - 1}",
            )
    numbers = {key: label for key, label in table.items() if isinstance(key, int)}
    colours = {key: label for key, label in table.items() if isinstance(key, tuple)}
    if numbers and colours:
        raise _wrong(values)
    return numbers or None, colours or None


def ignored(given: object, classes: int) -> Ignored:
    """``dataset.ignore`` as pixel values and colours; None gives nothing.

    Raises:
        ConfigError: neither numbers nor colours, or so many classes that a label would mean one of them.
    """
    if given is None:
        return Ignored()
    listed: list[Any] = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    try:
        keys = [_key(one) for one in listed if not isinstance(one, bool)]
    except (AttributeError, TypeError, ValueError):
        keys = []
    if not keys or len(keys) < len(listed):
        raise ConfigError(
            key="dataset.ignore",
            value=given,
            allowed="a pixel value, a colour by name or as 0xrrggbb, a list of these, or null",
        )
    if classes > IGNORED:
        raise ConfigError(
            key="dataset.ignore",
            value=given,
            reason=f"and there are {classes} classes",
            allowed=f"at most {IGNORED}",
        )
    return Ignored(
        tuple(key for key in keys if isinstance(key, int)),
        tuple(key for key in keys if isinstance(key, tuple)),
    )


def shown(ignore: Ignored) -> str:
    """``ignore`` as the user writes it: ``255``, or ``[254,0xff0000]``."""
    words = [*map(str, ignore.values), *(written(colour) for colour in ignore.colours)]
    return words[0] if len(words) == 1 else f"[{','.join(words)}]"


def leave_out(labels: np.ndarray, where: np.ndarray) -> np.ndarray:
    """``labels`` with ``IGNORED`` at ``where``."""
    return np.where(where, np.uint8(IGNORED), labels) if where.any() else labels


def by_value(
    pixels: np.ndarray,
    table: Mapping[int, int] | None,
    classes: int,
    where: object,
    ignore: Sequence[int] = (),
) -> np.ndarray:
    """Class of each pixel ``(H, W)`` by its value; ``(H, W)`` uint8.

    Args:
        pixels: of any type.
        table: value -> class; None: the values are the classes.
        classes: how many there are.
        where: what an error calls the mask.
        ignore: values whose pixels count nowhere.

    Raises:
        LabelError: a value that the table does not have.
    """
    table = {**(table or {c: c for c in range(classes)}), **dict.fromkeys(ignore, IGNORED)}
    present, inverse = np.unique(pixels, return_inverse=True)
    unknown = [value for value in present.tolist() if value not in table]
    if unknown:
        raise LabelError(
            path=str(where),
            reason=(
                f"holds the value {unknown[0]} and the dataset has {classes} classes with values "
                f"{sorted(table)}"
            ),
            hint=f"set dataset.values or dataset.classes{_advice(unknown, len(present))}",
        )
    lookup = np.array([table[value] for value in present.tolist()], np.uint8)
    return lookup[inverse].reshape(pixels.shape)


def coloured(where: object) -> LabelError:
    """The error for a mask of several classes whose colours nobody explains."""
    return LabelError(
        path=str(where),
        reason="is coloured",
        hint="say in dataset.values which colour is which class, as {black: 0, red: 1, 0x00ff00: 2}",
    )


def _advice(unknown: list[float], count: int) -> str:
    """What values that nobody expects mostly are."""
    if unknown == [VOID]:
        return f", or leave these pixels out by dataset.ignore={VOID}"
    return " (so many values are those of a JPEG or of soft edges)" if count > SEVERAL else ""


def nearest(
    pixels: np.ndarray,
    table: Mapping[Colour, int],
    where: object,
    *,
    lossy: bool = False,
    ignore: Sequence[Colour] = (),
) -> np.ndarray:
    """Class of each pixel ``(H, W, 3)`` by its nearest colour; ``(H, W)`` uint8.

    A pixel at a border may be a mixture of two colours of the table. A uniform patch is none: its colour is
    in the table, or one that the table lacks.

    Args:
        pixels: uint8.
        table: colour -> class.
        where: what an error calls the mask.
        ignore: colours whose pixels count nowhere.
        lossy: JPEG, whose colours may be anything at borders and are a little off elsewhere.

    Raises:
        LabelError: a colour that is none of the table, and no mixture of two of them.
    """
    table = {**table, **dict.fromkeys(ignore, IGNORED)}
    known = np.array(list(table), np.float32)
    codes = pack(pixels)
    present, inverse = np.unique(codes, return_inverse=True)
    inverse = inverse.reshape(codes.shape)
    colours = unpack(present).astype(np.float32)
    distance = np.linalg.norm(colours[:, None] - known, axis=-1)
    counts = np.bincount(inverse.ravel(), minlength=len(present))
    far = distance.min(axis=1) > (LOSSY_NEAR if lossy else NEAR)
    patches = np.bincount(inverse[flat(pixels, STEP if lossy else 0)], minlength=len(present)) * far
    wrong = patches > 0
    if lossy and patches.sum() < max(LOSSY_PATCH, codes.size // 1000):
        wrong[:] = False
    if not lossy:
        wrong |= _off_mixtures(colours, known) > FAR
    if wrong.any():
        worst = int(np.argmax(np.where(wrong, counts, 0)))
        named, colour = ", ".join(map(written, table)), written(colours[worst])
        raise LabelError(
            path=str(where),
            reason=f"holds the colour {colour} ({counts[worst]} pixels) and dataset.values has {named}",
            hint="add it there",
        )
    labels: np.ndarray = np.array(list(table.values()), np.uint8)[distance.argmin(axis=1)]
    return labels[inverse]


def flat(pixels: np.ndarray, step: int = 0) -> np.ndarray:
    """Where a pixel of ``(H, W, ...)`` differs from its four neighbours by ``step`` at most, ``(H, W)``.

    What lies outside is as what lies inside.
    """
    plane = pixels.reshape(*pixels.shape[:2], -1)
    plane = plane.astype(np.int16) if plane.dtype == np.uint8 else plane
    same = np.ones(plane.shape[:2], bool)
    down = (abs(plane[1:] - plane[:-1]) <= step).all(axis=-1)
    across = (abs(plane[:, 1:] - plane[:, :-1]) <= step).all(axis=-1)
    same[1:] &= down
    same[:-1] &= down
    same[:, 1:] &= across
    same[:, :-1] &= across
    return same


def pack(pixels: np.ndarray) -> np.ndarray:
    """Colours ``(..., 3)`` uint8 as one number each."""
    red, green, blue = (pixels[..., c].astype(np.int32) for c in range(3))
    return red << 16 | green << 8 | blue


def unpack(codes: np.ndarray) -> np.ndarray:
    """The inverse of :func:`pack`."""
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=-1).astype(np.uint8)


def written(colour: Iterable[int]) -> str:
    """A colour as it can be typed on a command line: ``0xff0000``."""
    return "0x" + bytes(int(value) for value in colour).hex()


def _off_mixtures(colours: np.ndarray, known: np.ndarray) -> np.ndarray:
    """How far each colour is from the nearest mixture of two colours of the table."""
    best: np.ndarray = np.linalg.norm(colours[:, None] - known, axis=-1).min(axis=1)
    for one in range(len(known)):
        for other in range(one):
            line = known[other] - known[one]
            share = np.clip((colours - known[one]) @ line / max(float(line @ line), 1e-6), 0, 1)
            best = np.minimum(best, np.linalg.norm(colours - known[one] - share[:, None] * line, axis=1))
    return best


def _key(key: int | str) -> int | Colour:
    if not isinstance(key, str):
        return int(key)
    digits = _HEX.fullmatch(key.strip())
    if digits:
        return _rgb("#" + digits[1])
    return int(key) if key.lstrip("-").isdecimal() else _rgb(key)


def _rgb(name: str) -> Colour:
    red, green, blue = ImageColor.getrgb(name)[:3]
    return red, green, blue


def _wrong(values: object) -> ConfigError:
    return ConfigError(
        key="dataset.values",
        value=values,
        allowed="pixel value and class index, as {0: 0, 255: 1}, or colours by name or as 0xrrggbb, as "
        "{black: 0, red: 1, 0x00ff00: 2}",
    )
