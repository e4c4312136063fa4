"""Does `dmf compare` name a winner for what it cannot score, and may two settings have other seeds?

Draws equal settings whose scores are undefined on some images (Dice without a lesion, a class that few images
have, distances of missed lesions), and settings with few or unlike seeds. Prints how often the 95 % interval
of the difference holds 0, how often a winner is named, how often one is named for false alarms or missed
lesions alone, and the mean share of images that count.

    python scripts/simulate_undefined.py --studies 400
"""

import argparse
import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import special

from dmf_cli.comparison import events, intervals
from dmf_cli.comparison.counting import count
from dmf_cli.comparison.groups import Group
from dmf_cli.comparison.versus import versus

DIAGONAL = 90.5  # of 64 x 64
FOUND = 0.751  # mean Dice of a lesion that is not missed
REACTS = 0.02  # what one setting does to the Dice of one image
intervals.DRAWS = 2  # the bootstrap is not looked at


@dataclasses.dataclass(frozen=True)
class Cell:
    """One kind of data.

    Args:
        name: for people.
        images: tested.
        absent: share of them whose truth has nothing to find.
        reacts: standard deviation of what one setting does to the log-odds of a false alarm on one image: 1
            is moderate; at 5 nearly every image has one always or never.
        distance: hd95 in place of Dice.
        undefined: a missed lesion has no score (``metrics.missed=nan``).
        fails: share of images on which the second setting scores 0 with every seed; it is better on the
            others by as much as keeps the expected means equal.
    """

    name: str
    images: int = 60
    absent: float = 0.0
    reacts: float = 1.0
    distance: bool = False
    undefined: bool = False
    fails: float = 0.0


CELLS = (
    Cell("Dice, 10 % lesion-free, moderately", 60, 0.1, 1.0),
    Cell("Dice, 10 % lesion-free, strongly", 60, 0.1, 5.0),
    Cell("Dice, 20 % lesion-free, strongly", 80, 0.2, 5.0),
    Cell("class in 40 of 100 images", 100, 0.6, 1.0),
    Cell("hd95, 12.5 % lesion-free", 120, 0.125, 1.0, distance=True),
    Cell("hd95, missed=nan", 120, 0.125, 1.0, distance=True, undefined=True),
)
# Where the promise is not kept: a sample that has none of the images in question says nothing of them.
LIMITS = (Cell("fails on 1 image in 60, for good", fails=1 / 60), Cell("... on 1 in 20", fails=1 / 20))
# Seeds and their standard deviation, of the setting and of its baseline.
SIDES = (
    (2, 0.06, 10, 0.01),
    (2, 0.01, 10, 0.06),
    (3, 0.06, 10, 0.01),
    (3, 0.03, 10, 0.03),
    (1, 0.02, 20, 0.02),
    (4, 0.02, 6, 0.02),
    (10, 0.02, 10, 0.02),
)


def groups(rng: np.random.Generator, cell: Cell, seeds: int) -> list[Group]:
    """Two equal settings with the same seeds."""
    there = np.arange(cell.images) >= round(cell.absent * cell.images)
    image, prone, hard = (rng.normal(0, 1, cell.images) for _ in range(3))
    return [_group(rng, cell, there, image, prone, hard, seeds, i) for i in range(2)]


