"""Do the intervals of `dmf compare` cover what they say, and how often does chance alone make a winner?

Draws scores of seeds x images with known truth, and prints the coverage of the 95 % interval beside those of
its two ingredients and of a percentile bootstrap; then how often one of several equal settings is named a
winner; then how often a true difference is found with the seeds that `dmf compare` says it needs; then how
often settings are called equivalent that are not.

    python scripts/simulate_compare.py --studies 2000
"""

import argparse
import math
from pathlib import Path

import numpy as np
from scipy import special

from dmf_cli.comparison import intervals, significance
from dmf_cli.comparison.equivalence import claims
from dmf_cli.comparison.groups import Group
from dmf_cli.comparison.versus import Versus, versus

Spread = tuple[float, float, float]
# Standard deviations of the effect of a seed, of an image, and of both together, as measured on small U-Nets.
SPREADS = {"seeds": (0.03, 0.01, 0.01), "images": (0.005, 0.25, 0.10), "both": (0.02, 0.25, 0.10)}
SIZES = ((2, 60), (3, 60), (5, 60), (5, 20), (10, 100))


def scores(rng: np.random.Generator, seeds: int, images: int, spread: Spread) -> np.ndarray:
    """One study of truth 0: ``(seeds, images)``."""
    a, b, c = spread
    noise = rng.normal(0, c, (seeds, images))
    return rng.normal(0, a, (seeds, 1)) + rng.normal(0, b, (1, images)) + noise


def missed(rng: np.random.Generator, seeds: int, images: int, spread: Spread) -> np.ndarray:
    """Scores as Dice has them: skewed, at most 1, and 0 for lesions that are missed more or less often."""
    hard = rng.random(images) < 0.15
    found = rng.beta(8, 2, images) + rng.normal(0, 0.05, (seeds, images))
    misses = rng.random((seeds, images)) < np.where(hard, 0.6, 0.01)
    return np.where(misses, 0.0, np.clip(found, 0, 1)) + rng.normal(0, spread[0], (seeds, 1))


MISSED = 0.7205  # the mean of `missed` over ten million images


def coverage(studies: int, seeds: int, images: int, spread: Spread, skewed: bool = False) -> np.ndarray:
    """Share of studies whose interval holds the truth: ours, one t, two t's, percentile bootstrap."""
    rng, hits, truth = np.random.default_rng(0), np.zeros(4), MISSED if skewed else 0.0
    for _ in range(studies):
        x = (missed if skewed else scores)(rng, seeds, images, spread)
        ours, parts = intervals.interval(x), intervals.parts(x)
        off = abs(ours.mean - truth)
        low, high = intervals.bootstrap(x)
        one, two = _ingredients(parts)
        hits += (ours.low <= truth <= ours.high, off <= one, off <= two, low <= truth <= high)
    return hits / studies


def _ingredients(parts: intervals.Parts) -> tuple[float, float]:
    """The two half-widths whose mean is taken."""
    total = parts.seeds + parts.images
    freedom = total**2 / (parts.seeds**2 / parts.seeds_freedom + parts.images**2 / parts.images_freedom)
    t, t_seeds, t_images = special.stdtrit([freedom, parts.seeds_freedom, parts.images_freedom], 0.975)
    return t * math.sqrt(total), math.sqrt(t_seeds**2 * parts.seeds + t_images**2 * parts.images)


def study(
    rng: np.random.Generator, seeds: int, settings: int, reacts: float, gain: float = 0.0, images: int = 60
) -> list[Versus]:
    """``settings`` that are ``gain`` better than the baseline, on the same images and with the same seeds.

    Args:
        reacts: how differently an image reacts to the settings; 0: a setting makes no difference at all.
    """
    image, made = rng.normal(0.7, 0.2, (1, images)), []
    for i in range(settings + 1):
        own = (gain if i else 0.0) + rng.normal(0, 0.02, (seeds, 1)) + rng.normal(0, reacts, (1, images))
        names = tuple((("seed", str(seed)),) for seed in range(seeds))
        x = image + own + rng.normal(0, 0.08, (seeds, images))
        made.append(Group((("setting", str(i)),), names, ((Path(),),) * seeds, x))
    return versus([(group, made[0]) for group in made[1:]])


def winners(studies: int, seeds: int, settings: int, reacts: float, gain: float = 0.0) -> tuple[float, float]:
    """Share of studies that name a winner; and share in which the permutation test alone would have."""
    rng, named, alone = np.random.default_rng(1), 0, 0
    for _ in range(studies):
        found = study(rng, seeds, settings, reacts, gain)
        named += any(one.significant for one in found)
        alone += any(one.p_seeds <= significance.ALPHA for one in found)
    return named / studies, alone / studies


def equivalent(studies: int) -> None:
    """How often settings are called equivalent within .02: falsely, if they differ by it, and rightly."""
    print("\nclaims of equivalence within .02 at a true difference of .02 (false) and of 0 (true)")
    print("images react  seeds images settings  false   true")
    for reacts in (0.0, 0.05):
        for seeds, images in ((3, 60), (7, 60), (10, 100)):
            for settings in (1, 3):
                drawn = (studies, seeds, images, settings, reacts)
                false, true = (claims(*drawn, gain=gain) for gain in (0.02, 0.0))
                known = "yes" if reacts else "no"
                print(f"{known:12} {seeds:6} {images:6} {settings:8} {false:6.1%} {true:6.1%}")


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--studies", type=int, default=2000, help="simulated studies a line (default 2000)")
    studies = parser.parse_args().studies
    print(f"coverage of the 95 % interval, {studies} studies a line")
    print("spread   seeds images   ours   one t  two t's  bootstrap")
    cases = [(name, spread, False) for name, spread in SPREADS.items()]
    for name, spread, skewed in [*cases, ("missed", (0.02, 0.0, 0.0), True)]:
        for seeds, images in SIZES:
            ours, one, two, boot = coverage(studies, seeds, images, spread, skewed)
            print(f"{name:8} {seeds:5} {images:6} {ours:6.1%} {one:7.1%} {two:8.1%} {boot:10.1%}")
    print("\nfalse winners among equal settings, 60 images (images react: by .05 each to each setting)")
    print("images react  seeds settings  winner  by permutation alone")
    for reacts in (0.0, 0.05):
        for seeds in (3, 6, 8, 10):
            for settings in (1, 3, 5):
                named, alone = winners(studies // 2, seeds, settings, reacts)
                print(f"{'yes' if reacts else 'no':12} {seeds:6} {settings:8} {named:7.1%} {alone:10.1%}")
    print("\ntrue differences found with the seeds said to be needed for 80 %")
    print("difference settings  seeds  found")
    for gain in (0.03, 0.05):
        for settings in (1, 3):
            spread = math.sqrt(2 * (0.02**2 + 0.08**2 / 60))
            needed = significance.seeds_needed(gain, spread, comparisons=settings) or 0
            rng, found = np.random.default_rng(2), 0
            for _ in range(studies // 2):
                found += study(rng, needed, settings, 0.0, gain)[0].significant
            print(f"{gain:10} {settings:8} {needed:6} {found / (studies // 2):6.1%}")
    equivalent(studies // 2)


if __name__ == "__main__":
    main()
