"""How masks say classes: by a threshold, by pixel value, or by colour."""

from collections.abc import Mapping

import numpy as np
from PIL import ImageColor

from dmf_cli.errors import ConfigError, LabelError

FAR = 128  # a pixel this far (in RGB) from every colour of the table is no blurred border, but another colour

Colour = tuple[int, int, int]


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
                f"dataset.values maps {key} to class {label} and dataset.classes has {classes}: "
                f"use 0 to {classes - 1}"
            )
    numbers = {key: label for key, label in table.items() if isinstance(key, int)}
    colours = {key: label for key, label in table.items() if isinstance(key, tuple)}
    if numbers and colours:
        raise _wrong(values)
    return numbers or None, colours or None


def by_value(pixels: np.ndarray, table: Mapping[int, int] | None, classes: int, where: object) -> np.ndarray:
    """Class of each pixel ``(H, W)`` by its value; ``(H, W)`` uint8.

    Args:
        pixels: of any type.
        table: value -> class; None: the values are the classes.
        classes: how many there are.
        where: what an error calls the mask.

    Raises:
        LabelError: a value that the table does not have.
    """
    table = table or {c: c for c in range(classes)}
    present, inverse = np.unique(pixels, return_inverse=True)
    unknown = [value for value in present.tolist() if value not in table]
    if unknown:
        raise LabelError(
            f"{where} holds the value {unknown[0]} and the dataset has {classes} classes "
            f"with values {sorted(table)}: set dataset.values or dataset.classes"
        )
    lookup = np.array([table[value] for value in present.tolist()], np.uint8)
    return lookup[inverse].reshape(pixels.shape)


def nearest(pixels: np.ndarray, table: Mapping[Colour, int], where: object) -> np.ndarray:
    """Class of each pixel ``(H, W, 3)`` by its nearest colour; ``(H, W)`` uint8.

    Borders that were smoothed are neither the one colour nor the other.

    Raises:
        LabelError: a colour that is near none of the table.
    """
    known = np.array(list(table), np.int32)
    present, inverse = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True)
    distance = ((present[:, None].astype(np.int32) - known) ** 2).sum(axis=-1)
    far = np.flatnonzero(distance.min(axis=1) > FAR**2)
    if len(far):
        found = "#" + bytes(present[far[0]].tolist()).hex()
        named = ", ".join("#" + bytes(colour).hex() for colour in table)
        raise LabelError(f"{where} holds the colour {found} and dataset.values has {named}: add it there")
    labels = np.array(list(table.values()), np.uint8)[distance.argmin(axis=1)]
    return labels[inverse.reshape(-1)].reshape(pixels.shape[:2])


def _key(key: int | str) -> int | Colour:
    if not isinstance(key, str) or key.lstrip("-").isdecimal():
        return int(key)
    red, green, blue = ImageColor.getrgb(key)[:3]
    return red, green, blue


def _wrong(values: object) -> ConfigError:
    return ConfigError(
        f"dataset.values is {values!r}: give pixel value and class index, as {{0: 0, 255: 1}}, or colours "
        "by name or as #rrggbb, as {black: 0, red: 1}"
    )
