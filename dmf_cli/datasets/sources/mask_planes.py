"""The one plane of numbers that a mask file holds, whatever its mode: grey, palette, colours, alpha."""

import numpy as np
from PIL import Image

INDICES = 32  # grey values of masks are 255, or spread up to it; below this they are numbers of classes
JPEG = ("JPEG", "MPO")
LOSSY = (*JPEG, "JPEG2000", "WEBP")  # or may be: their colours may be a little off
_PHOTOMETRIC = 262  # TIFF tag; 0: white is zero


def plane(image: Image.Image, *, keep_indices: bool) -> np.ndarray:
    """The values ``(H, W)`` of a mask; colours become grey.

    A class index that stands in one channel of three is taken as it is: its grey would be another class.
    Where a mask is drawn in its alpha channel alone, alpha is what counts; elsewhere what is transparent is
    background.

    Args:
        image: decoded.
        keep_indices: of a palette file return the indices, not the grey of their colours.

    Returns:
        uint8; int64 or float for files of 16 or 32 bits, whose values are kept.
    """
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        return 65535 - values if white_is_zero(image) else values
    if image.mode == "F" or (image.mode == "P" and keep_indices):
        return np.asarray(image)
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"))
    pixels = np.asarray(image.convert("RGBA" if _has_alpha(image) else "RGB"))
    return _visible(pixels) if pixels.shape[-1] == 4 else _grey(pixels)


def colours(image: Image.Image) -> np.ndarray:
    """``(H, W, 3)`` uint8; what is transparent is black."""
    if not _has_alpha(image):
        return np.asarray(image.convert("RGB"))
    pixels = np.array(image.convert("RGBA"))
    pixels[pixels[..., 3] == 0] = 0
    return pixels[..., :3]


def is_coloured(image: Image.Image) -> bool:
    """Whether a mask that is no palette file has colours, whose grey says no class."""
    if image.mode not in ("RGB", "RGBA"):
        return False
    pixels = colours(image)
    return bool(pixels.max(initial=0) >= INDICES and (pixels != pixels[..., :1]).any())


def white_is_zero(image: Image.Image) -> bool:
    """Whether the values of a TIFF of 16 bits are negative; of 8 bits Pillow has turned them round."""
    tags = getattr(image, "tag_v2", {})
    return image.mode.startswith("I;16") and tags.get(_PHOTOMETRIC) == 0


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info


def _grey(pixels: np.ndarray) -> np.ndarray:
    used = [c for c in range(3) if pixels[..., c].any()]
    if len(used) == 1 and pixels.max() < INDICES:
        return pixels[..., used[0]]
    return np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).convert("L"))


def _visible(pixels: np.ndarray) -> np.ndarray:
    """Grey of ``(H, W, 4)`` on black; alpha itself where the colours say nothing."""
    colour, alpha = pixels[..., :3], pixels[..., 3]
    if alpha.min() == alpha.max():
        return _grey(colour) if alpha.max() else np.zeros_like(alpha)
    grey = np.where(alpha > 0, _grey(np.where(alpha[..., None] > 0, colour, 0)), 0).astype(np.uint8)
    if not grey.any() or (colour == colour[:1, :1]).all():
        return alpha
    # Soft edges may be in alpha alone; a class index has none.
    return grey if grey.max() < INDICES else (grey.astype(np.uint16) * alpha // 255).astype(np.uint8)
