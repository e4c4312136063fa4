"""Tables of docs/background/results.md that are counted over images: means, missed lesions, differences.

Run: python scripts/per_image.py -s quick outputs/quick_f* -s strong outputs/strong_f*
     python scripts/per_image.py --split val -s float32 outputs/quick_f* -s bfloat16 outputs/bf16_f*

Each setting has a name and the folders of its runs or ensembles, one a fold and in the same order in all
settings, scored on the split by `dmf train` or `dmf eval`. Intervals are for other images, by bootstrap over
those of all folds together. Differences are to the first setting, over the images that both have. A setting
that is given twice, with the runs of another seed, has the mean of its seeds for each image.
"""

import argparse
import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

SCORE = "foreground.dice"
LOW = 0.1  # of an image whose lesion is as good as missed
DRAWS = 4000
TITLES = ("setting", "images", "mean and interval", "median", f"below {LOW}", "mean of the others", "folds")
Scores = dict[tuple[int, str], float]  # (fold, image) -> Dice


def of_runs(folders: Sequence[str], split: str) -> Scores:
    """The images of ``folders``, in order of their folds, for which the score is defined."""
    found: Scores = {}
    for fold, folder in enumerate(folders):
        with (Path(folder) / "metrics" / f"{split}_per_image.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                value = float(row[SCORE] or "nan")
                if not math.isnan(value):
                    found[fold, row["id"]] = value
    return found


def mean_of(seeds: Sequence[Scores]) -> Scores:
    """Of each image that all have."""
    common = [key for key in seeds[0] if all(key in scores for scores in seeds)]
    return {key: sum(scores[key] for scores in seeds) / len(seeds) for key in common}


def interval(values: np.ndarray) -> tuple[float, float]:
    """Of the mean, for other images: 95 %, percentiles of the bootstrap."""
    drawn = np.random.default_rng(0).integers(0, len(values), (DRAWS, len(values)))
    low, high = np.percentile(values[drawn].mean(axis=1), (2.5, 97.5))
    return float(low), float(high)


def cells(name: str, scores: Scores) -> list[str]:
    """Those of :data:`TITLES`."""
    values, folds = np.array(list(scores.values())), np.array([fold for fold, _ in scores])
    low, high = interval(values)
    means = [values[folds == fold].mean() for fold in np.unique(folds)]
    return [
        name,
        str(len(values)),
        f"{values.mean():.3f} [{low:.3f}, {high:.3f}]",
        f"{np.median(values):.3f}",
        str(int((values < LOW).sum())),
        f"{values[values >= LOW].mean():.3f}",
        " ".join(f"{mean:.3f}" for mean in means),
    ]


def difference(scores: Scores, first: Scores) -> str:
    """Mean over the images of both, and its standard error."""
    values = np.array([scores[key] - first[key] for key in first if key in scores])
    return f"{values.mean():+.3f} ({values.std(ddof=1) / math.sqrt(len(values)):.3f}), {len(values)} images"


def table(settings: Mapping[str, Scores]) -> list[str]:
    """Head and rows."""
    first = next(iter(settings.values()))
    rows = [
        [*cells(name, scores), "" if scores is first else difference(scores, first)]
        for name, scores in settings.items()
    ]
    lines = [f"| {' | '.join(row)} |" for row in [[*TITLES, "difference (s.e.)"], *rows]]
    return [lines[0], "|:--" + "|--:" * len(TITLES) + "|", *lines[1:]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "-s", "--setting", nargs="+", action="append", required=True, metavar=("NAME", "FOLDER")
    )
    parser.add_argument("--split", default="test")
    options = parser.parse_args()
    repeated: dict[str, list[Scores]] = {}
    try:
        for name, *folders in options.setting:
            repeated.setdefault(name, []).append(of_runs(folders, options.split))
    except FileNotFoundError as error:
        parser.error(f"{error.filename} does not exist: run `dmf eval RUN split={options.split}` first")
    settings = {name: mean_of(seeds) for name, seeds in repeated.items()}
    if empty := [name for name, scores in settings.items() if not scores]:
        parser.error(f"{empty[0]} has no images: give -s NAME FOLDER ...")
    print("\n".join(table(settings)))


if __name__ == "__main__":
    main()
