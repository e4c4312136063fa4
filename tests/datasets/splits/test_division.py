import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dmf_cli.datasets.base import Dataset, Sample
from dmf_cli.datasets.splits.division import load_split, make_split, read_split, save_split
from dmf_cli.datasets.splits.units import links_of, size_classes, united
from dmf_cli.errors import DatasetError
from tests.raised import raises


class Named(Dataset):
    """Ids and strata without images."""

    def __init__(self, strata):
        self.name, self.classes, self.channels = "named", ("background", "lesion"), 1
        self.strata = tuple(strata)
        self.ids = tuple(f"{s}/{i:04d}" for i, s in enumerate(strata))

        self.pixels = np.arange(len(self.ids), dtype=np.uint8)

    def load(self, index):
        return Sample(np.full((2, 2, 1), self.pixels[index]), np.zeros((2, 2), np.uint8))

    def fingerprint(self):
        return self.pixels.tobytes().hex()


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
    with raises(DatasetError, path=path, reason="names 12 image(s) that named does not have"):
        load_split(path, Named(["b"] * 12))
    change(path, val=list(data.ids))
    with raises(DatasetError, path=path, reason=" twice", hint="an image may be in one part only"):
        load_split(path, data)
    change(path, val=[{"id": "a"}])
    with raises(DatasetError, path=path, reason="does not have"):
        load_split(path, data)
    change(path, val=[])
    with raises(DatasetError, path=path, reason="has an empty part"):
        load_split(path, data)
    path.write_text("{")
    with raises(DatasetError, path=path, reason="cannot be read"):
        load_split(path, data)
    with raises(DatasetError, path=tmp_path / "no.json", reason="does not exist", hint="split.file=null"):
        load_split(tmp_path / "no.json", data)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", "for it cannot be read as JSON"),
        (b"\xff\xfe\x00", "for it cannot be read as JSON"),
        (b'{"state": "completed"}', "for it has no lists of ids"),
        (b"[1, 2]", "for it has no lists of ids"),
        (b'{"train": ["a"], "val": ["b"], "test": "c"}', "for it has no lists of ids"),
        (b'{"train": [], "val": [], "test": [], "how": 3}', "in which how is a mapping"),
    ],
)
def test_another_file_is_reported_without_internals(tmp_path, content, says):
    path = tmp_path / "other.json"
    path.write_bytes(content)
    with raises(DatasetError, path=path) as caught:
        read_split(path)
    assert str(caught.value) == (
        f"{path} is no split file, {says}"
        f"{' for train, val and test' if 'lists' in says else ''}: give the split.json of a run, or set "
        "split.file=null for a new split"
    )


def test_a_folder_is_no_split_file(tmp_path):
    with raises(DatasetError, path=tmp_path, reason="cannot be read (Is a directory)"):
        read_split(tmp_path)


@pytest.mark.parametrize("fractions", [(0.7, 0.3), (0.7, 0.2, 0.2), (1.0, 0.0, 0.0), (0.5, 0.75, -0.25)])
def test_fractions_are_three_shares(fractions):
    with raises(DatasetError, key="split.fractions", value=list(fractions), allowed="that sum to 1"):
        make_split(Named("abc"), fractions=fractions)


def test_one_image_cannot_be_split():
    with raises(DatasetError, what="named has 1 image(s) and a split needs at least 3", hint="add images"):
        make_split(Named("a"))


def whole(units, split):
    sides = {i: part for part in ("train", "val", "test") for i in getattr(split, part)}
    return all(len({sides[i] for i in unit}) == 1 for unit in units)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 59), st.integers(0, 59)), max_size=25),
    st.integers(0, 99),
    st.sampled_from([None, 2, 5]),
)
def test_linked_images_are_in_one_part_and_every_image_is_tested_once(links, seed, folds):
    data = Named(["a"] * 40 + ["b"] * 20)
    roots = united(60, links)
    units = [[i for i, r in enumerate(roots) if r == root] for root in set(roots)]
    tested = []
    for fold in range(folds or 1):
        split = make_split(data, seed=seed, links=links, folds=folds, fold=fold)
        assert sorted([*split.train, *split.val, *split.test]) == list(range(60))
        assert all(parts(split))
        assert whole(units, split)
        tested += split.test
    assert folds is None or sorted(tested) == list(range(60))


