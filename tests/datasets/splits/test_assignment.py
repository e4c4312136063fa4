from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dmf_cli.datasets.splits.assignment import deal

SHARES = ([0.7, 0.15, 0.15], [0.2] * 5)


def names(count):
    return [f"{i:05d}" for i in range(count)]


def units_of(sizes):
    ends = [sum(sizes[: k + 1]) for k in range(len(sizes))]
    return [tuple(range(end - size, end)) for end, size in zip(ends, sizes, strict=True)]


def images(part):
    return [i for unit in part for i in unit]


@settings(max_examples=60)
@given(st.lists(st.integers(1, 6), min_size=5, max_size=60), st.integers(0, 99), st.sampled_from(SHARES))
def test_units_stay_whole_and_no_part_is_empty(sizes, seed, shares):
    units, count = units_of(sizes), sum(sizes)
    kinds = [("ab"[i % 2], i % 3) for i in range(count)]
    parts = deal(units, kinds, names(count), shares, str(seed))
    assert all(parts)
    assert sorted(unit for part in parts for unit in part) == units


@pytest.mark.parametrize("shares", SHARES)
@pytest.mark.parametrize("size", [1, 2, 3])
def test_every_kind_gets_its_share_of_every_part(size, shares):
    count = 600
    units = units_of([size] * (count // size))
    kinds = [("ab"[i % 5 == 0], (i // 7) % 3) for i in range(count)]
    for part, share in zip(deal(units, kinds, names(count), shares, "1"), shares, strict=True):
        found = Counter(kinds[i] for i in images(part))
        assert len(images(part)) == pytest.approx(share * count, abs=3)
        for kind, total in Counter(kinds).items():
            assert found[kind] == pytest.approx(share * total, abs=4)


def test_large_units_are_spread_too():
    """Not all into the largest part, which lacks most in numbers."""
    units = units_of([2] * 30 + [1] * 240)
    parts = deal(units, [("s",)] * 300, names(300), SHARES[0], "1")
    assert [sum(len(unit) == 2 for unit in part) for part in parts] == [21, 5, 4]
    assert [len(images(part)) for part in parts] == [210, 45, 45]


def test_a_unit_too_large_for_a_part_goes_where_it_fits():
    units = units_of([40] + [1] * 60)
    parts = deal(units, [("s",)] * 100, names(100), SHARES[0], "1")
    assert [len(images(part)) for part in parts] == [70, 15, 15]
    assert units[0] in parts[0]


def test_the_order_of_the_units_does_not_matter_and_the_salt_does():
    units, kinds = units_of([3, 2, 2] + [1] * 30), [("s",)] * 37
    dealt = deal(units, kinds, names(37), SHARES[0], "1")
    assert deal(units[::-1], kinds, names(37), SHARES[0], "1") == dealt
    assert deal(units, kinds, names(37), SHARES[0], "2") != dealt
