import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dmf_cli.datasets.base import Dataset, Sample
from dmf_cli.datasets.splits import load_split, make_split, save_split
from dmf_cli.errors import DatasetError


class Named(Dataset):
    """Ids and strata without images."""

    def __init__(self, strata):
        self.name, self.classes, self.channels = "named", ("background", "lesion"), 1
        self.strata = tuple(strata)
        self.ids = tuple(f"{s}/{i:04d}" for i, s in enumerate(strata))

    def load(self, index):
        return Sample(np.zeros((2, 2, 1), np.uint8), np.zeros((2, 2), np.uint8))

    def fingerprint(self):
        return "0" * 16


def parts(split):
    return split.train, split.val, split.test


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from("abc"), min_size=3, max_size=80), st.integers(0, 10**6), st.booleans())
def test_every_image_is_in_exactly_one_part_and_no_part_is_empty(strata, seed, stratify):
    split = make_split(Named(strata), seed=seed, stratify=stratify)
    assert sorted([*split.train, *split.val, *split.test]) == list(range(len(strata)))
    assert all(parts(split))


@settings(max_examples=40, deadline=None)
@given(st.integers(20, 200), st.integers(20, 200), st.integers(0, 99))
def test_each_stratum_is_divided_in_the_same_shares(a, b, seed):
    data = Named(["a"] * a + ["b"] * b)
    for part, share in zip(parts(make_split(data, seed=seed)), (0.7, 0.15, 0.15), strict=True):
        counts = Counter(data.strata[i] for i in part)
        assert abs(counts["a"] - share * a) <= 2
        assert abs(counts["b"] - share * b) <= 2
        assert abs(len(part) - share * (a + b)) <= 2


def test_the_split_is_the_same_on_every_machine_and_another_for_another_seed():
    data = Named(["a"] * 10 + ["b"] * 10)
    assert make_split(data, seed=42).test == (3, 11, 15)
    assert make_split(data, seed=43).test != make_split(data, seed=42).test


def test_the_order_of_the_files_does_not_matter():
    data, turned = Named(["a"] * 20), Named(["a"] * 20)
    turned.ids = tuple(reversed(data.ids))
    first, second = make_split(data), make_split(turned)
    assert {data.ids[i] for i in first.test} == {turned.ids[i] for i in second.test}


def test_a_saved_split_is_read_back_for_the_same_images(tmp_path):
    data = Named(["a"] * 12)
    split = make_split(data)
    save_split(tmp_path / "split.json", data, split)
    assert load_split(tmp_path / "split.json", data) == split


def change(path, **entries):
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))


def test_a_split_of_other_images_or_a_broken_one_is_refused(tmp_path):
    path, data = tmp_path / "split.json", Named(["a"] * 12)
    save_split(path, data, make_split(data))
    with pytest.raises(DatasetError, match=r"names 12 image.s. that named does not have"):
        load_split(path, Named(["b"] * 12))
    change(path, val=list(data.ids))
    with pytest.raises(DatasetError, match="twice: an image may be in one part only"):
        load_split(path, data)
    change(path, val=[{"id": "a"}])
    with pytest.raises(DatasetError, match="does not have"):
        load_split(path, data)
    change(path, val=[])
    with pytest.raises(DatasetError, match="has an empty part"):
        load_split(path, data)
    path.write_text("{")
    with pytest.raises(DatasetError, match="cannot be read"):
        load_split(path, data)
    with pytest.raises(DatasetError, match="does not exist"):
        load_split(tmp_path / "no.json", data)


@pytest.mark.parametrize("fractions", [(0.7, 0.3), (0.7, 0.2, 0.2), (1.0, 0.0, 0.0), (0.5, 0.75, -0.25)])
def test_fractions_are_three_shares(fractions):
    with pytest.raises(DatasetError, match="three numbers above 0 that sum to 1"):
        make_split(Named("abc"), fractions=fractions)


def test_one_image_cannot_be_split():
    with pytest.raises(DatasetError, match=r"has 1 image.* at least 3"):
        make_split(Named("a"))
