"""Image and mask files as NumPy arrays; what cannot be read is told by name, in one line."""

import contextlib
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from dmf_cli.datasets.planes import white_is_zero
from dmf_cli.errors import UnreadableError


def read_image(path: Path, channels: int) -> np.ndarray:
    """The image at ``path`` as ``(H, W, channels)`` uint8; 16 bits become 8, alpha is dropped.

    Args:
        path: any format that Pillow reads.
        channels: 1 (colours become grey) or 3 (RGB).

    Raises:
        UnreadableError: unreadable, half-written, or of 32-bit values whose range is unknown.
    """
    image = _open(path)
    if image.mode.startswith("I;16"):  # Pillow would clip 16 bits to 8
        values = 65535 - np.asarray(image) if white_is_zero(image) else np.asarray(image)
        image = Image.fromarray((values // 257).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise UnreadableError(f"{path} holds 32-bit values: save it with 8 or 16 bits")
    pixels = np.asarray(image.convert("RGB" if channels == 3 else "L"))
    return pixels.reshape(*pixels.shape[:2], channels)


def read_mask(path: Path) -> Image.Image:
    """The mask at ``path``, decoded, see :mod:`dmf_cli.datasets.planes`; raises ``UnreadableError``."""
    return _open(path)


def image_size(path: Path) -> tuple[int, int]:
    """(height, width) of the image at ``path``, from its header; raises ``UnreadableError``."""
    width, height = _open(path, whole=False).size
    return height, width


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No warnings: Pillow tells of odd metadata and of large files on the user's terminal; pixels count here.

    Python's own ``catch_warnings`` is undone in the wrong order when threads overlap: here the first one to
    come changes the filters, and the last one to go restores them.
    """
    global _inside, _filters
    with _lock:
        _inside += 1
        if _inside == 1:
            _filters = warnings.catch_warnings()
            _filters.__enter__()
            warnings.simplefilter("ignore")
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                _filters.__exit__(None, None, None)


_lock = threading.Lock()
_inside = 0
_filters = warnings.catch_warnings()


def _open(path: Path, *, whole: bool = True) -> Image.Image:
    try:
        with path.open("rb") as file, quiet():
            image = Image.open(file)
            if whole:
                image.load()
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if isinstance(error, UnidentifiedImageError):
            reason = "unknown format"  # Pillow's own words name an object in memory
        raise UnreadableError(f"{path} cannot be read as an image ({reason}): replace or remove it") from None
    return image
