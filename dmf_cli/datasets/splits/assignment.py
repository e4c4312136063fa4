"""Dealing images out to parts: units stay together, and every kind gets its share of each part."""

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Unit = tuple[int, ...]  # indices of images that stay together
Kind = tuple[Any, ...]  # of an image, coarse to fine: (class, size of the lesion)


def deal(
    units: Sequence[Unit], kinds: Sequence[Kind], names: Sequence[str], shares: Sequence[float], salt: str
) -> list[list[Unit]]:
    """``units`` as ``len(shares)`` lists, none of them empty.

    The order is that of a hash of (salt, name): the same on every machine, whatever the order of the files,
    and an image that is added later moves few others. Units of several images come first, large ones before
    small ones, each to the part where it lowers the chi-square of the counts (of all images, of each class,
    of each class and size) most. Single images then fill up the shares kind by kind: whole numbers first,
    remainders where most is lacking.

    Args:
        units: disjoint, at least as many as shares.
        kinds: one an image, all equally long, not empty.
        names: one an image.
        shares: of the parts, above 0, together 1.
        salt: another one makes another order.
    """
    ordered = sorted(units, key=lambda unit: _rank(salt, names[unit[0]]))
    total, parts = _count(ordered, kinds), [_Part(share) for share in shares]
    for unit in sorted((u for u in ordered if len(u) > 1), key=len, reverse=True):
        added = _count([unit], kinds)
        gains = [part.gain(added, total) for part in parts]
        parts[gains.index(max(gains))].take([unit], kinds)
    single = [unit for unit in ordered if len(unit) == 1]
    for kind in sorted({kinds[unit[0]] for unit in single}):
        mine = [unit for unit in single if kinds[unit[0]] == kind]
        for part, number in zip(parts, _numbers(kind, len(mine), total[kind], parts), strict=True):
            part.take(mine[:number], kinds)
            mine = mine[number:]
    _fill_empty(parts)
    return [part.units for part in parts]


class _Part:
    """Units dealt to one part, and how many images of each kind they are."""

    def __init__(self, share: float) -> None:
        self.share, self.units = share, list[Unit]()
        self.held: Counter[Kind] = Counter()

    def take(self, units: Iterable[Unit], kinds: Sequence[Kind]) -> None:
        for unit in units:
            self.units.append(unit)
            self.held += _count([unit], kinds)

    def gain(self, added: Mapping[Kind, int], total: Mapping[Kind, int]) -> float:
        """By how much ``added`` would lower the chi-square against the share of ``total``."""
        wanted = {kind: self.share * total[kind] for kind in added}
        # fsum: the same bits in any order, on any machine
        return math.fsum(
            n * (2 * (wanted[kind] - self.held[kind]) - n) / wanted[kind] for kind, n in added.items()
        )


def _numbers(kind: Kind, single: int, all_of_kind: int, parts: Sequence[_Part]) -> list[int]:
    """How many of the ``single`` images of ``kind`` each part gets."""
    numbers = [max(0, int(all_of_kind * part.share) - part.held[kind]) for part in parts]
    coarser = [kind[:depth] for depth in range(len(kind))]
    seen = {level: single + sum(part.held[level] for part in parts) for level in coarser}

    def lack(p: int) -> float:
        part = parts[p]
        return math.fsum(part.share * seen[level] - part.held[level] - numbers[p] for level in coarser)

    while sum(numbers) > single:  # units of several images have taken more than a share somewhere
        numbers[min((p for p in range(len(parts)) if numbers[p]), key=lack)] -= 1
    while sum(numbers) < single:
        numbers[max(range(len(parts)), key=lack)] += 1
    return numbers


def _fill_empty(parts: Sequence[_Part]) -> None:
    """With very few units a share can round to nothing: take one from the part that has most."""
    for part in parts:
        if not part.units:
            part.units.append(max(parts, key=lambda p: len(p.units)).units.pop())


def _rank(salt: str, name: str) -> bytes:
    return hashlib.sha256(f"{salt}\0{name}".encode()).digest()


def _count(units: Iterable[Unit], kinds: Sequence[Kind]) -> Counter[Kind]:
    """Images of each kind and of each coarser one; ``()`` is all of them."""
    return Counter(kinds[i][:depth] for unit in units for i in unit for depth in range(len(kinds[i]) + 1))
