"""What a split leaks: near-duplicates, or images of one patient, on several sides of it."""

from collections.abc import Callable, Iterable, Sequence

from dmf_cli.datasets.base import Dataset
from dmf_cli.datasets.finding import Finding
from dmf_cli.datasets.sources.description import SimilarPair
from dmf_cli.datasets.sources.survey import Survey
from dmf_cli.datasets.splits import division
from dmf_cli.errors import DatasetError

SEEDS = 20  # of plain random splits
_PLAIN = {"leak_free": False, "file": None}

MakeSplit = Callable[..., division.Split]


def leaks(dataset: Dataset, split: division.Split, pairs: Iterable[SimilarPair]) -> dict[str, float]:
    """What ``split`` leaks.

    Returns:
        ``pairs``: near-duplicates in two parts; ``patients``: with images in two parts; ``test_images`` and
        ``test_share``: of the test images those whose near-duplicate or patient is in train or val.
    """
    side = {index: part for part in division.PARTS for index in getattr(split, part)}
    across = [p for p in pairs if p.second in side and side.get(p.first, "") not in ("", side[p.second])]
    of_patient: dict[str, set[str]] = {}
    for index, part in side.items():
        if dataset.groups:
            of_patient.setdefault(dataset.groups[index], set()).add(part)
    exposed = {i for p in across for i in (p.first, p.second) if side[i] == "test"}
    exposed |= {i for i in split.test if dataset.groups and len(of_patient[dataset.groups[i]]) > 1}
    return {
        "pairs": len(across),
        "patients": sum(len(parts) > 1 for parts in of_patient.values()),
        "test_images": len(exposed),
        "test_share": len(exposed) / len(split.test),
    }


def of_splits(
    dataset: Dataset, seen: Survey, pairs: Sequence[SimilarPair], make_split: MakeSplit
) -> tuple[dict[str, dict[str, float]], list[Finding]]:
    """What the split of the config leaks, and plain random ones; with leaks of the former as findings."""
    if not len(dataset):
        return {}, []
    try:
        ours, plain = make_split(dataset, seen), make_split(dataset, seen, **_PLAIN)
        others = [make_split(dataset, seen, **_PLAIN, seed=seed) for seed in range(SEEDS)]
    except DatasetError as error:
        return {}, [Finding("other", (dataset.name,), str(error))]
    side = {index: part for part in division.PARTS for index in getattr(ours, part)}
    findings = []
    for pair in pairs:
        parts = side.get(pair.first), side.get(pair.second)
        if None not in parts and parts[0] != parts[1]:
            names = dataset.ids[pair.first], dataset.ids[pair.second]
            text = f"{parts[0]} {names[0]} ~ {parts[1]} {names[1]} ({pair.similarity:.2f})"
            findings.append(Finding("leak", names, text))
    findings += _parted(dataset, ours)
    of_others = [leaks(dataset, other, pairs) for other in others]
    mean = {key: round(sum(one[key] for one in of_others) / SEEDS, 3) for key in of_others[0]}
    named = {"as configured": leaks(dataset, ours, pairs), "plain random": leaks(dataset, plain, pairs)}
    return {**named, f"plain random, {SEEDS} seeds": mean}, findings


def _parted(dataset: Dataset, split: division.Split) -> list[Finding]:
    """Groups, such as patients, that a split has on several sides."""
    return [
        Finding("leak", tuple(parts.values()), f"{group} is in {' and '.join(parts)}")
        for group, parts in division.parted(dataset, split).items()
    ]
