"""What the search for near-duplicates finds and which pairs it reports wrongly, measured with planted copies.

Run: python scripts/duplicate_study.py dataset=busi dataset.dir=PATH [--every 4] [--seed 0]

Every fourth image is copied: smaller, encoded again, cropped at random sides, with another gamma,
and all of it at once. Printed for each change and threshold (split.similarity): the share of copies that are
found, and the number of pairs of a copy with an image that is neither its original nor known as similar to it
(false groups: such a pair keeps two images on one side that could be on two). Crops of a fifth and mirrored
copies are beyond what is looked for, and show the limit. The last table is of the images themselves: pairs at
each similarity, which people have to judge (`dmf data check` draws them); images of `dataset=phantom` are
known to be different, so there each pair is false.
"""

import argparse
import io
from collections.abc import Callable

import numpy as np
from PIL import Image

from dmf_cli import config as configs
from dmf_cli import datasets
from dmf_cli.datasets.sources.description import Description, describe
from dmf_cli.datasets.splits.near_duplicates import find

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)
Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def resized(factor: float) -> Change:
    def change(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        picture = Image.fromarray(image)
        size = [max(8, round(side * factor)) for side in picture.size]
        return np.asarray(picture.resize(size, Image.Resampling.BICUBIC))

    return change


def encoded(quality: int) -> Change:
    def change(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=quality)
        return np.asarray(Image.open(file))

    return change


def cropped(share: float) -> Change:
    """``share`` of height and of width is cut off, divided at random between the two ends."""

    def change(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        cuts = [round(side * share) for side in image.shape[:2]]
        top, left = (int(rng.integers(0, cut + 1)) for cut in cuts)
        return image[top : image.shape[0] - cuts[0] + top, left : image.shape[1] - cuts[1] + left]

    return change


def gamma(power: float) -> Change:
    return lambda image, rng: np.round(255 * (image / 255) ** power).astype(np.uint8)


def everything(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    for change in (cropped(0.05), gamma(0.7), resized(0.6), encoded(50)):
        image = change(image, rng)
    return image


CHANGES: dict[str, Change] = {
    "resized to 50 %": resized(0.5),
    "resized to 150 %": resized(1.5),
    "JPEG, quality 80": encoded(80),
    "JPEG, quality 50": encoded(50),
    "cropped by 2 %": cropped(0.02),
    "cropped by 5 %": cropped(0.05),
    "cropped by 10 %": cropped(0.10),
    "gamma 0.7": gamma(0.7),
    "gamma 1.5": gamma(1.5),
    "crop 5 %, gamma, 60 %, JPEG 50": everything,
    "cropped by 20 %": cropped(0.20),
    "mirrored": lambda image, rng: np.ascontiguousarray(image[:, ::-1]),
}


def grey(image: np.ndarray) -> np.ndarray:
    return image[..., 0] if image.shape[-1] == 1 else np.asarray(Image.fromarray(image).convert("L"))


def study(images: list[np.ndarray], every: int, seed: int) -> None:
    originals = [describe(image[..., None]) for image in images]
    known = find(originals)
    alike = {frozenset((pair.first, pair.second)) for pair in known}
    chosen = range(0, len(images), every)
    print(f"{len(images)} images, {len(chosen)} copies of each kind; found / false groups at similarity")
    print(f"{'':32}" + "".join(f"{threshold:>12}" for threshold in THRESHOLDS))
    for name, change in CHANGES.items():
        rng = np.random.default_rng(seed)
        copies = [describe(change(images[i], rng)[..., None]) for i in chosen]
        print(f"{name:32}" + "".join(row(originals, copies, list(chosen), alike)))
    print(f"\nof {len(images) * (len(images) - 1) // 2} pairs of the images themselves, by similarity")
    for low, high in ((0.5, 0.6), (0.6, 0.7), (0.7, 0.8), (0.8, 0.9), (0.9, 1.01)):
        print(f"  {low:.1f} to {min(high, 1):.1f}: {sum(low <= pair.similarity < high for pair in known)}")


def row(
    originals: list[Description], copies: list[Description], chosen: list[int], alike: set[frozenset[int]]
) -> list[str]:
    """Found and falsely grouped copies at each threshold, as text."""
    n = len(originals)
    of = [*range(n), *chosen]  # the original of each description
    pairs = [pair for pair in find([*originals, *copies]) if pair.second >= n]
    cells = []
    for threshold in THRESHOLDS:
        close = [pair for pair in pairs if pair.similarity >= threshold]
        found = {pair.second for pair in close if pair.first == of[pair.second]}
        ends = [frozenset((of[pair.first], of[pair.second])) for pair in close]
        false = sum(len(pair) == 2 and pair not in alike for pair in ends)
        cells.append(f"{len(found) / len(chosen):>8.1%} /{false:2d}")
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("overrides", nargs="+", metavar="KEY=VALUE", help="dataset=NAME and its keys")
    parser.add_argument("--every", type=int, default=4, help="copy every N-th image")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    dataset = datasets.open_dataset(configs.compose(options.overrides).dataset)
    images = [grey(dataset.load(i).image) for i in range(len(dataset))]
    study(images, options.every, options.seed)


if __name__ == "__main__":
    main()
