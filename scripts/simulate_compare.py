"""Do the intervals of `dmf compare` cover what they say, and how often does chance alone make a winner?

Draws scores of seeds x images from a crossed random-effects model with known truth, and prints the coverage
of the 95 % interval beside that of a percentile bootstrap over the same two factors, then how often one of
several equal strategies is named a winner.

    python scripts/simulate_compare.py --studies 2000
"""

import argparse
from collections.abc import Callable

import numpy as np

from dmf_cli.results.comparison import intervals, significance

# Standard deviations of the effect of a seed, of an image, and of both together, as measured on small U-Nets.
SPREADS = {"seeds": (0.03, 0.01, 0.01), "images": (0.005, 0.25, 0.10), "both": (0.02, 0.25, 0.10)}


def scores(
    rng: np.random.Generator, seeds: int, images: int, spread: tuple[float, float, float]
) -> np.ndarray:
    """One study of truth 0: ``(seeds, images)``."""
    a, b, c = spread
    noise = rng.normal(0, c, (seeds, images))
    return rng.normal(0, a, (seeds, 1)) + rng.normal(0, b, (1, images)) + noise


def percentile_bootstrap(x: np.ndarray, rng: np.random.Generator, draws: int = 500) -> tuple[float, float]:
    """The 95 % percentile interval of the mean over resampled seeds and resampled images."""
    rows, columns = x.shape
    share = rng.multinomial(rows, np.full(rows, 1 / rows), draws) / rows
    other = rng.multinomial(columns, np.full(columns, 1 / columns), draws) / columns
    low, high = np.percentile(np.einsum("dr,rc,dc->d", share, x, other), [2.5, 97.5])
    return float(low), float(high)


def coverage(
    studies: int, seeds: int, images: int, spread: tuple[float, float, float]
) -> tuple[float, float]:
    """Share of studies whose interval holds the truth: ours, percentile bootstrap."""
    rng, hits = np.random.default_rng(0), np.zeros(2)
    for _ in range(studies):
        x = scores(rng, seeds, images, spread)
        found = intervals.interval(x)
        low, high = percentile_bootstrap(x, rng)
        hits += (found.low <= 0 <= found.high, low <= 0 <= high)
    return hits[0] / studies, hits[1] / studies


def false_winners(studies: int, seeds: int, strategies: int, test: Callable[[np.ndarray], float]) -> float:
    """Share of studies in which any of ``strategies`` equal ones differs from the baseline (Holm)."""
    rng, found = np.random.default_rng(1), 0
    for _ in range(studies):
        means = rng.normal(0, 0.02, (strategies + 1, seeds))
        p = significance.holm([test(row - means[0]) for row in means[1:]])
        found += min(p) <= significance.ALPHA
    return found / studies


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--studies", type=int, default=2000, help="simulated studies a line (default 2000)")
    options = parser.parse_args()
    print("coverage of the 95 % interval\nspread   seeds images   ours   percentile bootstrap")
    for name, spread in SPREADS.items():
        for seeds, images in ((2, 60), (3, 60), (5, 60), (5, 20), (10, 100)):
            ours, bootstrap = coverage(options.studies, seeds, images, spread)
            print(f"{name:8} {seeds:5} {images:6} {ours:6.1%} {bootstrap:10.1%}")
    print("\nfalse winners among equal strategies\nseeds strategies   rate")
    for seeds in (3, 6, 8, 10):
        for strategies in (1, 3, 5):
            rate = false_winners(options.studies, seeds, strategies, significance.paired_permutation)
            print(f"{seeds:5} {strategies:10} {rate:6.1%}")


if __name__ == "__main__":
    main()
