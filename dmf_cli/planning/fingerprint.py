"""What a plan has to know of the images of a dataset."""

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from dmf_cli.terminal.formats import count

if TYPE_CHECKING:
    from dmf_cli.config.typed import Config


@dataclasses.dataclass(frozen=True)
class Fingerprint:
    """Facts of a dataset, those of the test images left out of all but their number.

    Args:
        name: of the dataset.
        train: images that are trained on.
        val: images of the validation.
        test: images that are scored.
        height: smallest, median and largest, in pixels.
        width: likewise.
        aspect: 10th and 90th percentile of width / height.
        grey: median of the darkest and of the brightest grey; None: not known.
        classes: names, background first.
        small: diameter of a small lesion (10th percentile), as a share of the side of the network input
            that the image fills; 0: no lesion.
        lesion: median diameter, likewise.
        without: images without a lesion.
        patients: how many, None: not known.
        spacing: millimetres per pixel (row, column), None: not known.
        channels: of the images.
        letterboxed: ``small`` and ``lesion`` where the input is a square with padding; None: as without.
    """

    name: str
    train: int
    val: int
    test: int
    height: tuple[int, int, int]
    width: tuple[int, int, int]
    aspect: tuple[float, float]
    grey: tuple[float, float] | None
    classes: tuple[str, ...]
    small: float
    lesion: float
    without: int
    patients: int | None = None
    spacing: tuple[float, float] | None = None
    channels: int = 1
    letterboxed: tuple[float, float] | None = None

    @property
    def side(self) -> int:
        """The shorter side of a typical image."""
        return min(self.height[1], self.width[1])

    def resized(self, how: str) -> "Fingerprint":
        """The facts with the lesions as wide as ``dataset.resize=how`` makes them."""
        if how != "letterbox" or self.letterboxed is None:
            return self
        small, lesion = self.letterboxed
        return dataclasses.replace(self, small=small, lesion=lesion)

    def lines(self) -> list[str]:
        """The facts in words."""
        sizes = f"{_sides(self.height)} x {_sides(self.width)} pixels"
        spacing = (
            f"{self.spacing[0]:g} x {self.spacing[1]:g} mm a pixel" if self.spacing else "spacing unknown"
        )
        grey = f", grey {self.grey[0]:.0f} to {self.grey[1]:.0f}" if self.grey else ""
        lesions = (
            f"diameter {self.lesion:.0%} of the side, small ones {self.small:.0%}" if self.lesion else "none"
        )
        who = count(self.patients, "patient") if self.patients else "patients unknown"
        return [
            f"images    {self.train} train, {self.val} val, {self.test} test; {who}",
            f"size      {sizes} (height x width), {spacing}{grey}",
            f"lesions   {lesions}; {count(self.without, 'image')} without",
            f"classes   {', '.join(self.classes)}",
        ]


def of(config: "Config") -> Fingerprint:
    """The facts of the dataset of ``config``, divided as its split says.

    Raises:
        DatasetError: images or masks cannot be used, or there are none.
    """
    from dmf_cli import datasets
    from dmf_cli.datasets.input import run_data
    from dmf_cli.datasets.input_spec import InputSpec
    from dmf_cli.datasets.sources.survey import survey

    datasets.check_place(config.dataset)
    dataset = datasets.open_dataset(config.dataset)
    found = survey(dataset, InputSpec.of(config.dataset), alike=config.split.similarity is not None)
    found.refuse()
    split = run_data.make_split(config.split, dataset, found=found)
    known = sorted({*split.train, *split.val})  # what the network is chosen by, so no test image
    facts, labels = [found.facts[i] for i in known], [found.labels[i] for i in known]
    heights, widths = np.array([one.grey[:2] for one in facts]).T
    areas = np.array([label.area for label in labels])
    filled = np.minimum(heights / widths, widths / heights)  # share of a square that a letterbox fills
    small, lesion = _diameters(areas)
    return Fingerprint(
        dataset.name,
        len(split.train),
        len(split.val),
        len(split.test),
        _spread(heights),
        _spread(widths),
        tuple(np.percentile(widths / heights, (10, 90)).round(3).tolist()),
        tuple(np.median([one.ends for one in facts], axis=0).tolist()),
        tuple(dataset.classes),
        small,
        lesion,
        sum(label.area == 0 for label in labels),
        len(set(dataset.groups)) if dataset.groups else None,
        dataset.spacing,
        dataset.channels,
        _diameters(areas * filled),
    )


def _diameters(areas: np.ndarray) -> tuple[float, float]:
    """Of a small lesion and of the median one, from shares of the input's area; 0: no lesion."""
    found = np.sqrt(4 / np.pi * areas[areas > 0]) if areas.any() else np.zeros(1)
    return float(np.percentile(found, 10).round(4)), float(np.median(found).round(4))


def _spread(values: np.ndarray) -> tuple[int, int, int]:
    return int(values.min()), int(np.median(values)), int(values.max())


def _sides(spread: tuple[int, int, int]) -> str:
    low, middle, high = spread
    return str(middle) if low == high else f"{middle} ({low} to {high})"