def _group(
    rng: np.random.Generator,
    cell: Cell,
    there: np.ndarray,
    image: np.ndarray,
    prone: np.ndarray,
    hard: np.ndarray,
    seeds: int,
    index: int,
) -> Group:
    shape, react = (seeds, cell.images), rng.normal(0, REACTS, cell.images)
    noise = rng.normal(0, 0.01, (seeds, 1)) + rng.normal(0, 0.05, shape)
    alarm = rng.random(shape) < special.expit(-1 + prone + cell.reacts * rng.normal(0, 1, cell.images))
    missed = rng.random(shape) < special.expit(-6 + 2 * hard + rng.normal(0, 1, cell.images))
    found = np.clip(0.75 + 0.15 * image + react + noise, 0, 1)
    lost = 0.0
    if cell.distance:
        found, lost = np.exp(1.5 + 0.6 * hard + 2 * (react + noise)), DIAGONAL
    if cell.fails and index:
        gain = FOUND * cell.fails / (1 - cell.fails)
        found = np.where(rng.random(cell.images) < cell.fails, 0.0, found + gain)
    scores = np.where(there, np.where(missed, math.nan if cell.undefined else lost, found), math.nan)
    false = math.nan if cell.undefined else lost
    scores = np.where(~there & alarm, false, scores)
    truth = np.broadcast_to(there.astype(float), shape)
    return Group(
        (("setting", str(index)),),
        tuple((("seed", str(seed)),) for seed in range(seeds)),
        ((Path(),),) * seeds,
        scores,
        truth,
        np.where(there, math.nan, alarm),
        np.where(there, missed, math.nan),
    )


def undefined(studies: int, cell: Cell, seeds: int) -> tuple[float, float, float, float]:
    """Share of studies that cover, that name a winner, that name one for an event; share of images."""
    rng, hits, named, alarms, share = np.random.default_rng(0), 0, 0, 0, 0.0
    for _ in range(studies):
        whole = groups(rng, cell, seeds)
        counted, kept = count(whole, list(map(str, range(cell.images))), by_truth=True)
        (one,) = versus([(kept[1], kept[0])])
        hits += one.difference.low <= 0 <= one.difference.high
        named += one.significant
        found = events.of(whole, [(whole[1], whole[0])], counted, by_truth=True)
        alarms += any(row.significant for each in found for row in each.rows)
        share += len(counted.images) / counted.total
    return hits / studies, named / studies, alarms / studies, share / studies


def unpaired(studies: int, sides: Sequence[float], reacts: float = 0.03) -> tuple[float, float, float]:
    """Share of studies whose interval holds 0 (of those that have one), that name a winner, mean width."""
    (n, spread, m, other), rng = sides, np.random.default_rng(3)
    hits, named, width = 0, 0, 0.0
    for _ in range(studies):
        image, made = rng.normal(0.7, 0.2, (1, 60)), []
        for first, seeds, sd in ((0, int(n), spread), (100, int(m), other)):
            own = rng.normal(0, sd, (seeds, 1)) + rng.normal(0, reacts, (1, 60))
            names = tuple((("seed", str(first + i)),) for i in range(seeds))
            x = image + own + rng.normal(0, 0.08, (seeds, 60))
            made.append(Group((("setting", str(first)),), names, ((Path(),),) * seeds, x))
        (one,) = versus([(made[1], made[0])])
        hits += one.difference.low <= 0 <= one.difference.high
        named += one.significant
        width += (one.difference.high - one.difference.low) / studies
    return (math.nan if math.isnan(width) else hits / studies), named / studies, width


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--studies", type=int, default=400, help="simulated studies a line (default 400)")
    studies = parser.parse_args().studies
    print(f"equal settings, undefined scores, {studies} studies a line")
    print("data                                seeds  covered  winner  of events  images that count")
    for cell in (*CELLS, *LIMITS):
        for seeds in (7, 10):
            covered, named, alarms, share = undefined(studies, cell, seeds)
            print(
                f"{cell.name:35} {seeds:5} {covered:8.1%} {named:7.1%} {alarms:10.1%} {share:18.0%}",
                flush=True,
            )
    print("\nequal settings, other seeds on each side (their standard deviation)")
    print("setting     baseline    covered  winner  width")
    for sides in SIDES:
        covered, named, width = unpaired(studies, sides)
        text = "none" if math.isnan(covered) else f"{covered:.1%}"
        n, spread, m, other = sides
        print(f"{n:2} ({spread:.2f})   {m:2} ({other:.2f})   {text:>8} {named:7.1%} {width:6.3f}", flush=True)


if __name__ == "__main__":
    main()
