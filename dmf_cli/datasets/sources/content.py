"""What an image or a mask is read from: a file, or pixels that a program gives."""

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
from PIL import Image

from dmf_cli import bounded
from dmf_cli.datasets.input_spec import MAX_PIXELS, Reading
from dmf_cli.datasets.sources import dicom, grey_depth, image_files
from dmf_cli.datasets.sources.suffixes import is_dicom
from dmf_cli.errors import UnreadableError

_WIDE = {"uint8": 255.0, "uint16": 65535.0}  # types whose white is known; of fractions it is 1


@dataclasses.dataclass(frozen=True, eq=False)
class Pixels:
    """Pixels in place of a file.

    Args:
        name: what errors call them.
        size: (height, width).
        digest: hash of their type, shape and bytes.
        values: ``(H, W)`` or ``(H, W, channels)``; None: they are asked for when they are needed.
    """

    name: str
    size: tuple[int, int]
    digest: bytes
    values: np.ndarray | None

    @classmethod
    def of(cls, name: str, values: np.ndarray) -> "Pixels":
        """``values`` with what is known of them."""
        facts = f"{values.dtype.str} {values.shape}".encode()
        digest = hashlib.sha256(facts + np.ascontiguousarray(values).tobytes()).digest()
        return cls(name, (values.shape[0], values.shape[1]), digest, values)

    def light(self) -> "Pixels":
        """The same without the values."""
        return dataclasses.replace(self, values=None)

    @property
    def there(self) -> np.ndarray:
        """The values, of pixels that were asked for."""
        assert self.values is not None, self.name
        return self.values

    def __str__(self) -> str:
        return self.name


Source = Path | Pixels


def read_image(source: Source, channels: int, reading: Reading) -> np.ndarray:
    """The image as ``(H, W, channels)``, see :func:`~dmf_cli.datasets.sources.image_files.read_image`."""
    if isinstance(source, Path):
        return image_files.read_image(source, channels, reading)
    pixels, name = source.there[..., :3] if source.there.ndim == 3 else source.there, source.name
    if pixels.shape[0] * pixels.shape[1] > reading.max_pixels:
        raise grey_depth.too_large(name, source.size[1], source.size[0], reading.max_pixels)
    if reading.limits is None and pixels.dtype == np.uint8:
        return grey_depth.as_channels(pixels, channels)
    white = _WIDE.get(pixels.dtype.name) or (1.0 if pixels.dtype.kind == "f" else 0.0)
    if reading.limits is None and not (white and _within(pixels, white)):
        low, high = pixels.min(), pixels.max()
        raise UnreadableError(
            path=name,
            reason=f"holds {pixels.dtype} from {low:g} to {high:g}, and which value is white is not known",
            allowed="uint8, uint16, or fractions from 0 to 1; or dataset.range=[LOW,HIGH]",
        )
    return grey_depth.as_channels(
        grey_depth.scaled(grey_depth.Values(pixels, 0.0, white), reading.limits), channels
    )


def open_image(source: Source, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """A mask, decoded, see :func:`~dmf_cli.datasets.sources.image_files.open_image`."""
    if isinstance(source, Path):
        return image_files.open_image(source, max_pixels)
    return as_image(source.there)


def image_size(source: Source) -> tuple[int, int]:
    """(height, width)."""
    return image_files.image_size(source) if isinstance(source, Path) else source.size


def orientation(source: Source) -> int:
    """The EXIF orientation; pixels are as they are seen."""
    return image_files.orientation(source) if isinstance(source, Path) else 1


def spacing(source: Source) -> tuple[float, float] | None:
    """Millimetres per pixel that a DICOM file says of itself."""
    return dicom.spacing(source) if isinstance(source, Path) and is_dicom(source) else None


def digest(source: Source) -> bytes:
    """The hash of the content."""
    if not isinstance(source, Path):
        return source.digest
    with bounded.opened(source) as file:
        return hashlib.file_digest(file, "sha256").digest()


def as_image(mask: np.ndarray) -> Image.Image:
    """A mask for :func:`dmf_cli.datasets.sources.mask_planes.plane`, with its values as they are."""
    flat = mask[..., 0] if mask.ndim == 3 and mask.shape[2] == 1 else mask
    if flat.dtype.kind == "f":
        return Image.fromarray(flat.astype(np.float32))
    return Image.fromarray(flat if flat.dtype in (np.uint8, np.uint16) else flat.astype(np.int32))


def _within(pixels: np.ndarray, white: float) -> bool:
    """False for NaN too."""
    return bool(pixels.size and pixels.min() >= 0 and pixels.max() <= white)
