"""Example images of a dataset with the outlines of their masks, and how many images there are of what."""

import dataclasses
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image
from rich.table import Table

from dmf_cli.datasets.base import IGNORED, Dataset, Sample
from dmf_cli.datasets.sources.description import SimilarPair
from dmf_cli.datasets.sources.grey_depth import shown
from dmf_cli.figures import image_grid, palette
from dmf_cli.figures.description import shorten
from dmf_cli.figures.image_grid import Outline, Tile
from dmf_cli.files import disk_errors

PICTURED = 12  # pairs of near-duplicates
DISPLAY = 512  # longest side of an example, in pixels


def plot_samples(path: Path, dataset: Dataset, count: int = 16) -> None:
    """A grid of ``count`` images, from every stratum in turn, with the outline of each class.

    Args:
        path: the PNG file; missing folders are made.
        dataset: of any size.
        count: at most this many.

    Raises:
        DatasetError: a file that cannot be read.
        RunFolderError: the picture cannot be written.
    """
    tiles = []
    for index in choose(dataset, count):
        one = tile(dataset, index, "")
        share = 100 * float(np.mean(one.outlines[0].labels > 0))
        title = f"{shorten(dataset.strata[index], 20)}: {share:.1f} %"
        tiles.append(dataclasses.replace(one, title=title))
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    alone = {dataset.classes[1]: (palette.TRUTH, "solid")}
    image_grid.write(path, tiles, image_grid.classes(dataset.classes) or alone)


def plot_pairs(path: Path, dataset: Dataset, pairs: Iterable[SimilarPair]) -> int:
    """Near-duplicates side by side with the outlines of their masks; how many pairs there are on it.

    Args:
        path: the PNG file, in an existing folder.
        dataset: of the pairs.
        pairs: the worst first; the first ``PICTURED`` are drawn.

    Raises:
        RunFolderError: the picture cannot be written.
    """
    tiles, chosen = [], list(pairs)[:PICTURED]
    for pair in chosen:
        differ = dataset.strata[pair.first] != dataset.strata[pair.second]
        tiles.append(tile(dataset, pair.first, f"similarity {pair.similarity:.2f}"))
        tiles.append(tile(dataset, pair.second, "in another class" if differ else ""))
    image_grid.write(path, tiles, image_grid.classes(dataset.classes))
    return len(chosen)


def tile(dataset: Dataset, index: int, title: str) -> Tile:
    """One image of ``dataset`` with the outlines of its classes."""
    sample = small(dataset.load(index))
    colours = palette.outlines(len(dataset.classes), palette.TRUTH)
    return Tile(sample.image, [Outline(sample.label, colours)], title, dataset.ids[index])


def choose(dataset: Dataset, count: int) -> list[int]:
    """``count`` indices: as many of each stratum as there are, evenly spread over its images."""
    members = [[i for i, s in enumerate(dataset.strata) if s == name] for name in sorted(set(dataset.strata))]
    shares = [0] * len(members)
    for turn in range(min(count, len(dataset))):
        open_ = [k for k, images in enumerate(members) if shares[k] < len(images)]
        shares[min(open_, key=lambda k: (shares[k], (k - turn) % len(members)))] += 1
    spread = [
        images[i * len(images) // share]
        for images, share in zip(members, shares, strict=True)
        for i in range(share)
    ]
    return sorted(spread, key=lambda i: (dataset.strata[i], i))


def render(dataset: Dataset) -> Table:
    """Images, and groups such as patients where they are known, of each stratum; the last line counts all."""
    table = Table(box=None, pad_edge=False)
    table.add_column("stratum")
    table.add_column("images", justify="right")
    if dataset.groups is not None:
        table.add_column("groups", justify="right")
    for stratum, images in sorted(Counter(dataset.strata).items()):
        table.add_row(stratum, str(images), *_patients(dataset, stratum))
    table.add_row("all", str(len(dataset)), *_patients(dataset, None), style="bold")
    return table


def _patients(dataset: Dataset, stratum: str | None) -> list[str]:
    if dataset.groups is None:
        return []
    both = zip(dataset.groups, dataset.strata, strict=True)
    return [str(len({group for group, s in both if stratum in (None, s)}))]


def small(sample: Sample) -> Sample:
    """At most ``DISPLAY`` pixels a side and 8 bits, for speed; ignored pixels become background."""
    if (sample.label == IGNORED).any():
        sample = Sample(sample.image, np.where(sample.label == IGNORED, np.uint8(0), sample.label))
    height, width = sample.label.shape
    scale, image = min(1.0, DISPLAY / max(height, width)), shown(sample.image)
    if scale == 1.0:
        return Sample(image, sample.label)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    squeezed = image if image.shape[-1] == 3 else image[..., 0]
    image = np.asarray(Image.fromarray(squeezed).resize(size, Image.Resampling.BILINEAR))
    label = np.asarray(Image.fromarray(sample.label).resize(size, Image.Resampling.NEAREST))
    return Sample(image.reshape(*image.shape[:2], -1), label)
