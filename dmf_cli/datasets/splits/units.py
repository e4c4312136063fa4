"""Which images a split must keep together, and which lesions count as equally large."""

from collections.abc import Iterable, Sequence

from dmf_cli.datasets.base import Dataset
from dmf_cli.datasets.splits.assignment import Unit


def links_of(dataset: Dataset, similar: Iterable[tuple[int, int]] = ()) -> list[tuple[int, int]]:
    """``similar`` pairs, and each image with the first one of its group (its patient)."""
    first: dict[str, int] = {}
    same = [(first.setdefault(group, i), i) for i, group in enumerate(dataset.groups or ()) if group]
    return [*similar, *(pair for pair in same if pair[0] != pair[1])]


def size_classes(dataset: Dataset, areas: Sequence[float], classes: int) -> list[int]:
    """0 for images without foreground; for the others of each stratum 1 (small) to ``classes``, equally many.

    Args:
        dataset: for strata and ids, which decide between equal areas.
        areas: one an image.
        classes: at least 1.
    """
    numbers = [0] * len(areas)
    for stratum in set(dataset.strata):
        mine = [i for i, s in enumerate(dataset.strata) if s == stratum and areas[i] > 0]
        for rank, i in enumerate(sorted(mine, key=lambda i: (areas[i], dataset.ids[i]))):
            numbers[i] = 1 + rank * classes // len(mine)
    return numbers


def united(count: int, links: Iterable[tuple[int, int]]) -> list[int]:
    """For each of ``count`` images the least index that ``links`` lead to, over any number of them."""
    parent = list(range(count))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for a, b in links:
        low, high = sorted((root(a), root(b)))
        parent[high] = low
    return [root(index) for index in range(count)]


def units_of(count: int, links: Iterable[tuple[int, int]]) -> list[Unit]:
    """``count`` images as units: those that ``links`` join, over any number of them, and single ones."""
    members: dict[int, list[int]] = {}
    for index, root in enumerate(united(count, links)):
        members.setdefault(root, []).append(index)
    return [tuple(unit) for unit in members.values()]
