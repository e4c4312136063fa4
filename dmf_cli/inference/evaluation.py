"""Scores of a network on a dataset: one row an image, a summary, and a few images to look at.

NumPy only: the network is a function that is passed in. Only figures are kept of each image, one row of
numbers, so memory does not grow with the size of the images.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from dmf_cli import metrics
from dmf_cli.datasets.base import Dataset
from dmf_cli.datasets.sources.grey_depth import shown
from dmf_cli.errors import DatasetError, PluginError
from dmf_cli.inference.full_scores import CalibrationScores, FullScores, OwnScores
from dmf_cli.inference.prediction import Prediction
from dmf_cli.inference.predictor import Predicted, Source
from dmf_cli.metrics import summary
from dmf_cli.metrics.own import Own
from dmf_cli.run_folder import headline
from dmf_cli.run_folder.cases import Example as Example

DISPLAY = 512  # longest side of an example, in pixels
KEPT = 2**25  # pixels of pictures that are kept until it is known which are shown: 128 large ones
More = FullScores | OwnScores | CalibrationScores
Picture = tuple[np.ndarray, np.ndarray, np.ndarray]  # image, truth, prediction
RANKS = ("best", "upper quartile", "median", "lower quartile", "worst")
WORST, BEST = 12, 4  # cases that are kept to look at closely


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What :func:`evaluate` returns.

    Args:
        rows: one an image, in the order of the source: ``id stratum height width outcome``, pixel counts,
            then ``foreground.METRIC``, with several classes ``mean.METRIC``, and ``class.NAME.METRIC`` (NaN
            where undefined), of ``full`` and ``own`` last.
        summary: of :func:`dmf_cli.metrics.summary.summarize`, and ``settings``.
        examples: best first, misses and false alarms last.
        cases: the worst images, worst first, then the best, best first; see :func:`extremes`.
    """

    rows: list[dict[str, Any]]
    summary: dict[str, Any]
    examples: list[Example]
    cases: list[Example] = dataclasses.field(default_factory=list)


