"""How the weights of a setting moved: often the whole answer is that they hardly did."""

import contextlib
import csv
import dataclasses
import math
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from dmf_cli import bounded

PREFIX, FILES = "weight.", ("steps.csv", "epochs.csv")


@dataclasses.dataclass(frozen=True)
class Weight:
    """One term's weight over all steps of all runs of a setting.

    Args:
        term: of the loss.
        mean: over steps.
        low: the lowest of any step.
        high: the highest.
    """

    term: str
    mean: float
    low: float
    high: float

    @property
    def described(self) -> str:
        """``bce .49 (.41 to .58)``; one number where it never moved."""
        still = self.high - self.low < 5e-4
        mean = f"{self.term} {self.mean:.3f}"
        return f"{mean} throughout" if still else f"{mean} ({self.low:.3f} to {self.high:.3f})"


def weights(runs: Sequence[Path]) -> tuple[Weight, ...]:
    """Each term's weight over the steps of ``runs``; over their epochs where a run has no steps.

    One line of a file is held at a time, whatever its length. Terms in the order of the files; empty where no
    run has any. A damaged line is skipped.
    """
    seen: dict[str, list[float]] = {}  # term -> sum, count, lowest, highest
    for run in runs:
        for term, value in _values(run):
            total = seen.setdefault(term, [0.0, 0.0, math.inf, -math.inf])
            total[0] += value
            total[1] += 1
            total[2], total[3] = min(total[2], value), max(total[3], value)
    return tuple(Weight(term, sum_ / n, low, high) for term, (sum_, n, low, high) in seen.items())


def _values(run: Path) -> Iterator[tuple[str, float]]:
    for name in FILES:
        weights = _of(run / name)
        first = list(islice(weights, 1))
        if first:
            yield from first
            yield from weights
            return


def _of(file: Path) -> Iterator[tuple[str, float]]:
    """(term, weight) of every line; nothing where the file cannot be read."""
    with contextlib.suppress(OSError, csv.Error), bounded.opened_text(file, errors="replace") as stream:
        rows = csv.reader(stream)
        header = next(rows, [])
        columns = [(i, name.removeprefix(PREFIX)) for i, name in enumerate(header) if name.startswith(PREFIX)]
        for row in rows:
            if len(row) != len(header):
                continue  # cut off by a crash
            for i, term in columns:
                with contextlib.suppress(ValueError):
                    value = float(row[i] or "nan")
                    if math.isfinite(value):
                        yield term, value
