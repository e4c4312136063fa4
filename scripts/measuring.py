"""What the scripts that measure share: sides in turns, ratios with intervals, tables, the page of figures.

Sides that are compared take turns in one process, in an order drawn anew each round, so that a machine that
gets slower slows all of them. A ratio is the median over the rounds of (seconds of a side / seconds of the
base in the same round); its interval is a bootstrap over the rounds.
"""

import argparse
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, NamedTuple

import numpy as np

PAGE = Path(__file__).resolve().parent.parent / "docs/background/performance.md"
PACKAGES = ("tensorflow", "keras", "jax", "torch", "numpy")
DRAWS = 2000  # of a bootstrap
Seconds = dict[str, np.ndarray]


def clock(busy: bool) -> Callable[[], float]:
    """Seconds; on a machine that does other work too those of the processors, all threads together."""
    return process_time if busy else perf_counter


class Ratio(NamedTuple):
    """A median with its 95 % interval."""

    middle: float
    low: float
    high: float


def interleaved(
    sides: Mapping[str, Callable[[], Any]],
    rounds: int,
    warm: int = 1,
    *,
    own_clock: bool = False,
    busy: bool = False,
) -> Seconds:
    """Seconds of each side in each of ``rounds`` rounds.

    Args:
        sides: name -> a function that does the work once.
        rounds: that count.
        warm: rounds before them, which compile and do not count.
        own_clock: what a side returns are its seconds.
        busy: see :func:`clock`.
    """
    now, rng = clock(busy), np.random.default_rng(0)
    found: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(warm + rounds):
        for name in rng.permutation(list(sides)):
            start = now()
            result = sides[name]()
            spent = now() - start
            if number >= warm:
                found[name].append(result if own_clock else spent)
    return {name: np.array(seconds) for name, seconds in found.items()}


def ratio(seconds: np.ndarray, base: np.ndarray) -> Ratio:
    """``seconds`` over ``base``, both of the same rounds."""
    ratios = seconds / base
    drawn = np.random.default_rng(0).integers(0, len(ratios), (DRAWS, len(ratios)))
    low, high = np.percentile(np.median(ratios[drawn], axis=1), (2.5, 97.5))
    return Ratio(float(np.median(ratios)), float(low), float(high))


def comparison(
    title: str,
    seconds: Seconds,
    base: str,
    *,
    share: float = 1,
    goals: Mapping[str, float] | None = None,
    busy: bool = False,
) -> list[str]:
    """A table of Markdown: milliseconds with their quartiles, the ratio to ``base`` with its interval.

    Args:
        title: head of the first column.
        seconds: of :func:`interleaved`.
        base: the side that the others are divided by.
        share: by what a measurement is divided to be of one step or image.
        goals: the largest ratio that is wanted of a side.
        busy: leave milliseconds out, which say nothing on a machine that does other work too.
    """
    columns = [title, *([] if busy else ["ms", "quartiles"]), f"ratio to {base}", "95 % interval"]
    rows = []
    for name, own in seconds.items():
        first, middle, third = (f"{1000 * value / share:.2f}" for value in np.percentile(own, (25, 50, 75)))
        found = ratio(own, seconds[base])
        row = [name, *([] if busy else [middle, f"{first} to {third}"]), f"{found.middle:.3f}"]
        row.append("" if name == base else f"{found.low:.3f} to {found.high:.3f}")
        if goals is not None:
            row.append(verdict(found, goals[name]) if name in goals else "")
        rows.append(row)
    return table([*columns, *(["goal"] if goals is not None else [])], rows)


def verdict(found: Ratio, goal: float) -> str:
    """Whether the ratio is at most ``goal``: met, missed, or open where its interval has both."""
    if found.low <= goal < found.high:
        return f"{goal:.2f}: open"
    return f"{goal:.2f}: {'met' if found.high <= goal else 'missed'}"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table of Markdown; all columns but the first are aligned right."""
    head = f"| {' | '.join(columns)} |"
    return [head, "|:--|" + "--:|" * (len(columns) - 1), *(f"| {' | '.join(row)} |" for row in rows)]


def slope(x: Sequence[float], y: Sequence[float]) -> tuple[float, float]:
    """The slope of the line through some points and its standard error.

    It is that of independent errors; where neighbours resemble each other it is too small, so the lag-1
    correlation r of what the line leaves widens it by sqrt((1 + r) / (1 - r)).
    """
    at, values = np.asarray(x, float) - np.mean(x), np.asarray(y, float)
    square = float(at @ at)
    found = float(at @ values) / square
    rest = values - values.mean() - found * at
    error = float(np.sqrt(rest @ rest / (len(rest) - 2) / square))
    if error == 0.0:
        return found, 0.0
    alike = float(np.clip(rest[1:] @ rest[:-1] / (rest @ rest), 0.0, 0.99))
    return found, error * float(np.sqrt((1 + alike) / (1 - alike)))


def machine() -> str:
    """Processor, cores and versions, as the page of results names them."""
    from dmf_cli.run_folder.environment import environment

    known = environment({})
    versions = [f"{name} {known['packages'][name]}" for name in PACKAGES if name in known["packages"]]
    on = f"{known['processor']}, {known['cores']} cores"
    return f"{on}; dmf {known['dmf']} ({known['commit']}), Python {known['python']}, {', '.join(versions)}"


def filled(page: str, name: str, text: str, title: str) -> str:
    """``page`` with the section ``name`` replaced, or added at the end.

    A section stands between ``<!-- results: NAME -->`` and ``<!-- end: NAME -->``; what is written around it
    stays.
    """
    start, end = f"<!-- results: {name} -->", f"<!-- end: {name} -->"
    if start in page and end in page:
        before, after = page.split(start, 1)[0], page.split(end, 1)[1]
        return f"{before}{start}\n\n{text}\n\n{end}{after}"
    return f"{page.rstrip()}\n\n## {title}\n\n{start}\n\n{text}\n\n{end}\n"


def with_page(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """``parser`` with the options of :func:`publish`."""
    busy = "ratios only, of processor time: the machine does other work too"
    parser.add_argument("--page", action="store_true", help=f"write the tables into {PAGE.name} too")
    parser.add_argument("--busy", action="store_true", help=busy)
    return parser


def publish(name: str, title: str, lines: Sequence[str], given: argparse.Namespace) -> None:
    """Print a section, and with ``--page`` write it where the page has it."""
    print("\n".join(["", title, "", *lines]), flush=True)
    if given.page:
        words = [re.sub(r"(^|=)/.*", r"\1PATH", one) for one in sys.argv[1:]]  # no folder of this machine
        words = [Path(sys.argv[0]).name, *(one for one in words if one not in ("--page", "--busy"))]
        busy = "; it did other work too: ratios are of processor time, and times are left out"
        head = [f"    python scripts/{' '.join(words)}", ""]
        head += [f"- machine: {machine()}{busy if given.busy else ''}", ""]
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(filled(page, name, "\n".join([*head, *lines]), title), encoding="utf-8")
