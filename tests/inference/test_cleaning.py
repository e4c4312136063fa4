"""Largest component, holes, and whether validation images want them."""

import numpy as np
import pytest

from dmf_cli.inference.cleaning import fill_holes, is_better, keep_largest


def _map(text):
    return np.array([[int(c) for c in row] for row in text.split()], np.uint8)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("1101 0001", "1100 0000"),  # of one size: the first
        ("1011 0000", "0011 0000"),
        ("1000 0100 0011", "1000 0100 0011"),  # corners
        ("1022 1001 0200", "1022 1000 0000"),  # each class its own
        ("0000 0000", "0000 0000"),
        ("1111 1111", "1111 1111"),
    ],
)
def test_each_class_keeps_its_largest_component(before, after):
    assert keep_largest(_map(before)).tolist() == _map(after).tolist()
    assert keep_largest(_map(before)).dtype == np.uint8


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("1111 1001 1111", "1111 1111 1111"),
        ("1111 1001 1101", "1111 1001 1101"),  # open at the edge
        ("01110 11011 01110", "01110 11111 01110"),
        ("11111 12221 12021 12221 11111", "11111 12221 12221 12221 11111"),  # the inner class
        ("11111 10201 11111", "11111 11211 11111"),  # what lies in a hole stays
        ("0000 0000", "0000 0000"),
    ],
)
def test_a_hole_belongs_to_what_encloses_it(before, after):
    labels = _map(before)
    assert fill_holes(labels).tolist() == _map(after).tolist()
    assert labels.tolist() == _map(before).tolist()


@pytest.mark.parametrize("images", [1, 5, 50, 1000])
def test_one_large_gain_is_never_enough(images):
    rng = np.random.default_rng(images)
    plain, noise = np.full(images, 0.4), rng.choice([-1e-4, 1e-4], images)
    for gain in (0.01, 0.1, 0.6):
        one = gain * (np.arange(images) == 0)
        assert not is_better(plain, plain + one)
        assert not is_better(plain, plain + np.where(one, gain, noise))


@pytest.mark.parametrize(("gaining", "wanted"), [(4, False), (5, True), (20, True)])
def test_five_equal_gains_are(gaining, wanted):
    assert is_better(np.zeros(100), 0.1 * (np.arange(100) < gaining)) is wanted
    assert is_better(np.zeros(gaining), np.full(gaining, 0.1)) is wanted


def test_gains_that_losses_outweigh_are_not():
    gains = np.array([0.1] * 10 + [-0.1] * 9 + [0.0] * 30)
    assert not is_better(np.full(49, 0.5), 0.5 + gains)
    assert not is_better(np.full(49, 0.5), 0.5 - np.abs(gains))


def test_undefined_images_and_no_images_count_for_nothing():
    nan = float("nan")
    assert is_better([nan, *[0.5] * 6, 0.1], [0.1, *[0.6] * 6, nan])
    assert not is_better([], [])
    assert not is_better([nan], [nan])
    assert not is_better([0.5] * 9, [0.5] * 9)
