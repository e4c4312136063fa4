"""Single frames of DICOM as grey values: rescaled, windowed, large values white; the size of their pixels."""

import contextlib
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from dmf_cli import bounded
from dmf_cli.datasets.sources.grey_depth import Range, Values, too_large
from dmf_cli.errors import ConfigError, DmfError, UnreadableError

if TYPE_CHECKING:
    from pydicom import Dataset

UNPACKED = 1024 * bounded.MB  # bytes: a frame of 500 million pixels
_CENTIMETRES = 3  # code of an ultrasound region's unit
NEEDED = "DICOM files need the package pydicom: pip install '.[dicom]'"


def read(path: Path, max_pixels: int, wanted: Range | None = None) -> Values:
    """The frame at ``path``; MONOCHROME1 is turned round, so that large values are white.

    Args:
        path: a file of one frame.
        max_pixels: frames with more are refused.
        wanted: rescaled values, such as Hounsfield units, that are black and white, in place of the file's
            (first) window or VOI LUT.

    Raises:
        ConfigError: pydicom is not installed.
        UnreadableError: no DICOM file, several frames, or a compression that pydicom has no decoder for.
    """
    with _refused(path):
        found = _opened(path, max_pixels)
        if int(found.get("SamplesPerPixel", 1)) == 3 or found.PhotometricInterpretation == "PALETTE COLOR":
            return _colours(found, wanted)
        from pydicom.pixels import apply_modality_lut

        values, black, white = Values(found.pixel_array, *_limits(found))
        if "RescaleSlope" in found or "ModalityLUTSequence" in found:
            values, (black, white) = apply_modality_lut(values, found), _rescaled(found, (black, white))
        if wanted is None:
            values, black, white = _windowed(found, values, black, white)
        else:
            black, white = wanted
        if found.PhotometricInterpretation == "MONOCHROME1":
            of_bytes = values.dtype == np.uint8 and (black, white) == (0, 255)
            values = 255 - values if of_bytes else black + white - values.astype(np.float64)
        return Values(values, float(black), float(white))


def stored(path: Path, max_pixels: int) -> np.ndarray:
    """The values of the frame at ``path`` as they are stored, for masks: uint8 or int32; raises likewise."""
    with _refused(path):
        pixels = np.asarray(_opened(path, max_pixels).pixel_array)
        return pixels if pixels.dtype == np.uint8 else pixels.astype(np.int32)


def size(path: Path) -> tuple[int, int]:
    """(height, width) from the header; raises likewise."""
    with _refused(path):
        found = _header(path)
        return int(found.Rows), int(found.Columns)


def spacing(path: Path) -> tuple[float, float] | None:
    """Millimetres per pixel, row and column, where the header at ``path`` says so; raises likewise."""
    with _refused(path):
        found = _header(path)
        for key in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
            if found.get(key):
                rows, columns = (float(side) for side in found[key].value)
                return rows, columns
        regions = found.get("SequenceOfUltrasoundRegions") or []
        sides = {
            (abs(float(r.PhysicalDeltaY)) * 10, abs(float(r.PhysicalDeltaX)) * 10)
            for r in regions
            if r.get("PhysicalUnitsXDirection") == r.get("PhysicalUnitsYDirection") == _CENTIMETRES
        }
        # Two regions of other scales, such as an image and a Doppler curve: no pixel size holds for all.
        return sides.pop() if len(sides) == 1 else None


def _header(path: Path) -> "Dataset":
    return _parsed(path, stop_before_pixels=True)


def _parsed(path: Path, **options: Any) -> "Dataset":
    reader = _pydicom().dcmread
    with bounded.opened(path, bounded.MOST_WHOLE) as file:
        _check_unpacked(path, file)
        found: Dataset = reader(file, **options)
    return found


