"""Masks of another size than their image: found by the headers alone."""

import logging
from collections.abc import Sequence

from dmf_cli.datasets.sources.content import image_size
from dmf_cli.datasets.sources.pairing import Pair
from dmf_cli.errors import DatasetError, UnknownNameError, UnreadableError

log = logging.getLogger("dmf")


def other_sizes(pairs: Sequence[Pair], rule: str) -> dict[str, str]:
    """With ``skip``: id -> what is wrong, of the images whose masks have another size."""
    if rule not in ("error", "skip"):
        raise UnknownNameError("dataset.size_mismatch", rule, ["error", "skip"])
    if rule == "error":
        return {}  # `load` says so, once it has decoded both
    odd = [pair for pair in pairs if not _same_size(pair)]
    if len(odd) == len(pairs):
        raise DatasetError("every mask has another size than its image", hint="check dataset.masks")
    if odd:
        excluded = f"{len(odd)} of {len(pairs)} images, first {odd[0].id}"
        log.warning("excluded because their masks have another size: %s", excluded)
    return {pair.id: f"the mask of {pair.id!r} has another size than the image" for pair in odd}


def _same_size(pair: Pair) -> bool:
    """Also where a file cannot be read: that is for ``on_bad`` and `load` to tell."""
    try:
        return {image_size(pair.image)} >= {image_size(mask) for mask in pair.masks}
    except UnreadableError:
        return True
