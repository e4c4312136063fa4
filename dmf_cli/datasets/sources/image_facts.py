"""What is known of an image once it has been decoded: figures of its grey values and of its labels."""

import dataclasses
from typing import Any

import numpy as np

from dmf_cli.datasets.base import IGNORED, Examined
from dmf_cli.datasets.input_spec import InputSpec


@dataclasses.dataclass(frozen=True)
class LabelFacts:
    """What is known of the labels of one image.

    Args:
        counts: (label, its pixels), of all labels that are there.
        border: share of the pixels at the border that are no background.
        left: "height width resize" of a network input -> the labels that are left in it.
    """

    counts: tuple[tuple[int, int], ...]
    border: float
    left: dict[str, tuple[int, ...]] = dataclasses.field(default_factory=dict)

    @property
    def classes(self) -> tuple[int, ...]:
        """The classes above the background."""
        return tuple(label for label, _ in self.counts if 0 < label != IGNORED)

    @property
    def counted(self) -> int:
        """Pixels that are not ignored."""
        return sum(number for label, number in self.counts if label != IGNORED)

    @property
    def pixels(self) -> int:
        """All of them."""
        return sum(number for _, number in self.counts)

    @property
    def area(self) -> float:
        """Share of the pixels that are no background, of those that count."""
        lesion = sum(number for label, number in self.counts if 0 < label != IGNORED)
        return lesion / max(self.counted, 1)


@dataclasses.dataclass(frozen=True)
class ImageFacts:
    """What is known of one image.

    Args:
        grey: height, width, mean and deviation of its grey values, shares of black and of white pixels.
        ends: its darkest and brightest grey, see :func:`grey_range`.
        turned: it is a photograph that its EXIF orientation turns.
        label: of its labels; None: they cannot be read.
    """

    grey: tuple[float, ...] = ()
    ends: tuple[float, float] = (0.0, 0.0)
    turned: bool = False
    label: LabelFacts | None = None


def image_facts(seen: Examined, spec: InputSpec | None) -> ImageFacts:
    """Of one image; which labels are left in the input of ``spec`` too."""
    label = None if seen.label is None else label_facts(seen.label, spec)
    image = seen.image
    if image is None:
        return ImageFacts(turned=seen.turned, label=label)
    shares = float((image == 0).mean()), float((image == 255).mean())
    grey = (*map(float, image.shape[:2]), float(image.mean()), float(image.std()), *shares)
    return ImageFacts(grey, grey_range(image), seen.turned, label)


def label_facts(label: np.ndarray, spec: InputSpec | None) -> LabelFacts:
    """Of labels ``(H, W)``."""
    values, numbers = np.unique(label, return_counts=True)
    foreground = (label > 0) & (label != IGNORED)
    edge = np.concatenate([foreground[0], foreground[-1], foreground[:, 0], foreground[:, -1]])
    sized = {size_key(spec): present(spec.label(label))} if spec else {}
    counts = tuple(zip(values.tolist(), numbers.tolist(), strict=True))
    return LabelFacts(counts, float(edge.mean()), sized)


def present(label: np.ndarray) -> tuple[int, ...]:
    """The labels that are there."""
    return tuple(np.unique(label).tolist())


def size_key(spec: InputSpec) -> str:
    """A key of :attr:`LabelFacts.left`."""
    return f"{spec.size[0]} {spec.size[1]} {spec.resize}"


def grey_range(image: np.ndarray) -> tuple[float, float]:
    """(darkest, brightest) grey, without the 1 % of pixels at either end; of at most some 16,000 pixels."""
    step = max(1, int(np.sqrt(image.shape[0] * image.shape[1]) // 128))
    low, high = np.percentile(image[::step, ::step], (1, 99))
    return float(low), float(high)


def left(facts: LabelFacts, spec: InputSpec) -> set[int]:
    """The labels that are left in the network input; all where that is not known."""
    return set(facts.left.get(size_key(spec), facts.classes))


def from_json(entry: dict[str, Any]) -> ImageFacts:
    """The inverse of ``dataclasses.asdict``, of an image that is good; raises whatever a wrong form gives."""
    label = entry["label"]
    counts = tuple((int(value), int(number)) for value, number in label["counts"])
    sizes = {str(size): tuple(map(int, present)) for size, present in label["left"].items()}
    low, high = map(float, entry["ends"])
    facts = LabelFacts(counts, float(label["border"]), sizes)
    return ImageFacts(tuple(map(float, entry["grey"])), (low, high), bool(entry["turned"]), facts)
