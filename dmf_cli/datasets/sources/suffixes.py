"""Which files are images, by name: the one list of training, `dmf predict`, `dmf data` and the docs."""

import collections
from collections.abc import Iterable
from pathlib import Path, PurePath

DICOM = (".dcm", ".dicom")
# Read, whatever the case of the letters.
SUFFIXES = (
    ".bmp", ".dcm", ".dicom", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png",
    ".pnm", ".ppm", ".tif", ".tiff", ".webp",
)  # fmt: skip
# What Pillow may take a file for, whatever its name says: for EPS, say, it would start another program.
FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
# Images too, which are not read: a message says that they are skipped.
UNREAD = (
    ".arw", ".avif", ".cr2", ".czi", ".dng", ".exr", ".heic", ".heif", ".ima", ".jxl", ".mha", ".mhd", ".mrc",
    ".nd2", ".nef", ".nhdr", ".nii", ".nii.gz", ".npy", ".npz", ".nrrd", ".psd", ".svs", ".tga",
)  # fmt: skip


def is_hidden(file: PurePath) -> bool:
    """Whether a name in the relative path begins with a dot: ``._x.png`` of macOS, ``.ipynb_checkpoints``."""
    return any(part.startswith(".") and part not in (".", "..") for part in file.parts)


def is_image(file: PurePath) -> bool:
    """Whether ``file``, a path below the folder that is searched, is an image that can be read."""
    return file.name.lower().endswith(SUFFIXES) and not is_hidden(file)


def is_dicom(file: PurePath) -> bool:
    """Whether pydicom reads ``file``, in place of Pillow."""
    return file.name.lower().endswith(DICOM)


def looks_like_image(file: PurePath) -> bool:
    """Whether a path below the folder that is searched is named like an image, readable or not."""
    return file.name.lower().endswith((*SUFFIXES, *UNREAD)) and not is_hidden(file)


def counted(files: Iterable[Path]) -> str:
    """How many there are of which suffix, as written: ``3 .PNG, 1 .heic``."""
    number = collections.Counter(_suffix(file.name) for file in files)
    return ", ".join(f"{count} {suffix}" for suffix, count in sorted(number.items()))


def _suffix(name: str) -> str:
    long = name.lower().endswith(".nii.gz")
    return name[-len(".nii.gz") :] if long else PurePath(name).suffix
