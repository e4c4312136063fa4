"""Every part of a split holds lesions of every class, where there are enough of them."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmf_cli.datasets.splits.division import make_split
from dmf_cli.datasets.splits.presence import represent


def classes_of(parts, holds):
    return [{name for unit in part for i in unit for name in holds[i]} for part in parts]


class Named:
    """A dataset of so many images, as far as a split asks."""

    name, parts, groups, synthetic = "made", None, None, False

    def __init__(self, strata):
        self.strata = tuple(strata)
        self.ids = tuple(f"{i:04}" for i in range(len(strata)))

    def __len__(self):
        return len(self.ids)


@pytest.mark.parametrize("stratify", [True, False])
@pytest.mark.parametrize("count", [3, 4, 9])
def test_a_rare_class_is_in_every_part_whatever_the_seed(count, stratify):
    holds = [(2,) if i < count else (1,) if i < 60 else () for i in range(100)]
    for seed in range(40):
        split = make_split(Named(["all"] * 100), seed=seed, stratify=stratify, holds=holds)
        parts = [[(i,) for i in part] for part in (split.train, split.val, split.test)]
        assert classes_of(parts, holds) == [{1, 2}] * 3
        assert [len(part) for part in parts] == [70, 15, 15]


def test_lesions_at_all_where_most_images_have_none():
    holds = [(1,) if i < 3 else () for i in range(50)]
    for seed in range(40):
        split = make_split(Named(["all"] * 50), seed=seed, holds=holds)
        assert all(any(holds[i] for i in part) for part in (split.train, split.val, split.test))


def test_near_duplicates_stay_together_and_count_once():
    # Ten images of class 2 are three units: one each. Of two units one is trained on.
    links = [(0, 1), (1, 2), (2, 3), (4, 5), (5, 6), (7, 8), (8, 9)]
    holds = [(2,) if i < 10 else (1,) for i in range(60)]
    for seed in range(20):
        split = make_split(Named(["all"] * 60), seed=seed, links=links, holds=holds)
        parts = [set(part) for part in (split.train, split.val, split.test)]
        assert all(({a, b} <= part) or not ({a, b} & part) for a, b in links for part in parts)
        assert all(any(holds[i] == (2,) for i in part) for part in parts)
        few = make_split(Named(["all"] * 60), seed=seed, links=[*links, (3, 4)], holds=holds)
        assert any(holds[i] == (2,) for i in few.train)


def test_every_fold_tests_every_class_and_the_folds_do_not_depend_on_the_fold():
    holds = [(2,) if i < 6 else (1,) for i in range(60)]
    splits = [make_split(Named(["all"] * 60), folds=5, fold=k, holds=holds) for k in range(5)]
    assert sorted(i for split in splits for i in split.test) == list(range(60))
    for split in splits:
        assert all(any(holds[i] == (2,) for i in part) for part in (split.train, split.val, split.test))


def test_strata_keep_their_shares():
    strata = ["a"] * 50 + ["b"] * 50
    holds = [(2,) if i in (0, 1, 2) else (1,) for i in range(100)]
    for seed in range(20):
        bare = make_split(Named(strata), seed=seed)
        split = make_split(Named(strata), seed=seed, holds=holds)
        for before, after in ((bare.val, split.val), (bare.test, split.test)):
            assert Counter(strata[i] for i in before) == Counter(strata[i] for i in after)


def test_nothing_moves_where_nothing_is_lacking():
    holds = [(1 + i % 2,) for i in range(100)]
    assert make_split(Named(["all"] * 100), holds=holds) == make_split(Named(["all"] * 100))


@given(st.lists(st.sets(st.sampled_from("abc"), max_size=2), min_size=3, max_size=30), st.integers(0, 99))
def test_any_images_stay_one_each_and_no_part_loses_a_class(holds, seed):
    order = np.random.default_rng(seed).permutation(len(holds)).tolist()
    cut = sorted(np.random.default_rng(seed + 1).choice(np.arange(1, len(holds)), 2, replace=False).tolist())
    dealt = [[(i,) for i in part] for part in (order[: cut[0]], order[cut[0] : cut[1]], order[cut[1] :])]
    parts = represent(dealt, [("all",)] * len(holds), holds)
    assert sorted(i for part in parts for (i,) in part) == list(range(len(holds)))
    assert all(parts)
    counts = Counter(name for held in holds for name in held)
    enough = {name for name, count in counts.items() if count >= 3}
    for before, after in zip(classes_of(dealt, holds), classes_of(parts, holds), strict=True):
        assert before & enough <= after
    if all(len(held) < 2 for held in holds) and len(holds) >= 3 * len(counts):
        assert all(enough <= found for found in classes_of(parts, holds))
        assert set(counts) <= classes_of(parts, holds)[0]
