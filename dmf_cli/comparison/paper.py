"""A comparison for a paper: one LaTeX table with what a paper prints, and the sentence for its methods."""

import datetime
import math
from collections.abc import Sequence

import dmf_cli
from dmf_cli.comparison import naming, notes, significance
from dmf_cli.comparison.compare import Comparison, Row
from dmf_cli.comparison.events import EventRow, Events
from dmf_cli.comparison.versus import Versus
from dmf_cli.terminal import latex as _latex
from dmf_cli.terminal.formats import between, p_value, score, spread

METHODS = "comparison_methods.tex"
LABEL = "tab:comparison"
BASELINE = "baseline"


def latex(comparison: Comparison) -> str:
    """The table; what was excluded, and what the terminal says below its own, is a comment."""
    metric = naming.heading(comparison.metric)
    columns = [
        "Setting",
        "n",
        metric,
        *(("Difference", "95 % CI", "p") if comparison.baseline else ("95 % CI",)),
    ]
    labels = [row.group.label for row in comparison.rows]
    first = [
        _cells(row, naming.setting(row.group.label, labels), bool(comparison.baseline))
        for row in comparison.rows
    ]
    sections = {"": first}
    role = BASELINE if comparison.baseline else ""
    for events in comparison.events:
        names = [naming.setting(row.group.label, labels) for row in events.rows]
        rows = [_event(row, name, role) for row, name in zip(events.rows, names, strict=True)]
        sections[_heading(events)] = [one[: len(columns)] for one in rows]
    comments = [*(f"excluded: {line}" for line in comparison.skipped), *notes.notes(comparison)]
    return _latex.table(_caption(comparison, metric), columns, sections, label=LABEL, comments=comments)


def _caption(comparison: Comparison, metric: str) -> str:
    """Two lines: what is compared on what, and what stands behind the figures."""
    images, name = len(comparison.images), comparison.described.split(",")[0]
    what = f"{metric} on {images} test images of {name}, mean ± SD over n seeds"
    if not comparison.baseline:
        return f"{what}, with its 95 % interval."
    bases = {row.versus.baseline.label for row in comparison.rows if row.versus}
    base = naming.setting(next(iter(bases))) if len(bases) == 1 else "the baseline of the same kind"
    return f"{what}. Differences are to {base}; {_p(comparison)}."


def _p(comparison: Comparison) -> str:
    """One comparison needs no correction, so none is claimed."""
    several = len([row for row in comparison.rows if row.versus]) > 1
    return f"p is the larger of two{' corrected' * several} tests"


def _heading(events: Events) -> str:
    return f"{events.where[0].upper()}{events.where[1:]}"


def _cells(row: Row, name: str, compared: bool) -> list[str]:
    head = [name, str(len(row.group.means)), spread(row.mean.mean, row.std)]
    return [*head, *(_against(row.versus) if compared else [between(row.mean.low, row.mean.high)])]


def _event(row: EventRow, name: str, role: str) -> list[str]:
    difference, between_, p = _against(row.versus, role)
    if row.versus and p != "-":  # rare events need the exact test over images too
        p = p_value(max(row.versus.p_seeds, row.versus.p_images, row.versus.p_both))
    return [name, str(len(row.group.means)), spread(row.mean, row.std), difference, between_, p]


def _against(one: Versus | None, role: str = BASELINE) -> list[str]:
    if one is None:
        return [role, "", ""]
    # Both have to be .05 or less for a winner, so the larger is the one that decides.
    p = max(one.p_seeds, one.p_both) if not math.isnan(one.p_both) else math.nan
    gap = one.difference
    return [score(gap.mean, "+"), between(gap.low, gap.high, "+"), p_value(p)]


def methods(comparison: Comparison) -> str:
    """What a paper's section on statistics has to say, as LaTeX."""
    return "\n".join(_latex.escape(line) for line in _sentences(comparison)) + "\n"


def _sentences(comparison: Comparison) -> list[str]:
    metric, against = naming.metric(comparison.metric), [row.versus for row in comparison.rows if row.versus]
    n = sorted({len(row.group.means) for row in comparison.rows})
    seeds = f"{n[0]} seeds" if len(n) == 1 else f"{n[0]} to {n[-1]} seeds"
    images, total = len(comparison.images), comparison.counted.total
    count = f"{images} test images" if images == total else f"{images} of {total} test images"
    name, _, *how = comparison.described.split(", ")
    made = f"dmf {dmf_cli.__version__} ({datetime.date.today():%Y-%m-%d})"
    first = (
        f"Each setting was trained with {seeds} and scored by {metric} on {count} of {name} "
        f"({', '.join(how)}){_excluded(comparison)}."
    )
    crossed = (
        "Intervals (95 %) are for a new sample of seeds and of images, from a crossed random-effects model"
    )
    if not against:
        return [first, f"{crossed}.", f"Computed with {made}{_packages()}."]
    return [
        first,
        f"{crossed}{_at_once(against)}.",
        f"A setting is called better or worse if {_tests(against)} and the interval's own p value"
        f"{' (Bonferroni)' * (len(against) > 1)} are both at most .05; p is the larger of the two.",
        *_equivalence(comparison),
        f"Computed with {made}{_packages()}.",
    ]


def _at_once(against: Sequence[Versus]) -> str:
    """A single comparison is corrected for nothing."""
    many = f"; those of differences hold for all {len(against)} comparisons at once (Bonferroni)"
    return many if len(against) > 1 else ""


def _excluded(comparison: Comparison) -> str:
    why = [one.why for one in comparison.counted.excluded]
    return f"; not counted: {', '.join(why)}" if why else ""


def _tests(against: Sequence[Versus]) -> str:
    kinds = []
    pairs = [len(one.by_seed) for one in against if one.paired]
    if pairs:
        drawn = significance.drawn(max(pairs))
        test = "sign-flip permutation test"
        how = f"a {test} ({significance.MOST} random flips)" if drawn else f"an exact {test}"
        kinds.append(f"{how} over paired seeds")
    if len(pairs) < len(against):
        kinds.append(
            "the larger p of a permutation test of Welch's t and of a t test with a variance and a t for "
            "each side (Cochran) over unpaired seeds"
        )
    corrected = f" (Holm over {len(against)} comparisons)" if len(against) > 1 else ""
    return f"{' or '.join(kinds)}{corrected}"


def _equivalence(comparison: Comparison) -> list[str]:
    margins = [row.equivalence.margin for row in comparison.rows if row.equivalence]
    if not margins:
        return []
    amount = naming.amount(margins[0], comparison.metric)
    holm = " (Holm)" if len(margins) > 1 else ""
    return [
        f"Practical equivalence is claimed within a margin of {amount}, by two one-sided tests at .05{holm}."
    ]


def _packages() -> str:
    import numpy
    import scipy

    return f", NumPy {numpy.__version__} and SciPy {scipy.__version__}"
