"""Image and mask files as NumPy arrays; what cannot be read is named, in one line."""

import contextlib
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from dmf_cli import bounded
from dmf_cli.datasets.input_spec import MAX_PIXELS, Reading
from dmf_cli.datasets.sources import dicom, grey_depth
from dmf_cli.datasets.sources.suffixes import FORMATS, is_dicom
from dmf_cli.errors import UnreadableError

_ORIENTATION, _TURNED = 0x0112, (5, 6, 7, 8)  # EXIF tag, and its values that swap height and width
_WIDTH, _HEIGHT = 256, 257  # tags of TIFF
_SUBFILE, _REDUCED, _MASK = 254, 1, 4  # tag of TIFF, and its bits for a thumbnail and a transparency mask


def read_image(path: Path, channels: int, reading: Reading | None = None) -> np.ndarray:
    """The image at ``path`` as ``(H, W, channels)``, turned as its EXIF orientation says; alpha is dropped.

    Args:
        path: any format that Pillow reads, or a single DICOM frame.
        channels: 1 (colours become grey) or 3 (RGB).
        reading: options.

    Returns:
        black 0 and white 255: uint8, or float32 for files of more than 8 bits.

    Raises:
        UnreadableError: unreadable, half-written, too large, of several pages, or of 32-bit values of which
            nobody says what is white.
    """
    reading = reading or Reading()
    if is_dicom(path):
        with quiet():
            values = dicom.read(path, reading.max_pixels, reading.limits)
    else:
        values = _values(path, reading.max_pixels)
    if reading.limits is None and values.pixels.dtype == np.uint8 and values[1:] == (0, 255):
        return grey_depth.as_channels(values.pixels, channels)
    if reading.limits is None and values.white <= values.black:
        raise UnreadableError(
            path=path,
            reason="holds 32-bit values, and which of them is white is not known",
            allowed="dataset.range=[LOW,HIGH], or save it with 8 or 16 bits",
        )
    # MONOCHROME1 has been turned round inside its limits.
    wanted = (values.black, values.white) if is_dicom(path) and reading.limits else reading.limits
    return grey_depth.as_channels(grey_depth.scaled(values, wanted), channels)


def image_size(path: Path) -> tuple[int, int]:
    """(height, width) of the image at ``path`` once it is turned; from its header."""
    if is_dicom(path):
        with quiet():
            return dicom.size(path)
    with _refused(path), bounded.opened(path) as file, quiet():
        image = Image.open(file, formats=FORMATS)
        # Newer versions of Pillow turn the size of a TIFF themselves.
        tags: Any = getattr(image, "tag_v2", {})
        width, height = tags.get(_WIDTH, image.size[0]), tags.get(_HEIGHT, image.size[1])
        turned = _orientation(image, path) in _TURNED
    return (width, height) if turned else (height, width)


def orientation(path: Path) -> int:
    """The EXIF orientation of the image at ``path``, 1 to 8; 1: as it is stored, or not to be read."""
    if is_dicom(path):
        return 1
    try:
        with bounded.opened(path) as file, quiet():
            return _orientation(Image.open(file, formats=FORMATS), path)
    except (OSError, SyntaxError, ValueError, EOFError, TypeError):
        return 1


