"""What stands above and below the tables of a comparison: the answer first, then what the figures are."""

import math
from collections.abc import Sequence

from dmf_cli.comparison import predictions, significance
from dmf_cli.comparison.compare import Comparison
from dmf_cli.comparison.intervals import interval
from dmf_cli.comparison.versus import Versus

RESULT = "Result: "


def title(comparison: Comparison) -> str:
    """``foreground.dice on busi, 58 test images, threshold 0.5, ...``; of a distance that less is better."""
    less = " (less is better)" if comparison.lower else ""
    return f"{comparison.metric}{less} on {comparison.described}"


def notes(comparison: Comparison) -> list[str]:
    """The answer, what it would take to know more, and what the columns are."""
    against = [row.versus for row in comparison.rows if row.versus]
    over = sorted({row.mean.over for row in comparison.rows})
    said = [
        f"{RESULT}{'. '.join(answer(comparison))}",
        f"Images: {comparison.counted.described}",
        *_of_classes(comparison),
        *conditions(comparison),
        *_of_masks(comparison),
        f"n: repetitions{_within(comparison)}; intervals: for a new sample of {' or of '.join(over)}; rank: "
        f"mean over images; wins: best, or equal to the best, in so many of the repetitions that all have "
        f"({comparison.common})",
        *_beyond(comparison),
    ]
    if not against:
        return said
    return [
        *said,
        f"p seeds: {_permutation(against)} of {_counted(against)}; p images: Wilcoxon over images, seeds "
        f"averaged first, about these networks only; p both: {_both(against)}, as the "
        f"interval; {_corrected(against)}a setting is called better or worse if p seeds and p both are .05 "
        "or less",
        *_of_events(comparison),
        "g seeds: Hedges' g over pairs of repetitions; r images: rank-biserial, from -1 to 1",
    ]


def answer(comparison: Comparison) -> list[str]:
    """Sentences, the plain answer first; then what can be excluded, and what limits it."""
    return [said for said in (comparison.verdict, comparison.excluded, comparison.power) if said]


def conditions(comparison: Comparison) -> list[str]:
    """What was kept equal, what was not, and how the weights moved."""
    n = sorted({len(row.group.means) for row in comparison.rows})
    same = [f"{one.name} {one.value}" for one in comparison.kept if one.same]
    other = [f"{one.name} {one.value}" for one in comparison.kept if not one.same]
    (same if len(n) == 1 else other).append(f"repetitions {_range([str(count) for count in n])}")
    lines = [f"Kept equal: {'; '.join(same)}"] if same else []
    lines += [f"Not kept equal: {'; '.join(other)}"] if other else []
    moved = [
        f"{row.group.name}: {', '.join(one.described for one in row.weights)}"
        for row in comparison.rows
        if row.weights
    ]
    if comparison.rolled_back:
        lines.append(
            "Diverged, and went on from before with a lower learning rate (trainer.on_diverge=rollback): "
            f"{comparison.rolled_back}"
        )
    mean = "Weights, mean over steps (lowest to highest)"
    return [*lines, *([f"{mean}: {'; '.join(moved)}"] if moved else [])]


def _of_masks(comparison: Comparison) -> list[str]:
    """A warning where a difference may come from the training, from how masks were made, or from both."""
    keys = {key for row in comparison.rows for key, _ in row.group.label}
    masks = sorted(key for key in keys if predictions.is_of_masks(key))
    if not masks or len(masks) == len(keys):
        return []
    return [
        f"Settings differ in their training and in how masks are made of probabilities ({', '.join(masks)}): "
        "a difference may come from either"
    ]


def _beyond(comparison: Comparison) -> list[str]:
    """Why an interval has values that no score and no count can have."""
    tables = [row.group.scores for events in comparison.events for row in events.rows]
    lows = [*(row.mean.low for row in comparison.rows), *(interval(scores).low for scores in tables)]
    if not any(low < 0 for low in lows):
        return []
    return ["The interval of a mean reaches below 0, which no score does, for want of seeds or images"]


def _of_classes(comparison: Comparison) -> list[str]:
    """How a mean over classes differs from the figure of the same name in the summary of a run."""
    if not comparison.metric.startswith("mean."):
        return []
    return [
        f"{comparison.metric}: of each image the mean over {_over_classes(comparison)}, then over images; "
        "the summary of a run has the mean over classes of the figures of each"
    ]


def _over_classes(comparison: Comparison) -> str:
    """Which classes count: what the table per image calls by the same name may be another figure."""
    if not comparison.by_truth:
        return "its classes, as in test_per_image.csv"
    return (
        "the classes that its truth holds (where test_per_image.csv has a class that was predicted and is "
        "not there, it counts as 0 in that file and as a false alarm here)"
    )


def _of_events(comparison: Comparison) -> list[str]:
    """How counts differ from scores."""
    if not comparison.events:
        return []
    kinds = " and ".join(one.kind for one in comparison.events)
    several = ", each class of an image counts" if comparison.metric.startswith("mean.") else ""
    return [
        f"{kinds}: counts a repetition{several}, and so are their differences; p images is a permutation "
        f"over images, exact up to {int(math.log2(significance.MOST))} that differ"
    ]


def _permutation(against: Sequence[Versus]) -> str:
    """``exact permutation``, unless there are too many ways to try all of them."""
    drawn = {one.drawn for one in against}
    if drawn == {False}:
        return "exact permutation"
    ways = f"{significance.MOST:,} random ways"
    return (
        f"permutation ({ways})" if drawn == {True} else f"permutation (exact, or {ways} where there are more)"
    )


def _both(against: Sequence[Versus]) -> str:
    """``for new seeds and images``; one repetition against several says nothing."""
    over = sorted({one.difference.over for one in against} - {"nothing"})
    return f"for new {' or new '.join(over)}" if over else "not known of one repetition"


def _corrected(against: Sequence[Versus]) -> str:
    """How several comparisons are corrected; of a single one there is nothing to correct."""
    how = "Holm corrected, p both and the intervals of differences Bonferroni (all hold at once); "
    return how if len(against) > 1 else ""


def _within(comparison: Comparison) -> str:
    """What a repetition is the mean of, where it is more than one run."""
    if len(comparison.within) < 2:
        return ""
    keys = dict.fromkeys(key for part in comparison.within for key, _ in part)
    return f" (seeds), each the mean of {len(comparison.within)} runs that differ in {' and '.join(keys)}"


def _counted(against: Sequence[Versus]) -> str:
    """``8 pairs of repetitions, 0.0078 at least with so many``; of several, the smallest and the largest."""
    pairs = sorted({len(one.by_seed) for one in against if one.paired})
    parts = [f"{_range([str(n) for n in pairs])} pairs of repetitions"] if pairs else []
    parts += ["unpaired repetitions"] if any(not one.paired for one in against) else []
    least = sorted({f"{one.smallest_p:.2g}" for one in against}, key=float)
    return f"{' or '.join(parts)}, {_range(least)} at least with so many"


def _range(values: Sequence[str]) -> str:
    return values[0] if len(values) == 1 else f"{values[0]} to {values[-1]}"
