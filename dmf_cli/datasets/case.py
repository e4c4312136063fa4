"""A case: one image with its mask and what is known of it, as a dataset of the user's own yields it."""

import dataclasses
from collections.abc import Mapping
from typing import Any

# What people call the parts of a split.
PARTS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}


@dataclasses.dataclass(frozen=True)
class Case:
    """What a function or class marked ``@dmf_cli.dataset`` yields, or a tuple in this order, or a mapping.

    Args:
        id: unique, the same on every machine, such as ``benign/17``; before the last ``/`` is its folder.
        image: the path of a file, or pixels ``(H, W)`` or ``(H, W, 1|3|4)``: uint8, uint16, or fractions in
            [0, 1]; other values need ``dataset.range``.
        mask: the path of a file or a label map ``(H, W)``, or a list of them, which are united; None: see
            ``dataset.missing_mask``. Values are read as those of files (``dataset.values``, ``threshold``).
        patient: whose images are on one side of every split; None: not known.
        stratum: what splits are stratified by; None: the folder of ``id``.
        spacing: millimetres per pixel, a number or (row, column); None: ``dataset.spacing``.
        split: ``train``, ``val`` or ``test``, of all cases or of none.

    Example:
        >>> Case("benign/17", "scans/17.png", "masks/17.png", patient="P3").patient
        'P3'
    """

    id: str
    image: Any
    mask: Any = None
    patient: str | int | None = None
    stratum: str | int | None = None
    spacing: float | tuple[float, float] | None = None
    split: str | None = None


FIELDS = tuple(field.name for field in dataclasses.fields(Case))


def as_case(given: Any) -> Case | str:
    """What was yielded as a case, or in words why it is none."""
    if isinstance(given, Case):
        return given
    if isinstance(given, Mapping):
        unknown = [key for key in given if key not in FIELDS]
        if unknown or not {"id", "image"} <= set(given):
            return f"a mapping with {f'the key {unknown[0]!r}' if unknown else 'no id or no image'}"
        return Case(**given)
    if isinstance(given, tuple | list):
        return Case(*given) if 2 <= len(given) <= len(FIELDS) else f"{len(given)} values"
    return f"a {type(given).__name__}"