def open_image(path: Path, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The decoded image at ``path``, turned as its EXIF orientation says.

    Raises:
        UnreadableError: unreadable, half-written, too large, or of several pages.
    """
    if is_dicom(path):
        with quiet():
            return Image.fromarray(dicom.stored(path, max_pixels))
    with _refused(path), bounded.opened(path) as file, quiet():
        image = _opened(path, file, max_pixels)
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
    return image


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No warnings: Pillow tells of odd metadata and of large files on the user's terminal; pixels count here.

    Nor has it a limit of its own for large images: ``max_pixels`` is the limit. Python's own
    ``catch_warnings`` is undone in the wrong order when threads overlap: here the first one to come changes
    the filters, and the last one to go restores them.
    """
    global _inside, _filters, _limit
    with _lock:
        _inside += 1
        if _inside == 1:
            _filters, _limit = warnings.catch_warnings(), Image.MAX_IMAGE_PIXELS
            _filters.__enter__()
            warnings.simplefilter("ignore")
            Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                Image.MAX_IMAGE_PIXELS = _limit
                _filters.__exit__(None, None, None)


_lock = threading.Lock()
_inside = 0
_filters = warnings.catch_warnings()
_limit = Image.MAX_IMAGE_PIXELS


def _values(path: Path, max_pixels: int) -> grey_depth.Values:
    """What the file holds, turned as its EXIF orientation says."""
    with _refused(path), bounded.opened(path) as file, quiet():
        image = _opened(path, file, max_pixels)
        raw = grey_depth.deep_mode(image)
        if raw == "PPM":
            raise UnreadableError(
                path=path, reason="holds colours of more than 8 bits as PPM", hint="save it as PNG or TIFF"
            )
        if raw:
            pixels = grey_depth.deep_colours(image, path, raw)
            return grey_depth.Values(_as_seen(pixels, image), 0.0, 65535.0)
        image.load()
        found = grey_depth.grey_values(image, path)
        if found:
            return found._replace(pixels=_as_seen(found.pixels, image))
        ImageOps.exif_transpose(image, in_place=True)
        wanted = "L" if image.mode in ("1", "L", "LA", "La") else "RGB"
        return grey_depth.Values(np.asarray(image.convert(wanted)), 0.0, 255.0)


def _as_seen(pixels: np.ndarray, image: Image.Image) -> np.ndarray:
    """``pixels`` turned as the EXIF orientation of ``image`` says."""
    how = image.getexif().get(_ORIENTATION, 1)
    if how in _TURNED:
        pixels = pixels.swapaxes(0, 1)
    rows, columns = how in (3, 4, 7, 8), how in (2, 3, 6, 7)
    return np.ascontiguousarray(pixels[:: -1 if rows else 1, :: -1 if columns else 1])


def _opened(path: Path, file: Any, max_pixels: int) -> Image.Image:
    """Opened and not decoded yet."""
    image = Image.open(file, formats=FORMATS)
    width, height = image.size
    if width * height > max_pixels:
        raise grey_depth.too_large(path, width, height, max_pixels)
    pages = _pages(image)
    if pages > 1:
        raise UnreadableError(
            path=path,
            reason=f"holds {pages} pages or frames, and one image is read from a file",
            hint="save each of them as a file of its own",
        )
    arguments: Any = image.tile[0][3] if image.format == "PPM" and image.tile else None
    if isinstance(arguments, tuple):
        image.info["maxval"] = arguments[1]
    return image


def _pages(image: Image.Image) -> int:
    """Pages or frames, without those that are a smaller copy or the transparency of another."""
    count = int(getattr(image, "n_frames", 1))
    if image.format == "MPO" or count == 1:  # of phones: behind the photograph come its preview and its depth
        return 1
    if image.format != "TIFF":
        return count
    real = 0
    for number in range(count):
        image.seek(number)
        real += not int(image.tag_v2.get(_SUBFILE, 0)) & (_REDUCED | _MASK)  # type: ignore[attr-defined]
    image.seek(0)
    return real


def _orientation(image: Image.Image, path: Path) -> int:
    """Of an image that is opened: a PNG would be decoded whole to learn that it has no EXIF."""
    if image.format == "PNG":
        content = bounded.read_bytes(path, bounded.MOST_WHOLE)
        if not any(mark in content for mark in (b"eXIf", b"profile type exif", b"tiff:Orientation")):
            return 1
    return int(image.getexif().get(_ORIENTATION, 1))


@contextlib.contextmanager
def _refused(path: Path) -> Iterator[None]:
    """Whatever Pillow says of a bad file, as one line."""
    try:
        yield
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if isinstance(error, UnidentifiedImageError):
            reason = "unknown format"  # Pillow's own words name an object in memory
        raise UnreadableError(
            path=path, reason=f"cannot be read as an image ({reason})", hint="replace or remove it"
        ) from None
