"""Near-duplicates: two files that show one picture, resized, encoded again, cropped or in other greys.

Ultrasound images look alike when they are small, and a hash of an image changes when its border is cut off.
So two things are looked at. A perceptual hash (ImageHash, 64 bits) of each image and of fifteen windows of it
finds candidates: pairs of which one is within ``BITS`` of some window of the other. Each candidate is then
aligned: the box of one image is sought in which it correlates best with the other, after grey values were
replaced by their ranks (so that no gain or gamma matters) and what is smooth was taken away (so that "bright
above, dark below" does not count). That correlation is the similarity: about 1 for copies, above 0.5 for
frames of one clip, hardly ever so for images of different things; ``scripts/duplicate_study.py`` measures it.

Mirrored and turned copies are not looked for.
"""

import itertools
import logging
from collections.abc import Sequence

import numpy as np
from PIL import Image
from scipy import ndimage

from dmf_cli.datasets.base import Dataset
from dmf_cli.datasets.sources import bad_files, survey
from dmf_cli.datasets.sources.description import WINDOWS, Box, Description, SimilarPair, cut, describe
from dmf_cli.errors import DatasetError

BITS = 14  # of 64; a candidate is at most this far from a window of the other
FLOOR = 0.5  # pairs below it are never reported
ALIGNED = 48  # pixels: size at which pairs are aligned
SMOOTH = ALIGNED / 10  # deviation (pixels) of the Gauss filter whose result is taken away
LEAST = 0.8  # of a side that a copy must have kept

_STEPS = (0.04, 0.02, 0.01)  # by which the sides of the box move
# Correlations at which nothing more is tried: below, at the start and after the first step; above.
_UNPROMISING, _HOPELESS, _CERTAIN = 0.25, FLOOR - 0.15, 0.98


def similar(dataset: Dataset, known: survey.Survey, least: float | None) -> list[SimilarPair]:
    """Pairs of good images at least so similar, in one another's order; none for None.

    Looked for once, and kept with the rest of the survey ``known``.
    """
    if least is None or dataset.synthetic:
        return []
    if known.pairs is None:
        log.info("looking for near-duplicates in the %d images of %s", len(known.good), dataset.name)
        good = known.good
        _describe(dataset, known, [index for index in good if index not in known.descriptions])
        pairs = find([known.descriptions[index] for index in good])
        known.pairs = tuple(p._replace(first=good[p.first], second=good[p.second]) for p in pairs)
        known.descriptions.clear()
        survey.keep(dataset, known)
    return [pair for pair in known.pairs if pair.similarity >= least]


def _describe(dataset: Dataset, known: survey.Survey, indices: Sequence[int]) -> None:
    """Of images that were surveyed before anybody asked for near-duplicates."""
    made = list(bad_files.attempts(lambda index: describe(dataset.load(index).image), indices))
    bad_files.refuse([error for error in made if isinstance(error, DatasetError)])
    known.descriptions.update(zip(indices, made, strict=True))


def find(descriptions: Sequence[Description]) -> list[SimilarPair]:
    """Pairs of near-duplicates, sorted by index; the time grows with the square of the number of images."""
    if not descriptions:
        return []
    pairs = []
    for (first, second), (bits, start) in _candidates(np.stack([d.hashes for d in descriptions])).items():
        value = 0.0
        for a, b, window in start:
            if value < _CERTAIN:
                aligned = _align(descriptions[a].thumbnail, descriptions[b].thumbnail, WINDOWS[window])
                value = max(value, aligned)
        if value >= FLOOR:
            pairs.append(SimilarPair(first, second, round(min(value, 1.0), 3), bits))
    return sorted(pairs)


def _candidates(hashes: np.ndarray) -> dict[tuple[int, int], tuple[int, list[tuple[int, int, int]]]]:
    """Pair -> bits that differ and (whole image, other image, its window): the closest one a direction."""
    best: dict[tuple[int, int], tuple[int, int]] = {}
    for start in range(0, len(hashes), 256):  # rows at a time: memory
        whole = hashes[start : start + 256, 0]
        for window in range(hashes.shape[1]):
            differing = _count_ones(whole[:, None] ^ hashes[None, :, window])
            for row, other in np.argwhere(differing <= BITS).tolist():
                key, bits = (start + row, other), int(differing[row, other])
                if key[0] != other and bits < best.get(key, (BITS + 1, 0))[0]:
                    best[key] = bits, window
    closest: dict[tuple[int, int], tuple[int, list[tuple[int, int, int]]]] = {}
    for (a, b), (bits, window) in best.items():
        least, starts = closest.get((min(a, b), max(a, b)), (bits, []))
        closest[min(a, b), max(a, b)] = min(least, bits), [*starts, (a, b, window)]
    return closest


def _count_ones(values: np.ndarray) -> np.ndarray:
    if hasattr(np, "bitwise_count"):  # NumPy 2
        ones: np.ndarray = np.bitwise_count(values)
        return ones
    ones = _ONES[values[..., None].view(np.uint8)].sum(-1, dtype=np.uint8)
    return ones


def _align(first: Image.Image, second: Image.Image, box: Box) -> float:
    """The best correlation of ``first`` with a box of ``second``, whose sides are moved one by one."""
    target = _texture(first, WINDOWS[0])
    value = float((target * _texture(second, box)).sum())
    if value < _UNPROMISING:
        return value
    for step in _STEPS:
        moved = value < _CERTAIN
        while moved:
            moved = False
            for side, change in itertools.product(range(4), (-step, step)):
                tried = _moved(box, side, change)
                gained = float((target * _texture(second, tried)).sum()) if tried != box else value
                if gained > value + 1e-4:
                    value, box, moved = gained, tried, True
        if value < _HOPELESS:
            break
    return value


def _moved(box: Box, side: int, change: float) -> Box:
    sides = [*box]
    sides[side] = min(1.0, max(0.0, sides[side] + change))
    left, top, right, low = sides
    return (left, top, right, low) if min(right - left, low - top) >= LEAST else box


def _texture(thumbnail: Image.Image, box: Box) -> np.ndarray:
    """Grey values as ranks, without what is smooth, of mean 0 and length 1 (0 for a flat image)."""
    grey = np.asarray(cut(thumbnail, box, ALIGNED))
    counts = np.bincount(grey.ravel(), minlength=256)
    ranks = ((np.cumsum(counts) - counts / 2) / grey.size).astype(np.float32)[grey]
    rough = ranks - ndimage.gaussian_filter(ranks, SMOOTH)
    rough -= rough.mean()
    texture: np.ndarray = rough / max(float(np.linalg.norm(rough)), 1e-3)
    return texture


log = logging.getLogger("dmf")
_ONES = np.array([value.bit_count() for value in range(256)], np.uint8)
