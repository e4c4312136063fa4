"""What is wrong with a dataset, all of it at once: files, masks, labels, duplicates, leaks between the parts.

What would make results wrong is an error; what a user should look at is a warning. The images themselves are
decoded by the survey, once.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dmf_cli.datasets.base import Dataset
from dmf_cli.datasets.finding import KINDS, Finding
from dmf_cli.datasets.inspect.leaks import MakeSplit, of_splits
from dmf_cli.datasets.inspect.statistics import Statistics
from dmf_cli.datasets.sources import image_report
from dmf_cli.datasets.sources.description import SimilarPair
from dmf_cli.datasets.sources.grouping import describe
from dmf_cli.datasets.sources.image_facts import LabelFacts
from dmf_cli.datasets.sources.paired import PairedDataset
from dmf_cli.datasets.sources.survey import Survey
from dmf_cli.datasets.splits import near_duplicates
from dmf_cli.datasets.view import DatasetView
from dmf_cli.errors import DatasetError, LabelError, SizeMismatchError, UnreadableError

ONE_PICTURE = 0.9  # similarity: below it may be another frame of one clip, or chance
_BY_ERROR = ((UnreadableError, "unreadable"), (SizeMismatchError, "size"), (LabelError, "label"))


@dataclasses.dataclass(frozen=True)
class Report:
    """Everything that the check reports.

    Args:
        dataset: what can be used of it: images that were read.
        total: images, with those that cannot be used.
        findings: sorted by kind, as in ``KINDS``.
        statistics: of the images that were read.
        survey: of the same.
        pairs: near-duplicates at ``split.similarity``, the worst first: in two classes, then by similarity.
        leaks: split -> what it leaks, see :func:`dmf_cli.datasets.inspect.leaks.leaks`.
    """

    dataset: Dataset
    total: int
    findings: tuple[Finding, ...]
    statistics: Statistics
    survey: Survey
    pairs: tuple[SimilarPair, ...]
    leaks: Mapping[str, Mapping[str, float]]

    @property
    def errors(self) -> int:
        """How many findings make results wrong."""
        return sum(finding.is_error for finding in self.findings)


def check(
    dataset: Dataset,
    seen: Survey,
    make_split: MakeSplit,
    *,
    similarity: float | None,
    needs_masks: bool = True,
    unclaimed: Iterable[Path] = (),
    remarks: Iterable[Finding] = (),
    normalize: str = "unit",
) -> Report:
    """What is wrong with the images of ``dataset``.

    Args:
        dataset: opened so that images without a mask do not stop it; what it excludes is a warning.
        seen: what is known of all of them.
        make_split: ``(images, survey, **changes of the split's config) -> split``.
        similarity: of near-duplicates; None does not report them. Synthetic images have none.
        needs_masks: an image without a mask file is an error.
        unclaimed: mask files that belong to no image.
        remarks: what is known of the masks, see :func:`dmf_cli.datasets.sources.mask_report.report`.
        normalize: of the network inputs; dark images matter to ``unit`` alone.
    """
    findings = [Finding("no image", (str(file),), f"{file} belongs to no image") for file in unclaimed]
    bare = _without_masks(dataset) if needs_masks else []
    findings += [
        Finding("no mask", (dataset.ids[i],), f"image {dataset.ids[i]!r} has no mask file") for i in bare
    ]
    # An image whose mask is missing has no lesion of size 0, but one of a size that nobody knows.
    readable = [index for index in seen.good if index not in bare]
    findings += [
        Finding(_kind(error), (dataset.ids[index],), str(error))
        for index, error in sorted(seen.errors.items())
        if index not in bare
    ]
    usable: Dataset = dataset if len(readable) == len(dataset) else DatasetView(dataset, readable)
    near_duplicates.similar(dataset, seen, similarity)
    known = seen if usable is dataset else seen.of(readable)
    statistics = Statistics(dataset.classes, dataset.ignores)
    for stratum, facts, label in zip(usable.strata, known.facts, known.labels, strict=True):
        statistics.add(stratum, facts, label)
    said = [*remarks, *dataset.remarks(), *image_report.turned(dataset.ids, seen.facts)]
    findings += [*said, *image_report.dark(usable.ids, statistics.ranges, normalize)]
    findings += [Finding("excluded", (name,), f"excluded: {why}") for name, why in dataset.unusable.items()]
    similar = near_duplicates.similar(usable, known, similarity)
    pairs = sorted(similar, key=lambda pair: (not _differ(usable, pair), -pair.similarity))
    findings += [*_masks(usable, known.labels), *_copies(usable), *_alike(usable, pairs)]
    leaked, leaking = of_splits(usable, known, pairs, make_split)
    if not leaked and usable is not dataset:
        leaking = []  # what the rest lacks for a split follows from what is wrong with the others
    order = list(KINDS)
    ordered = sorted([*findings, *leaking], key=lambda finding: order.index(finding.kind))
    total = len(dataset) + len(dataset.unusable)
    return Report(usable, total, tuple(ordered), statistics, known, tuple(pairs), leaked)


def _kind(error: DatasetError) -> str:
    return next((kind for cls, kind in _BY_ERROR if isinstance(error, cls)), "other")


def _without_masks(dataset: Dataset) -> list[int]:
    if not isinstance(dataset, PairedDataset):
        return []
    return [index for index in range(len(dataset)) if not dataset.masks(index)]


def _masks(dataset: Dataset, labels: Sequence[LabelFacts]) -> list[Finding]:
    """Empty masks are usual where no image of the stratum has a lesion (normal), and odd elsewhere."""
    areas = [label.area for label in labels]
    lesions = {s for s, area in zip(dataset.strata, areas, strict=True) if area > 0}
    findings = []
    if len(dataset) and not lesions:
        said = "no mask has a lesion pixel: check dataset.masks, dataset.threshold and dataset.values"
        findings.append(Finding("no lesion", dataset.ids, said))
    for name, stratum, area in zip(dataset.ids, dataset.strata, areas, strict=True):
        if area == 0 and stratum in lesions:
            findings.append(Finding("empty", (name,), f"the mask of {name!r} is empty"))
    return findings


def _copies(dataset: Dataset) -> list[Finding]:
    same: dict[str, list[str]] = {}
    for index, name in enumerate(dataset.ids):
        same.setdefault(dataset.content(index), []).append(name)
    return [
        Finding("copy", tuple(names), f"{len(names)} images are one file: {', '.join(names)}")
        for names in same.values()
        if len(names) > 1
    ]


def _differ(dataset: Dataset, pair: SimilarPair) -> bool:
    return dataset.strata[pair.first] != dataset.strata[pair.second]


def _alike(dataset: Dataset, pairs: Iterable[SimilarPair]) -> list[Finding]:
    findings = []
    for pair in pairs:
        names = (dataset.ids[pair.first], dataset.ids[pair.second])
        same = not _differ(dataset, pair) or pair.similarity < ONE_PICTURE
        kind = "near-duplicate" if same else "contradiction"
        findings.append(Finding(kind, names, f"{names[0]} ~ {names[1]} ({pair.similarity:.2f})"))
    return findings


def counts(findings: Iterable[Finding]) -> dict[str, int]:
    """Kind -> how many findings, in the order of ``KINDS``."""
    number = Counter(finding.kind for finding in findings)
    return {kind: number[kind] for kind in KINDS if number[kind]}


def as_json(report: Report) -> dict[str, Any]:
    """Everything but the images, in words of JSON."""
    ids = report.dataset.ids
    return {
        "dataset": report.dataset.name,
        "fingerprint": report.dataset.fingerprint(),
        "images": report.total,
        "usable": len(ids),
        "errors": report.errors,
        "warnings": len(report.findings) - report.errors,
        "grouping": describe(report.dataset),
        "findings": [
            {"kind": f.kind, "error": f.is_error, "where": list(f.where), "text": f.text}
            for f in report.findings
        ],
        "statistics": report.statistics.summary(),
        "near_duplicates": [
            {"images": [ids[p.first], ids[p.second]], "similarity": p.similarity, "bits": p.bits}
            for p in report.pairs
        ],
        "leaks": {name: dict(values) for name, values in report.leaks.items()},
    }
