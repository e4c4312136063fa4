"""Cases of a function or class of the user's own: files, or pixels that it makes."""

import functools
import math
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeVar

import numpy as np

from dmf_cli import lookup
from dmf_cli.config.dataset_schema import Own
from dmf_cli.datasets.case import FIELDS, PARTS, Case, as_case
from dmf_cli.datasets.sources import content
from dmf_cli.datasets.sources.accents import plain
from dmf_cli.datasets.sources.case_sources import sources
from dmf_cli.datasets.sources.content import Source
from dmf_cli.datasets.sources.paired import PairedDataset
from dmf_cli.datasets.sources.pairing import Pair, of_strata
from dmf_cli.errors import DatasetError, DmfError, PluginError
from dmf_cli.parts import failures, registry
from dmf_cli.parts.definitions import Definition

T = TypeVar("T")
ALLOWED = (
    f"({', '.join(FIELDS)}) as a tuple, a mapping or a dmf_cli.datasets.Case; the last five may be missing"
)


class OwnDataset(PairedDataset):
    """What a function or class yields.

    What has ``__len__`` and ``__getitem__`` and is no list is asked for a case whenever it is needed, by one
    thread at a time, after all were looked at once. Anything else is read once, and its pixels are kept.

    Args:
        part: where it is written, for errors.
        cases: gives the cases.
        parts: ``own`` takes the split that the cases say; ``pool`` puts all images together.
        common: see :class:`~dmf_cli.datasets.sources.paired.PairedDataset`.

    Raises:
        PluginError: the function fails, or yields what is no case.
        DatasetError: there are no cases, or something is wrong with one.
    """

    def __init__(
        self,
        part: Definition,
        cases: Callable[[], Any],
        *,
        parts: Literal["own", "pool"] = "own",
        **common: Any,
    ) -> None:
        self._part, self._parts, self._lock = part, parts, threading.Lock()
        self._cases = self._run(cases)
        indexed = hasattr(self._cases, "__getitem__") and hasattr(self._cases, "__len__")
        self._on_demand = indexed and not isinstance(self._cases, list | tuple | Mapping)
        self._numbers: dict[str, int] = {}
        super().__init__(**common)

    def find(self, left_out: Counter[str]) -> list[Pair]:
        """See :meth:`PairedDataset.find`."""
        pairs, wrong = dict[str, Pair](), dict[str, DatasetError]()
        for number, given in enumerate(self._each()):
            case = self._case(given)
            name = self._id(case, number)
            try:
                pair = self._pair(case, name)
            except DatasetError as error:
                wrong[name] = error
                continue
            pairs[name] = _without_pixels(pair) if self._on_demand else pair
        if not self._numbers:
            raise DatasetError(f"{self._where} yields no case", path=self._part.file, allowed=ALLOWED)
        self.exclude(wrong, len(self._numbers))
        self._check(list(pairs.values()))
        names = {Path(name): pair.stratum for name, pair in pairs.items()}
        chosen = [pairs[path.as_posix()] for path in of_strata(names, names, self._strata)]
        left_out.update(Counter(names.values()) - Counter(pair.stratum for pair in chosen))
        return sorted(chosen, key=lambda pair: pair.id)

    def pair(self, index: int) -> Pair:
        """See :meth:`PairedDataset.pair`; the case is asked for if its pixels are not kept."""
        known = self._pairs[index]
        if not self._on_demand or all(isinstance(one, Path) for one in (known.image, *known.masks)):
            return known
        number = self._numbers[known.id]
        with self._lock:
            made = self._pair(self._case(self._run(lambda: self._cases[number])), known.id)
        if list(map(_digest, (made.image, *made.masks))) != list(map(_digest, (known.image, *known.masks))):
            raise DatasetError(
                f"{self._where} gives another image or mask of {known.id!r} than before",
                path=self._part.file,
                hint="give the same pixels every time: augmentation is augment=...",
            )
        return made

    @property
    def _where(self) -> str:
        return f"{self._part.place}: dataset {self._part.name!r}"

    def _each(self) -> Iterator[Any]:
        """All cases, one by one."""
        if self._on_demand:
            count = self._run(lambda: len(self._cases))
            for number in range(count):
                yield self._run(functools.partial(self._cases.__getitem__, number))
            return
        if self._cases is None or not isinstance(self._cases, Iterable):
            kind = "nothing" if self._cases is None else f"a {type(self._cases).__name__}"
            raise PluginError(
                f"{self._where} gives {kind}, and no cases", path=self._part.file, hint="let it yield cases"
            )
        iterator, done = self._run(lambda: iter(self._cases)), object()
        while (given := self._run(lambda: next(iterator, done))) is not done:
            yield given

    def _run(self, function: Callable[[], T]) -> T:
        """Code of the user's; whatever it raises becomes one line."""
        try:
            return function()
        except DmfError:
            raise
        except (Exception, SystemExit) as error:
            place = failures.where(error, self._part.file) or self._part.place
            said = next((line.strip() for line in str(error).splitlines() if line.strip()), "it says no more")
            raise PluginError(
                f"{place}: dataset {self._part.name!r}: {type(error).__name__}: {said}",
                path=self._part.file,
                hint="mend that line; DMF_DEBUG=1 shows the traceback",
            ) from error

    def _case(self, given: Any) -> Case:
        case = as_case(given)
        if isinstance(case, str):
            raise PluginError(
                f"{self._where} yields {case}, which is no case", path=self._part.file, allowed=ALLOWED
            )
        return case

    def _id(self, case: Case, number: int) -> str:
        """The id of a case, which no other has."""
        name = plain(str(case.id)) if isinstance(case.id, str | int | np.integer) else ""
        path = PurePosixPath(name)
        below = path.as_posix() == name and not path.is_absolute() and ".." not in path.parts
        if not below or name in ("", ".") or not name.isprintable():
            raise self._wrong(f"the id {case.id!r}", "a text such as benign/17")
        if name in self._numbers:
            raise DatasetError(
                f"{self._where} yields {name!r} twice, as case {self._numbers[name] + 1} and {number + 1}",
                path=self._part.file,
                hint="give each case an id of its own",
            )
        self._numbers[name] = number
        return name

    def _pair(self, case: Case, name: str) -> Pair:
        """What a case says, as files and pixels.

        Raises:
            DatasetError: it cannot be used.
            PluginError: what it says beside its pixels makes no sense.
        """
        image, masks = sources(case, name, self._where)
        folder = PurePosixPath(name).parent.as_posix()
        stratum = _text(case.stratum) or plain(self.name if folder == "." else folder)
        part = self._split(case) if self._parts == "own" else ""
        return Pair(name, stratum, image, masks, _text(case.patient), part, self._spacing(case))

    def _split(self, case: Case) -> str:
        if case.split is None:
            return ""
        if str(case.split).lower() not in PARTS:
            raise self._wrong(f"{case.id!r} with the split {case.split!r}", "train, val or test")
        return PARTS[str(case.split).lower()]

    def _spacing(self, case: Case) -> tuple[float, float] | None:
        if case.spacing is None:
            return None
        try:
            sides = np.asarray(case.spacing, float).reshape(-1).tolist()
        except (TypeError, ValueError):
            sides = []
        if not (1 <= len(sides) <= 2 and all(0 < side < math.inf for side in sides)):
            raise self._wrong(
                f"{case.id!r} with the spacing {case.spacing!r}", "millimetres per pixel, or (row, column)"
            )
        return sides[0], sides[-1]

    def _wrong(self, what: str, allowed: str) -> PluginError:
        return PluginError(f"{self._where} yields {what}", path=self._part.file, allowed=allowed)

    def _check(self, pairs: Sequence[Pair]) -> None:
        """No mask, and no split, is missing; a split of some would leave out the others without a word."""
        bare = [pair.id for pair in pairs if not pair.masks]
        if bare and self._missing_mask == "error":
            raise DatasetError(
                f"{self._where} yields no mask of {bare[0]!r} ({len(bare)} of {len(pairs)} cases have none)",
                path=self._part.file,
                hint="add it, or set dataset.missing_mask=empty if images without a mask are free of lesions",
            )
        without = [pair.id for pair in pairs if not pair.part]
        if without and len(without) < len(pairs):
            raise DatasetError(
                f"{self._where} says no split of {len(without)} of {len(pairs)} cases, first {without[0]!r}",
                path=self._part.file,
                hint="say it of all, or divide all images anew by dataset.parts=pool",
            )


def open_own(dataset: Own) -> OwnDataset:
    """The dataset of a ``dataset`` group with ``kind: own``; raises as :class:`OwnDataset`."""
    part, function = registry.definition("dataset", dataset.name), registry.find("dataset", dataset.name)
    params = {key: getattr(dataset, key) for key in part.parameters if hasattr(dataset, key)} | dataset.params
    keys = {key: getattr(dataset, key) for key in lookup.keywords(OwnDataset)}
    return OwnDataset(part, lambda: function(**params), **keys)


def _text(given: Any) -> str:
    """A name; empty for None, and for NaN, which is what pandas makes of an empty cell."""
    return "" if given is None or given != given else plain(str(given))


def _without_pixels(pair: Pair) -> Pair:
    """What is known of a case whose pixels are not kept."""
    light = [one if isinstance(one, Path) else one.light() for one in (pair.image, *pair.masks)]
    return pair._replace(image=light[0], masks=tuple(light[1:]))


def _digest(source: Source) -> bytes:
    return os.fsencode(source) if isinstance(source, Path) else content.digest(source)
