"""Grey values of image files, with all the depth that the files have.

Everywhere in this package black is 0 and white is 255. What a file holds in 8 bits stays uint8; deeper values
are float32 on the same scale, so that the 4096 levels of a scanner are 4096 levels when they are normalised.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from dmf_cli import bounded
from dmf_cli.datasets.sources.suffixes import FORMATS
from dmf_cli.errors import UnreadableError

Range = tuple[float, float]
_WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R 601, as Pillow's
_BITS, _PHOTOMETRIC, _FORMAT, _COMPRESSION = 258, 262, 339, 259  # tags of TIFF
_SIGNED = 2
# Raw modes of colours in 16 bits, of which Pillow keeps 8; and those that give the other 8.
_OTHER = {"16B": "16L", "16L": "16B", "16N": "16B"}


class Values(NamedTuple):
    """What a file holds.

    Args:
        pixels: ``(H, W)`` or ``(H, W, 3)``, any type.
        black: value that the file's type, or its header, calls black.
        white: value that it calls white.
    """

    pixels: np.ndarray
    black: float
    white: float


def scaled(values: Values, wanted: Range | None) -> np.ndarray:
    """``pixels`` with black at 0 and white at 255, float32; values beyond ``wanted`` are cut off."""
    black, white = wanted or (values.black, values.white)
    grey = (values.pixels.astype(np.float32) - np.float32(black)) / np.float32(white - black)
    return (np.clip(grey, 0.0, 1.0) if wanted else grey) * np.float32(255.0)


def as_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """``(H, W)`` or ``(H, W, 1 or 3)`` as ``(H, W, channels)`` of the same type; colours become grey."""
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    if pixels.shape[-1] == channels:
        return np.ascontiguousarray(pixels)
    if channels == 3:
        return np.repeat(pixels, 3, axis=-1)
    if pixels.dtype == np.uint8:
        return np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).convert("L"))[..., None]
    return (pixels @ _WEIGHTS)[..., None].astype(np.float32)


def too_large(path: Path | str, width: int, height: int, max_pixels: int) -> UnreadableError:
    """The error for an image that is larger than ``dataset.max_pixels``."""
    reason = f"is {width}x{height}, {width * height} pixels, and dataset.max_pixels is {max_pixels}"
    return UnreadableError(path=path, reason=reason, hint="make it smaller, or raise the limit")


def shown(image: np.ndarray) -> np.ndarray:
    """An image ``(H, W, C)`` as uint8 to look at: deeper values are spread over their own range."""
    if image.dtype == np.uint8:
        return image
    low, high = float(image.min()), float(image.max())
    return ((image - low) * (255.0 / max(high - low, 1e-6))).astype(np.uint8)


def deep_mode(image: Image.Image) -> str | None:
    """The raw mode of colours in 16 bits; asked before Pillow decodes them, and drops 8 of the bits."""
    tiles = [tile[3] for tile in getattr(image, "tile", ())]
    raw = tiles[0] if tiles else ""
    raw = raw if isinstance(raw, str) else raw[0]
    deep = isinstance(raw, str) and ";16" in raw and not image.mode.startswith("I")
    if image.format == "PPM" and image.mode == "RGB" and tiles and isinstance(tiles[0], tuple):
        return "PPM" if int(tiles[0][1]) > 255 else None
    return raw if deep else None


def deep_colours(image: Any, path: Path, raw: str) -> np.ndarray:
    """All 16 bits, ``(H, W)`` or ``(H, W, 3)``, of an image that is opened and not decoded yet.

    Pillow decodes colours of 16 bits to their upper 8. Told that the bytes stand the other way round, it
    gives the lower 8.

    Raises:
        UnreadableError: a form that this does not work for.
    """
    base, _, order = raw.partition(";")
    if raw == "LA;16B":  # four bytes a pixel, like RGBA in 8 bits
        image._mode = "RGBA"
        image.tile = [_turned(tile, "RGBA") for tile in image.tile]
        bytes_of = np.asarray(image).astype(np.uint16)
        return bytes_of[..., 0] * 256 + bytes_of[..., 1]
    if base not in ("RGB", "RGBA", "RGBX") or order not in _OTHER:
        raise UnreadableError(
            path=path, reason="holds colours in 16 bits in a rare form", hint="save it as PNG"
        )
    upper = np.asarray(image)[..., :3].astype(np.uint16)
    again: Any
    with bounded.opened(path) as file, Image.open(file, formats=FORMATS) as again:
        again.tile = [_turned(tile, f"{base};{_OTHER[order]}") for tile in again.tile]
        whole: np.ndarray = upper * 256 + np.asarray(again)[..., :3]
    return whole


def grey_values(image: Image.Image, path: Path) -> Values | None:
    """Values of a decoded image of one channel and more than 8 bits; None for all others.

    Raises:
        UnreadableError: Pillow decodes it wrongly.
    """
    tags: Any = getattr(image, "tag_v2", {})
    if image.mode.startswith("I;16"):
        white = 2.0 ** tags.get(_BITS, (16,))[0] - 1
        pixels = np.asarray(image)
        return Values(white - pixels if tags.get(_PHOTOMETRIC) == 0 else pixels, 0.0, white)
    if image.mode not in ("I", "F"):
        return None
    pixels = np.asarray(image)
    if image.format == "TIFF" and tags.get(_BITS) == (16,) and tags.get(_FORMAT, (1,))[0] == _SIGNED:
        if image.tag_v2.prefix == b"MM" and tags.get(_COMPRESSION, 1) != 1:  # type: ignore[attr-defined]
            raise UnreadableError(
                path=path,
                reason="holds compressed signed values, most significant byte first, which Pillow misreads",
                hint="save it uncompressed",
            )
        return Values(pixels, -32768.0, 32767.0)
    if image.mode == "I" and image.format == "PPM":
        white = float(image.info.get("maxval", 65535))  # Pillow has spread them over 16 bits
        return Values(pixels * (white / 65535.0), 0.0, white)
    if image.mode == "I" and image.format in ("PNG", "JPEG2000"):
        return Values(pixels, 0.0, 65535.0)
    return Values(pixels, 0.0, 0.0)  # 32 bits: nobody says what is white


def _turned(tile: Any, raw: str) -> Any:
    """A tile of Pillow, which is a plain tuple before version 11, with another raw mode."""
    args = raw if isinstance(tile[3], str) else (raw, *tile[3][1:])
    return type(tile)(*tile[:3], args) if hasattr(tile, "_fields") else (*tile[:3], args)
