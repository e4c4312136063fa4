"""What a case says its image and its mask are: the path of a file, or numbers that are pixels."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from dmf_cli.datasets.case import Case
from dmf_cli.datasets.sources.content import Pixels, Source
from dmf_cli.errors import UnreadableError


def sources(case: Case, name: str, where: str) -> tuple[Source, tuple[Source, ...]]:
    """The image and the masks of a case.

    Args:
        case: as it was yielded.
        name: its id.
        where: the dataset and its place, for errors.

    Raises:
        UnreadableError: one is neither a file nor pixels, or a file that is not there.
    """
    given = case.mask if _is_several(case.mask) else [] if case.mask is None else [case.mask]
    numbers = [f" {number}" if number else "" for number in range(len(given))]
    masks = [_source(m, f"{name} (mask{n})", where, True) for m, n in zip(given, numbers, strict=True)]
    return _source(case.image, f"{name} (image)", where, False), tuple(masks)


def _source(value: Any, name: str, where: str, is_mask: bool) -> Source:
    if isinstance(value, str | os.PathLike):
        return _file(Path(value), name, where)
    try:
        pixels = np.array(value)  # a copy: a generator may use one array again and again
    except (ValueError, TypeError):
        pixels = np.array(None)
    if not (_is_mask if is_mask else _is_picture)(pixels):
        numbers = f"{pixels.dtype} {pixels.shape}"
        made = f"a {type(value).__name__}" if pixels.dtype.kind == "O" else numbers
        shape = "a label map (H, W)" if is_mask else "numbers (H, W), (H, W, 1) or (H, W, 3)"
        raise UnreadableError(
            f"{name} of {where} is {made}", path=name, allowed=f"the path of a file, or {shape}"
        )
    if not np.isfinite(pixels).all():
        raise UnreadableError(f"{name} of {where} holds NaN or infinity", path=name, hint="give numbers")
    return Pixels.of(name, pixels)


def _file(path: Path, name: str, where: str) -> Path:
    file = path.expanduser() if path.parts[:1] == ("~",) else path
    if not file.is_file():
        hint = f"correct the path, which {where} gives"
        raise UnreadableError(path=f"{file} ({name})", reason="is not there", hint=hint)
    return file


def _is_picture(pixels: np.ndarray) -> bool:
    shaped = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (1, 3, 4))
    return shaped and pixels.dtype.kind in "iuf" and pixels.size > 0


def _is_mask(pixels: np.ndarray) -> bool:
    """Labels, or colours."""
    flat = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 1)
    coloured = pixels.ndim == 3 and pixels.shape[2] in (3, 4) and pixels.dtype == np.uint8
    return (flat or coloured) and pixels.dtype.kind in "biuf" and pixels.size > 0


def _is_several(mask: Any) -> bool:
    """Whether a mask is a list of masks, and not rows of numbers."""
    return isinstance(mask, list | tuple) and all(
        isinstance(one, str | os.PathLike) or hasattr(one, "__array__") for one in mask
    )
