"""Scores of a network on images, at their original size, streamed batch by batch."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from dmf_cli import metrics
from dmf_cli.datasets import images
from dmf_cli.datasets.base import Dataset, Sample
from dmf_cli.metrics import Counts

Predict = Callable[[np.ndarray], np.ndarray]
KEPT = 4  # examples from each end


@dataclasses.dataclass(frozen=True)
class Example:
    """One image to look at: ``(H, W, C)`` uint8, label maps ``(H, W)``, foreground Dice."""

    id: str
    image: np.ndarray
    truth: np.ndarray
    prediction: np.ndarray
    dice: float


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Scores of a split.

    Args:
        rows: one dict an image (id, stratum, sizes, every metric of the foreground and of each class).
        summary: means, pooled figures, counts, trivial predictors, settings; plain numbers and None.
        examples: the worst and the best images, worst first.
    """

    rows: list[dict[str, Any]]
    summary: dict[str, Any]
    examples: list[Example]


def evaluate(
    predict: Predict,
    dataset: Dataset,
    indices: Sequence[int],
    *,
    image_size: Any,
    resize: images.Resize = "stretch",
    normalize: images.Normalize = "unit",
    batch_size: int = 16,
    threshold: float = 0.5,
    empty: Literal["nan", "one", "zero"] = "nan",
    resolution: Literal["original", "network"] = "original",
) -> Evaluation:
    """Evaluate ``predict`` on images ``indices`` of ``dataset``.

    Args:
        predict: network inputs ``(b, h, w, C)`` float32 to probabilities ``(b, h, w, K)``.
        dataset: images and label maps at their original size.
        indices: which images.
        image_size: of the network input.
        resize: see :func:`dmf_cli.datasets.images.prepare`.
        normalize: see :func:`dmf_cli.datasets.images.prepare`.
        batch_size: images predicted at once; no figure depends on it.
        threshold: the foreground of a binary problem is where its probability reaches this.
        empty: see :func:`dmf_cli.metrics.per_image`.
        resolution: ``original`` resizes probabilities back and compares with the untouched label map;
            ``network`` compares at ``image_size``.
    """
    size = images.as_size(image_size)
    counts, facts, examples = [], [], _Examples()
    for start in range(0, len(indices), batch_size):
        batch = indices[start : start + batch_size]
        samples = [dataset.load(i) for i in batch]
        prepared = [images.prepare(s.image, size=size, resize=resize, normalize=normalize) for s in samples]
        probabilities = predict(np.stack([p[0] for p in prepared]))
        for index, sample, (_, where), found in zip(batch, samples, prepared, probabilities, strict=True):
            truth, prediction = _masks(sample, found, where, size, resize, threshold, resolution)
            count = metrics.confusion(truth, prediction, len(dataset.classes))
            counts.append(count)
            facts.append(_facts(dataset, index, sample, count))
            examples.add(_example(dataset.ids[index], sample, truth, prediction, count))
    settings = {"images": len(indices), "threshold": threshold, "empty": empty, "resolution": resolution}
    settings["network_size"] = list(size)
    return _collect(dataset, Counts.stack(counts), facts, examples.chosen(), settings)