def _check_unpacked(path: Path, file: BinaryIO) -> None:
    """What is deflated as a whole, which pydicom inflates as a whole, is not larger than any one frame."""
    # As pydicom itself finds where it begins: whatever else read the head might find another place.
    from pydicom.filereader import _read_command_set_elements, _read_file_meta_info, read_preamble
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    read_preamble(file, force=False)
    deflated = _read_file_meta_info(file).get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian
    _read_command_set_elements(file)
    inflater, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
    while deflated and not inflater.eof and (block := inflater.unconsumed_tail or file.read(bounded.MB)):
        size += len(inflater.decompress(block, bounded.MB))
        if size > UNPACKED:
            raise UnreadableError(
                path=path,
                reason=f"unpacks to more than {UNPACKED:,} bytes",
                hint="save it without the deflated transfer syntax, or remove it",
            )
    file.seek(0)


def _opened(path: Path, max_pixels: int) -> "Dataset":
    found = _parsed(path)
    if "PixelData" not in found:
        raise UnreadableError(
            path=path, reason="holds no image", hint="remove it, or leave it out by dataset.exclude"
        )
    frames, height, width = int(found.get("NumberOfFrames") or 1), int(found.Rows), int(found.Columns)
    if frames > 1:
        raise UnreadableError(
            path=path,
            reason=f"holds {frames} frames, and one image is read from a file",
            hint="save each of them as a file of its own",
        )
    if height * width > max_pixels:
        raise too_large(path, width, height, max_pixels)
    return found


def _limits(found: "Dataset") -> tuple[float, float]:
    """The least and the greatest value that may be stored."""
    bits, signed = int(found.BitsStored), int(found.get("PixelRepresentation", 0))
    return (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1) if signed else (0.0, 2.0**bits - 1)


def _rescaled(found: "Dataset", limits: tuple[float, float]) -> tuple[float, float]:
    if "RescaleSlope" not in found:  # a table of values
        data = found.ModalityLUTSequence[0]
        return 0.0, 2.0 ** int(data.LUTDescriptor[2]) - 1
    ends = [limit * float(found.RescaleSlope) + float(found.RescaleIntercept) for limit in limits]
    return min(ends), max(ends)


def _windowed(
    found: "Dataset", values: np.ndarray, black: float, white: float
) -> tuple[np.ndarray, float, float]:
    from pydicom.pixels import apply_voi, apply_windowing

    if found.get("VOILUTSequence"):
        top = 2.0 ** int(found.VOILUTSequence[0].LUTDescriptor[2]) - 1
        return apply_voi(values, found, 0), 0.0, top
    if "WindowCenter" in found and "WindowWidth" in found:
        windowed = apply_windowing(values, found, 0)
        # With a negative slope pydicom takes the ends of the range for each other: bright would become dark.
        negative = float(found.get("RescaleSlope", 1)) < 0
        return black + white - windowed if negative else windowed, black, white
    return values, black, white


def _colours(found: "Dataset", wanted: Range | None) -> Values:
    pixels = found.pixel_array  # pydicom has turned YBR into RGB
    limits = _limits(found)
    if found.PhotometricInterpretation == "PALETTE COLOR":
        from pydicom.pixels import apply_color_lut

        pixels = apply_color_lut(pixels, found)[..., :3]
        limits = 0.0, 65535.0 if pixels.dtype == np.uint16 else 255.0  # of the palette, not of its indices
    return Values(pixels, *(wanted or limits))


def _pydicom() -> Any:
    try:
        import pydicom
    except ImportError:
        raise ConfigError(NEEDED) from None
    return pydicom


@contextlib.contextmanager
def _refused(path: Path) -> Iterator[None]:
    """Whatever pydicom says of a bad file, as one line."""
    try:
        yield
    except DmfError:
        raise
    except MemoryError:
        raise
    except Exception as error:  # pydicom and its decoders have no class of their own for damaged files
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UnreadableError(
            path=path, reason=f"cannot be read as DICOM ({reason})", hint="replace or remove it"
        ) from None