@pytest.mark.parametrize("folds", [None, 5])
def test_classes_and_sizes_have_their_share_of_every_part(folds):
    data = Named(["a"] * 200 + ["b"] * 100)
    areas = np.random.default_rng(0).random(300) * (np.arange(300) % 10 > 0)
    sizes = size_classes(data, areas.tolist(), 3)
    assert Counter(zip(data.strata, sizes, strict=True)) == {
        **{("a", k): 60 for k in (1, 2, 3)},
        **{("b", k): 30 for k in (1, 2, 3)},
        ("a", 0): 20,
        ("b", 0): 10,
    }
    links = [(i, i + 10) for i in range(0, 180, 20)]
    split = make_split(data, sizes=sizes, links=links, folds=folds, fold=0)
    for part, share in zip(
        parts(split), [0.7, 0.15, 0.15] if folds is None else [0.66, 0.14, 0.2], strict=True
    ):
        found = Counter((data.strata[i], sizes[i]) for i in part)
        for kind, total in Counter(zip(data.strata, sizes, strict=True)).items():
            assert found[kind] == pytest.approx(share * total, abs=3)
        assert np.mean(areas[list(part)]) == pytest.approx(np.mean(areas), abs=0.05)


def test_images_of_one_patient_are_linked_and_those_of_nobody_are_not():
    data = Named(["a"] * 6)
    assert links_of(data, [(0, 5)]) == [(0, 5)]
    data.groups = ("p", "q", "p", "", "", "p")
    assert links_of(data) == [(0, 2), (0, 5)]
    assert united(6, [(4, 3), (0, 4), (1, 2)]) == [0, 1, 1, 0, 0, 5]


def test_too_few_groups_are_reported():
    data = Named(["a"] * 9)
    with raises(DatasetError, what="9 images of named make 2 group(s)", hint="raise split.similarity"):
        make_split(data, links=[(i, i % 2) for i in range(9)])
    with raises(DatasetError, key="split.folds", value=5, what="make 4 group(s)"):
        make_split(data, links=[(i, i % 4) for i in range(9)], folds=5)
    with raises(DatasetError, what="has 9 image(s) and split.folds=10 needs as many", key="split.folds"):
        make_split(data, folds=10)


def test_validation_images_change_with_the_fold_alone():
    data = Named(["a"] * 50)
    first, again = (make_split(data, folds=5, fold=2) for _ in range(2))
    assert first == again
    assert not set(first.test) & set(make_split(data, folds=5, fold=3).test)


def test_a_saved_split_says_how_it_was_made(tmp_path):
    data = Named(["a"] * 12)
    split = make_split(data, links=[(0, 1)], folds=4, fold=1)
    save_split(tmp_path / "split.json", data, split)
    saved = json.loads((tmp_path / "split.json").read_text())
    assert saved["how"] == {
        "seed": 42,
        "fractions": [0.7, 0.15, 0.15],
        "stratify": True,
        "folds": 4,
        "fold": 1,
        "together": [["a/0000", "a/0001"]],
    }
    again = load_split(tmp_path / "split.json", data)
    save_split(tmp_path / "again.json", data, again)
    assert (tmp_path / "again.json").read_text() == (tmp_path / "split.json").read_text()


def test_changed_images_are_reported_by_name_and_corrected_masks_are_taken(tmp_path):
    path, data = tmp_path / "split.json", Named(["a"] * 12)
    split = make_split(data)
    save_split(path, data, split)
    data.fingerprint = lambda: "other masks"
    assert load_split(path, data) == split
    with raises(DatasetError, path=path, what="the masks of named are not those", hint="start a new run"):
        load_split(path, data, same_content=True)
    data.pixels[[4, 7]] = 99
    with raises(DatasetError) as caught:
        load_split(path, data)
    assert str(caught.value) == (
        f"image 'a/0004' of named is not the one that split file {path} was made with (2 of 12 changed): "
        "bring it back, or set split.file=null for a new split"
    )
    change(path, hashes={})  # written by hand
    assert load_split(path, data) == split
    change(path, hashes=[])
    with raises(DatasetError, path=path, reason="hashes is a mapping"):
        load_split(path, data)
