"""What a user should know of the images of a dataset: files that are skipped, turned photographs, dark greys.

`dmf data check` lists it, `dmf train` says it in its first lines.
"""

import logging
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from dmf_cli.datasets.finding import Finding
from dmf_cli.datasets.sources import patterns as named
from dmf_cli.datasets.sources.image_facts import ImageFacts
from dmf_cli.datasets.sources.suffixes import counted, looks_like_image

log = logging.getLogger("dmf")
DARK = 64.0  # of 255: an image whose greys span less has lost most of its contrast
_MAGIC = re.compile(r"[*?[]")


def skipped(root: Path, patterns: named.Patterns) -> list[Finding]:
    """Image files below the folder of ``patterns.images`` that are neither images nor masks nor excluded.

    Such as X.PNG where the pattern is ``*.png``, or photographs of a phone in HEIC.
    """
    fixed = []
    for part in Path(patterns.images).parts[:-1]:
        if _MAGIC.search(part):
            break
        fixed.append(part)
    base = root.joinpath(*fixed)
    found = {file for file in base.rglob("*") if looks_like_image(file.relative_to(root)) and file.is_file()}
    if not found:
        return []
    read = set(named.image_files(root, patterns))
    masks = set(named.files_like_masks(root, patterns))
    hidden = named.excluded(root, patterns.exclude)
    left = sorted(found - read - masks - hidden)
    if not left:
        return []
    text = (
        f"not read in {base}: {counted(left)} (first {left[0].relative_to(root)}): convert them, widen "
        "dataset.images, or name them in dataset.exclude"
    )
    return [Finding("skipped", tuple(map(str, left)), text)]


def turned(ids: Sequence[str], facts: Sequence[ImageFacts]) -> list[Finding]:
    """Photographs that are read as viewers show them; one of ``facts`` an image."""
    found = tuple(name for name, seen in zip(ids, facts, strict=True) if seen.turned)
    if not found:
        return []
    text = (
        f"the EXIF orientation turns {len(found)} of {len(ids)} images (first {found[0]}): their masks "
        "must fit what viewers show"
    )
    return [Finding("turned", found, text)]


def dark(ids: Sequence[str], ranges: Iterable[Sequence[float]], normalize: str) -> list[Finding]:
    """Images with little contrast, where ``normalize`` does not stretch it.

    Args:
        ids: of the images.
        ranges: (darkest, brightest) grey of each, of 255, without the extreme pixels.
        normalize: ``unit``, ``minmax`` or ``zscore``.
    """
    if normalize != "unit":
        return []
    narrow = [(name, ends) for name, ends in zip(ids, ranges, strict=True) if ends[1] - ends[0] < DARK]
    if not narrow:
        return []
    name, (low, high) = narrow[0]
    text = (
        f"{len(narrow)} of {len(ids)} images use less than a quarter of the grey range (first {name}: "
        f"{low:.3g} to {high:.3g} of 255): if they hold 12 bits in 16, dataset.range=[0,4095]; else "
        "dataset.normalize=minmax stretches them"
    )
    return [Finding("dark", tuple(name for name, _ in narrow), text)]


def warn(remarks: Iterable[Finding]) -> list[str]:
    """Warn of them, a line each; the lines, for a log that begins later."""
    lines = [remark.text for remark in remarks]
    for line in lines:
        log.warning("%s", line)
    return lines
