"""A dataset seen through another hands on everything, but what it changes."""

import numpy as np
import pytest

from dmf_cli.config import schema
from dmf_cli.datasets.base import Dataset, Ignored, Sample
from dmf_cli.datasets.finding import Finding
from dmf_cli.datasets.input.run_data import make_split
from dmf_cli.datasets.input_spec import InputSpec
from dmf_cli.datasets.sources import mask_report
from dmf_cli.datasets.view import DatasetView
from dmf_cli.inference.class_order import Reordered

SPLIT = schema.Split(file=None, seed=0, fractions=(0.5, 0.25, 0.25), stratify=True)


class Six(Dataset):
    """Of its own split; the last image is inside out."""

    name, classes, channels = "six", ("background", "a", "b"), 1
    ids, strata = tuple("uvwxyz"), tuple("ssttuu")
    groups, grouping = tuple("112233"), "3 patients"
    left_out, unusable = {"normal": 3}, {"t": "t.png cannot be read"}
    spacing, parts = (0.1, 0.2), ("test", "train", "train", "val", "train", "test")
    ignores, ignore, max_pixels = True, Ignored((255,)), 10_000

    def load(self, index):
        label = np.zeros((8, 8), np.uint8)
        label[2:5, 2:5] = 1 + index % 2
        return Sample(np.full((8, 8, 1), index, np.uint8), np.ones_like(label) if index == 5 else label)

    def label(self, index):
        return self.load(index).label

    def pixel_size(self, index):
        return (float(index), 1.0)

    def content(self, index):
        return f"hash {index}"

    def mask_remarks(self):
        return [Finding("doubtful values", ("v",), "odd")]

    def remarks(self):
        return [Finding("skipped", ("s.heic",), "skipped")]

    def fingerprint(self):
        return "six"

    def reading(self):
        return "with care"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DMF_CACHE", str(tmp_path))


def test_a_view_hands_on_whatever_a_dataset_offers():
    whole = Six()
    offered = {name for name in [*vars(Dataset), *Dataset.__annotations__] if not name.startswith("_")}
    differ = {name for name in offered - {"synthetic", "examine", "settle"} if name not in vars(Six)}
    assert differ == set()  # what is added to a dataset is to be added above, too
    for view in (DatasetView(whole), Reordered(whole, ("background", "b", "a"))):
        for name in offered - {"classes", "load", "label", "reading", "examine", "settle"}:
            one, other = getattr(view, name), getattr(whole, name)
            if callable(one):
                arguments = [3] if name in ("content", "pixel_size") else []
                one, other = one(*arguments), other(*arguments)
            assert one == other, name


def test_some_images_keep_their_own_facts():
    some = DatasetView(Six(), [1, 3, 5])
    assert (some.ids, some.strata, some.groups) == (tuple("vxz"), tuple("stu"), tuple("123"))
    assert (some.parts, some.pixel_size(2), some.content(2)) == (("train", "val", "test"), (5, 1), "hash 5")
    assert some.load(2).image.max() == 5
    assert np.array_equal(some.label(2), np.ones((8, 8)))


def test_some_images_are_split_as_their_dataset_says():
    split = make_split(SPLIT, DatasetView(Six(), [0, 2, 3]))
    assert (split.train, split.val, split.test) == ((1,), (2,), (0,))


def test_what_is_kept_of_all_images_is_not_told_of_some():
    whole = Six()

    def kinds(dataset):
        return [found.kind for found in mask_report.report(dataset, InputSpec((8, 8)))]

    assert kinds(whole) == ["doubtful values", "full", "nothing ignored"]
    assert kinds(DatasetView(whole, [0, 1])) == ["doubtful values", "nothing ignored"]
