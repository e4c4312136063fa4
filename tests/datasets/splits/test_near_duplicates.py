import numpy as np
import pytest

from dmf_cli.datasets.sources.description import describe
from dmf_cli.datasets.splits import near_duplicates
from dmf_cli.datasets.splits.near_duplicates import find
from tests.datasets.copies import CHANGES, all_at_once, images

ORIGINALS = images(16)


def described(*pixels):
    return [describe(image[..., None]) for image in pixels]


@pytest.mark.parametrize("change", [*CHANGES.values(), all_at_once])
def test_a_changed_copy_is_found_and_no_other_image_is_taken_for_one(change):
    pairs = find(described(*ORIGINALS, *map(change, ORIGINALS)))
    assert [(pair.first, pair.second) for pair in pairs] == [(i, i + 16) for i in range(16)]
    assert all(0.7 <= pair.similarity <= 1 and pair.bits <= near_duplicates.BITS for pair in pairs)


def test_images_that_differ_are_no_pairs():
    assert find(described(*ORIGINALS)) == []


def test_the_order_of_a_pair_does_not_matter():
    copy = CHANGES["cropped"](ORIGINALS[3])
    (forth,), (back,) = find(described(ORIGINALS[3], copy)), find(described(copy, ORIGINALS[3]))
    assert forth.similarity == back.similarity
    assert forth.bits == back.bits


def test_colours_count_as_grey():
    grey = ORIGINALS[0]
    (pair,) = find([describe(grey[..., None]), describe(np.repeat(grey[..., None], 3, axis=-1))])
    assert (pair.similarity, pair.bits) == (1.0, 0)


def test_what_shows_nothing_resembles_nothing():
    flat = [np.full((40, 50), value, np.uint8) for value in (0, 0, 90, 255)]
    ramps = [np.tile(np.arange(64, dtype=np.uint8) * k, (64, 1)) for k in (1, 2)]
    tiny = [np.zeros((1, 1), np.uint8), np.zeros((1, 300), np.uint8)]
    assert all(pair.first in (4, 5) for pair in find(described(*flat, *ramps, *tiny)))
    assert find([]) == []


def test_bits_are_counted_alike_with_every_numpy(monkeypatch):
    values = np.random.default_rng(0).integers(0, 2**63, (3, 4), np.uint64)
    wanted = [[value.bit_count() for value in row] for row in values.tolist()]
    assert near_duplicates._count_ones(values).tolist() == wanted
    monkeypatch.delattr(np, "bitwise_count", raising=False)
    assert near_duplicates._count_ones(values).tolist() == wanted