def evaluate(
    source: Source,
    dataset: Dataset,
    indices: Sequence[int],
    *,
    prediction: Prediction,
    empty: str = "nan",
    full: metrics.Full | None = None,
    own: Sequence[Own] = (),
    split: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Predict and score images ``indices`` of ``dataset``.

    Args:
        source: gives the images of some indices with their masks, in any order, such as
            :func:`dmf_cli.inference.predictor.predictions`.
        dataset: images and truth at their original size.
        indices: which images, at least one.
        prediction: how network inputs are made, and probabilities become masks.
        empty: ``nan``, ``zero`` or ``one``, see :func:`dmf_cli.metrics.rules`.
        full: surface distances, calibration and detection as well, with these options; None: not.
        own: metrics of the user's.
        split: what tables call these images, e.g. ``test``.
        progress: called with (images done, images) after each image.

    Raises:
        DatasetError: no images, a bad file, or a label outside the classes.
        ConfigError: a setting that does not exist, or a network that does not fit the dataset.
        NonFiniteError: the network predicts NaN or infinity.
        PluginError: a metric of the user's fails.
    """
    empty = metrics.empty_name(empty)
    if not len(indices):
        raise DatasetError(f"there are no images of {dataset.name} to score", hint="choose another split")
    more = _more(dataset, indices, empty, full, own)
    if prediction.temperature != 1.0:
        more.append(CalibrationScores(prediction))
    heads: list[dict[str, Any]] = []
    matrices: list[np.ndarray] = []
    lesions = np.zeros((len(dataset.classes),) * 2, np.int64)
    pictures: dict[int, Picture] = {}
    order: list[int] = []
    for one in source(indices):
        order.append(one.index)
        heads.append(_head(dataset, one))
        matrices.append(_confusion(dataset, one))
        lesions += _lesions(dataset, one, full)
        for scores in more:
            _add(scores, dataset, one)
        if len(pictures) * DISPLAY**2 < KEPT:
            pictures[len(pictures)] = _picture(one, prediction)
        if progress:
            progress(len(heads), len(indices))
    rows = _rows(heads, np.stack(matrices), dataset.classes, empty)
    figures = summary.summarize(np.stack(matrices), dataset.classes, empty=empty, lesions=lesions)
    figures["settings"] = _settings(dataset, prediction, empty, split)
    for scores in more:
        rows = [{**row, **others} for row, others in zip(rows, scores.rows, strict=True)]
        scores.complete(figures)
    chosen, outer = choose(rows), extremes(rows)
    wanted = [row for row in dict.fromkeys((*chosen, *outer)) if row not in pictures]
    again = source([order[row] for row in wanted]) if wanted else ()
    pictures |= {order.index(one.index): _picture(one, prediction) for one in again}
    examples, cases = (
        [_example(rows[row], kind, pictures[row]) for row, kind in kinds.items()] for kinds in (chosen, outer)
    )
    return Evaluation(rows, figures, examples, cases)


def pixel_sizes(dataset: Dataset, indices: Sequence[int]) -> Mapping[int, tuple[float, float]] | None:
    """Index -> millimetres per pixel (row, column) of its image; None unless all of them are known."""
    sizes = {index: dataset.pixel_size(index) for index in indices}
    known = {index: size for index, size in sizes.items() if size is not None}
    return known if len(known) == len(sizes) else None


def choose(rows: Sequence[dict[str, Any]]) -> dict[int, str]:
    """Row number -> why it is worth a look, at most seven; ties go to the first id, so the choice repeats.

    Those that are not among the first ``KEPT`` pixels of pictures are predicted once more.
    """
    both = [i for i, row in enumerate(rows) if row["outcome"] in ("found", "no_overlap")]
    dice = headline.metric(rows[0]) if rows else ""
    order = sorted(both, key=lambda i: (-rows[i][dice], rows[i]["id"]))
    chosen: dict[int, str] = {}
    for rank, kind in enumerate(RANKS if order else ()):
        chosen.setdefault(order[round(rank / (len(RANKS) - 1) * (len(order) - 1))], kind)
    for outcome, size in (("missed", "lesion_pixels"), ("false_alarm", "predicted_pixels")):
        sizes = {i: row[size] for i, row in enumerate(rows) if row["outcome"] == outcome}
        if sizes:
            chosen[max(sizes, key=lambda i: sizes[i])] = outcome.replace("_", " ")
    return chosen


def extremes(rows: Sequence[dict[str, Any]]) -> dict[int, str]:
    """Row number -> ``worst`` (the lowest Dice first) or ``best``; not where it is undefined.

    Among equals (many a zero) what is larger, in the truth and the prediction together, is worse.
    """
    dice = headline.metric(rows[0]) if rows else ""
    counted = [i for i, row in enumerate(rows) if not math.isnan(row[dice])]
    sizes = {i: rows[i]["lesion_pixels"] + rows[i]["predicted_pixels"] for i in counted}
    order = sorted((i for i in counted if sizes[i]), key=lambda i: (rows[i][dice], -sizes[i], rows[i]["id"]))
    best = order[WORST:][-BEST:]
    return {**dict.fromkeys(order[:WORST], "worst"), **dict.fromkeys(reversed(best), "best")}


def _more(
    dataset: Dataset, indices: Sequence[int], empty: str, full: metrics.Full | None, own: Sequence[Own]
) -> list[More]:
    """What is scored beside the counts."""
    if not full and not own:
        return []
    sizes = pixel_sizes(dataset, indices)
    found: list[More] = []
    if full:
        found.append(FullScores(full, dataset.classes, sizes, empty))
    if own:
        found.append(OwnScores(own, dataset.classes, sizes, empty))
    return found


def _add(scores: More, dataset: Dataset, one: Predicted) -> None:
    try:
        scores.add(one)
    except PluginError as error:
        raise error.within(f"{dataset.name}, image {dataset.ids[one.index]!r}") from error.__cause__


def _head(dataset: Dataset, one: Predicted) -> dict[str, Any]:
    """The columns of a row that come from the dataset."""
    height, width = one.image.shape[:2]
    facts = {"id": dataset.ids[one.index], "stratum": dataset.strata[one.index]}
    return {**facts, "height": height, "width": width}


def _confusion(dataset: Dataset, one: Predicted) -> np.ndarray:
    try:
        return metrics.confusion(one.scored(one.truth), one.scored(one.prediction), len(dataset.classes))
    except DatasetError as error:
        raise error.within(f"{dataset.name}, image {dataset.ids[one.index]!r}") from None


def _lesions(dataset: Dataset, one: Predicted, full: metrics.Full | None) -> np.ndarray | int:
    """The lesions of one image by class and prediction; of one class there is nothing to confuse."""
    if len(dataset.classes) < 3:
        return 0
    masks, classes = (one.truth, one.prediction), len(dataset.classes)
    if full is None:
        return metrics.lesion_confusion(*masks, classes)
    return metrics.lesion_confusion(*masks, classes, connectivity=full.connectivity, overlap=full.overlap)


def _rows(
    heads: Sequence[dict[str, Any]], matrices: np.ndarray, classes: Sequence[str], empty: str
) -> list[dict[str, Any]]:
    """``heads`` with outcome, pixel counts and every metric."""
    counts = metrics.foreground_counts(matrices)
    columns: dict[str, np.ndarray] = {
        "outcome": summary.outcome(counts),
        "lesion_pixels": counts.truth,
        "predicted_pixels": counts.predicted,
        "overlap_pixels": counts.tp,
    }
    columns |= {f"foreground.{k}": v for k, v in metrics.values(counts, empty=empty).items()}
    if len(classes) > 2:
        means = summary.per_image_means(metrics.class_counts(matrices), empty)
        columns |= {f"mean.{k}": v for k, v in means.items()}
    each = metrics.values(metrics.class_counts(matrices), empty=empty)
    for c, name in enumerate(classes):
        columns |= {f"class.{name}.{k}": v[:, c] for k, v in each.items()}
    return [{**head, **{k: v[i].item() for k, v in columns.items()}} for i, head in enumerate(heads)]


def _picture(one: Predicted, prediction: Prediction) -> Picture:
    """Image and masks thinned out by one step, so that they stay on top of each other."""
    step = -(-max(one.truth.shape) // DISPLAY)
    image = shown(one.image) if prediction.resolution == "original" else shown(one.network)
    thin = [np.ascontiguousarray(part[::step, ::step]) for part in (image, one.truth, one.prediction)]
    return thin[0], thin[1], thin[2]


def _example(row: dict[str, Any], kind: str, picture: Picture) -> Example:
    return Example(row["id"], kind, row[headline.metric(row)], *picture)


def _settings(dataset: Dataset, prediction: Prediction, empty: str, split: str | None) -> dict[str, Any]:
    """What the figures depend on, for the header of every table."""
    spec = prediction.spec
    return {
        "dataset": dataset.name,
        "split": split,
        "image_size": spec.size,
        "resize": spec.resize,
        "normalize": spec.normalize,
        "threshold": prediction.threshold,
        "resolution": prediction.resolution,
        **_prediction(prediction, len(dataset.classes)),
        "empty": empty,
        "rules": metrics.rules(empty),
    }


def _prediction(prediction: Prediction, classes: int) -> dict[str, Any]:
    """What masks depend on beside the threshold; nothing where that is all."""
    options = prediction.options
    return {"rule": prediction.rule(classes), "predict": options} if options else {}
