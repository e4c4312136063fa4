"""A dataset of our own."""

import numpy as np

import dmf_cli
from dmf_cli.ranges import Count


@dmf_cli.dataset
def mine(*, count: Count = 40):
    """Bright discs on noise, until there are images to read.

    The first line is what ``dmf list`` shows. What stands after the ``*`` can be set on the command line, as
    ``dataset.count=80``. Use a parameter called ``dir`` for the folder of your files.

    Args:
        count: images.

    Yields:
        A case at a time. ``id`` and ``image`` are needed, the rest may be missing: ``mask``, ``patient``,
        ``stratum`` (what splits are balanced by), ``spacing`` (millimetres per pixel), ``split`` (``train``,
        ``val`` or ``test``). Image and mask are pixels, as here, or paths of files.

    Source: where the images are from.
    """
    rows, columns = np.mgrid[:64, :64]
    for number in range(count):
        rng = np.random.default_rng(number)
        row, column, radius = rng.integers(20, 44), rng.integers(20, 44), rng.integers(6, 16)
        disc = (rows - row) ** 2 + (columns - column) ** 2 < radius**2
        image = rng.integers(20, 100, disc.shape) + 120 * disc
        yield {
            "id": f"disc/{number:03}",
            "image": image.astype("uint8"),
            "mask": disc.astype("uint8"),
            "patient": f"P{number // 2}",
        }