def _masks(
    sample: Sample,
    probabilities: np.ndarray,
    where: Any,
    size: Any,
    resize: Any,
    threshold: float,
    resolution: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Label maps of truth and prediction at the resolution that is scored."""
    if resolution == "original":
        return sample.label, to_labels(images.restore(probabilities, where), threshold)
    return images.prepare_label(sample.label, size, resize), to_labels(probabilities, threshold)


def to_labels(probabilities: np.ndarray, threshold: float) -> np.ndarray:
    """Label map ``(H, W)`` uint8 of probabilities ``(H, W, K)``: threshold for K < 3, else the likeliest."""
    if probabilities.shape[-1] > 2:
        return probabilities.argmax(axis=-1).astype(np.uint8)
    return (probabilities[..., -1] >= threshold).astype(np.uint8)


def _facts(dataset: Dataset, index: int, sample: Sample, count: Counts) -> dict[str, Any]:
    height, width = sample.label.shape
    return {
        "id": dataset.ids[index],
        "stratum": dataset.strata[index],
        "height": height,
        "width": width,
        "lesion_pixels": int(count.tp[-1] + count.fn[-1]),
        "predicted_pixels": int(count.tp[-1] + count.fp[-1]),
    }


def _example(name: str, sample: Sample, truth: np.ndarray, prediction: np.ndarray, count: Counts) -> Example:
    """At the scored resolution; a label map of network size is shown over an image resized to it."""
    image = sample.image
    if image.shape[:2] != truth.shape:
        image = (images.prepare(image, size=truth.shape)[0] * 255).astype(np.uint8)
    return Example(name, image, truth, prediction, float(metrics.dice(count)[-1]))


class _Examples:
    """The worst and the best images so far; memory does not grow with their number."""

    def __init__(self) -> None:
        self._found: list[Example] = []

    def add(self, example: Example) -> None:
        if math.isnan(example.dice):
            return
        self._found = sorted([*self._found, example], key=lambda e: (e.dice, e.id))
        if len(self._found) > 2 * KEPT:
            self._found = self._found[:KEPT] + self._found[-KEPT:]

    def chosen(self) -> list[Example]:
        return self._found


def _collect(
    dataset: Dataset,
    counts: Counts,
    facts: list[dict[str, Any]],
    examples: list[Example],
    settings: dict[str, Any],
) -> Evaluation:
    """Rows and summary from the counts ``(images, classes + 1)``."""
    names = [*dataset.classes, "foreground"]
    scores = metrics.per_image(counts, settings["empty"])
    balanced = metrics.cbdice(counts[:, :-1])
    columns = {f"foreground.{m}": scores[m][:, -1] for m in scores} | {"cbdice": balanced}
    columns |= {f"{name}.{m}": scores[m][:, c] for c, name in enumerate(dataset.classes) for m in scores}
    rows = [{**fact, **{k: float(v[i]) for k, v in columns.items()}} for i, fact in enumerate(facts)]
    total = counts.sum()
    parts = {name: _part(scores, metrics.pooled(total), c) for c, name in enumerate(names)}
    foreground = parts.pop("foreground")
    summary = {
        "foreground": foreground,
        "classes": parts,
        "cbdice": _statistics(balanced, float(metrics.cbdice(total[:-1]))),
        "counts": _counts(counts),
        "trivial": _trivial(counts[:, -1], settings["empty"]),
        "settings": {"dataset": dataset.name, "fingerprint": dataset.fingerprint(), **settings},
    }
    return Evaluation(rows, _plain(summary), examples)


def _part(scores: dict[str, np.ndarray], pooled: dict[str, np.ndarray], entry: int) -> dict[str, Any]:
    return {m: _statistics(values[:, entry], float(pooled[m][entry])) for m, values in scores.items()}


def _statistics(values: np.ndarray, pooled: float) -> dict[str, Any]:
    """Over the images that count; the standard deviation is that of the sample (n - 1)."""
    known = values[~np.isnan(values)]
    return {
        "mean": float(known.mean()) if known.size else math.nan,
        "std": float(known.std(ddof=1)) if known.size > 1 else math.nan,
        "median": float(np.median(known)) if known.size else math.nan,
        "n": int(known.size),
        "pooled": pooled,
    }


def _counts(counts: Counts) -> dict[str, int]:
    foreground = counts[:, -1]
    truth, prediction = foreground.tp + foreground.fn > 0, foreground.tp + foreground.fp > 0
    return {
        "images": int(truth.size),
        "with_lesion": int(truth.sum()),
        "missed": int((truth & ~prediction).sum()),
        "false_alarm": int((~truth & prediction).sum()),
        "both_empty": int((~truth & ~prediction).sum()),
    }


def _trivial(foreground: Counts, empty: Any) -> dict[str, Any]:
    """What predicting nothing and everything would score: a run near these is broken."""
    truth, rest, zero = foreground.tp + foreground.fn, foreground.tn + foreground.fp, 0 * foreground.tp
    cases = {"nothing": Counts(zero, zero, truth, rest), "everything": Counts(truth, rest, zero, zero)}
    return {
        name: {
            m: _statistics(values, float(metrics.pooled(case.sum())[m]))
            for m, values in metrics.per_image(case, empty).items()
        }
        for name, case in cases.items()
    }


def _plain(value: Any) -> Any:
    """NaN as None: JSON has no NaN."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
