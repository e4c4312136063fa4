"""Lesions of every class in every part of a split, where there are enough of them."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from dmf_cli.datasets.splits.assignment import Kind, Unit

Holds = Sequence[Collection[int | str]]  # the classes above the background of each image


def represent(
    parts: Sequence[Sequence[Unit]], kinds: Sequence[Kind], holds: Holds, *, train: bool = True
) -> list[list[Unit]]:
    """``parts`` with as few units exchanged as it takes for each part to hold each class.

    Random shares leave a rare class out of a part: of 3 lesions among 100 images, 15 % for the validation are
    less than one. A class in at least as many units as there are parts gets into all of them, unless that
    would take another class away; one in fewer units is kept in the first part, to be learned at all.
    Nothing is changed where nothing is lacking.

    Args:
        parts: units as dealt out, the first part is trained on.
        kinds: one an image, see :func:`dmf_cli.datasets.splits.assignment.deal`: units of one stratum are
            exchanged rather than others.
        holds: one an image.
        train: whether the first part needs a class that is too rare for all parts.
    """
    table = _Table(parts, kinds, holds)
    for _ in range(2):  # what one class could not have may be free after another has moved
        for name, count in sorted(table.units.items(), key=lambda item: (item[1], str(item[0]))):
            needed = range(len(parts)) if count >= len(parts) else range(1 if train else 0)
            for place in needed:
                if not table.held[place][name]:
                    table.bring(name, place, last=count < len(parts))
    return table.parts


class _Table:
    """The parts and how many units of each class they hold."""

    def __init__(self, parts: Sequence[Sequence[Unit]], kinds: Sequence[Kind], holds: Holds) -> None:
        self.parts, self.kinds = [list(part) for part in parts], kinds
        self.classes = {
            unit: frozenset(name for i in unit for name in holds[i]) for part in parts for unit in part
        }
        self.held = [Counter(name for unit in part for name in self.classes[unit]) for part in self.parts]
        self.units = sum(self.held, Counter[int | str]())

    def bring(self, name: int | str, place: int, *, last: bool) -> None:
        """Get a unit with ``name`` into part ``place``, in exchange for the one that is most like it.

        Args:
            name: a class.
            place: number of a part that lacks it.
            last: the other part may lose its only unit of the class.
        """
        moves = [
            (self._cost(unit, back, source, name), source, unit, back)
            for source, unit in self._offers(name, place, last)
            for back in self._returns(unit, source, place)
        ]
        if moves:
            _, source, unit, back = min(moves, key=lambda move: move[0])
            self._move(unit, source, place)
            if back is not None:
                self._move(back, place, source)

    def _offers(self, name: int | str, place: int, last: bool) -> Iterator[tuple[int, Unit]]:
        """(part, unit) of the units with ``name`` that their part can spare."""
        for source, part in enumerate(self.parts):
            for unit in part:
                others = self.classes[unit] - ({name} if last else set())
                if source != place and name in self.classes[unit] and self._spares(source, others):
                    yield source, unit

    def _returns(self, unit: Unit, source: int, place: int) -> Iterator[Unit | None]:
        """What part ``place`` could give for ``unit``; None: nothing, so that it grows."""
        for back in self.parts[place]:
            if self._spares(place, self.classes[back] - self.classes[unit]):
                yield back
        if len(self.parts[source]) > 1:
            yield None

    def _spares(self, place: int, names: Collection[int | str]) -> bool:
        return all(self.held[place][name] > 1 for name in names)

    def _cost(
        self, unit: Unit, back: Unit | None, source: int, name: int | str
    ) -> tuple[int, bool, int, Unit, Unit]:
        """Sizes of the parts and their strata stay if they can; the part that has most of the class gives."""
        size = abs(len(unit) - len(back)) if back else len(unit)
        other = not back or self.kinds[unit[0]][0] != self.kinds[back[0]][0]
        return size, other, -self.held[source][name], unit, back or ()

    def _move(self, unit: Unit, source: int, place: int) -> None:
        self.parts[source].remove(unit)
        self.parts[place].append(unit)
        self.held[source].subtract(self.classes[unit])
        self.held[place].update(self.classes[unit])
