"""Example images of a dataset with the outlines of their masks, and how many images there are of what."""

import math
from collections import Counter
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image
from rich.table import Table

from dmf_cli.datasets.base import IGNORED, Dataset, Sample
from dmf_cli.datasets.sources.grey_depth import shown
from dmf_cli.figures import palette
from dmf_cli.figures import style as look
from dmf_cli.figures.examples import class_lines, outline
from dmf_cli.files import told

A_ROW = 4
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
    chosen = choose(dataset, count)
    samples = [small(dataset.load(index)) for index in chosen]
    columns = min(A_ROW, len(chosen))
    rows = math.ceil(len(chosen) / columns)
    ratio = float(np.clip(np.median([s.label.shape[0] / s.label.shape[1] for s in samples]), 0.5, 1.6))
    with look.style():
        figure = Figure(figsize=(max(2.8 * columns, 3.4), (2.65 * ratio + 0.5) * rows + 0.4))
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for panel in panels:
            panel.set_axis_off()
        for panel, index, sample in zip(panels, chosen, samples, strict=False):
            _sample(panel, sample, dataset.strata[index], dataset.ids[index], len(dataset.classes))
        alone = {dataset.classes[1]: Line2D([], [], color=palette.TRUTH, lw=2)}
        lines = class_lines(dataset.classes) or alone
        figure.legend(lines.values(), lines.keys(), loc="outside lower center", ncols=min(len(lines), 6))
        with told(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        look.save(path, figure)


def choose(dataset: Dataset, count: int) -> list[int]:
    """``count`` indices: as many of each stratum as there are, evenly spread over its images."""
    members = [[i for i, s in enumerate(dataset.strata) if s == name] for name in sorted(set(dataset.strata))]
    shares = [0] * len(members)
    for turn in range(min(count, len(dataset))):
        open_ = [k for k, found in enumerate(members) if shares[k] < len(found)]
        shares[min(open_, key=lambda k: (shares[k], (k - turn) % len(members)))] += 1
    spread = [
        found[i * len(found) // share]
        for found, share in zip(members, shares, strict=True)
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


def _sample(panel: Axes, sample: Sample, stratum: str, name: str, classes: int) -> None:
    image = sample.image if sample.image.shape[-1] == 3 else sample.image[..., 0]
    panel.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
    outline(panel, sample.label, palette.outlines(classes, palette.TRUTH), "-")
    share = 100 * float(np.mean(sample.label > 0))
    panel.set_title(
        f"{look.text(stratum, 20)}: {share:.1f} %", fontsize=9.5, fontweight="bold", loc="center", pad=15
    )
    panel.text(
        0.5, 1.02, look.text(name, 34), transform=panel.transAxes, ha="center", fontsize=8, color="0.35"
    )


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
