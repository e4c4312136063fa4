"""Metrics of users in a comparison, which reads tables and imports no plugin."""

import itertools

import numpy as np
import pytest

from dmf_cli.comparison import notes, plots
from dmf_cli.comparison.compare import compare
from dmf_cli.errors import ConfigError
from tests.comparison.conftest import DICE
from tests.raised import raises

ERRORS = np.linspace(2.0, 8.0, 12)


def scored(better, hash=None, **params):
    """The settings of a summary; without a hash they are those of before there was one."""
    return {"own_metrics": {"mine": {"better": better, "params": params} | ({"hash": hash} if hash else {})}}


@pytest.fixture
def runs(finished):
    """``runs(scored("low"), ...)``: one run for each of the settings, in this order."""

    def write(*settings):
        return [
            finished(f"run{i}", ERRORS + 0.1 * i, "fixed", i, metric="foreground.mine", scored=one)
            for i, one in enumerate(settings)
        ]

    return write


@pytest.mark.parametrize(("better", "best"), [("low", "fixed"), ("high", "var")])
def test_its_direction_is_that_of_the_summary(finished, better, best):
    for seed in range(3):
        finished(
            f"a{seed}", ERRORS + 0.01 * seed, "fixed", seed, metric="foreground.mine", scored=scored(better)
        )
        last = finished(
            f"b{seed}", ERRORS + 1 + 0.02 * seed, "var", seed, metric="foreground.mine", scored=scored(better)
        )
    compared = compare([last.parent], metric="mine")
    assert compared.metric == "foreground.mine"
    assert compared.lower == (better == "low")
    assert compared.rows[0].group.name == f"weighting={best}"
    assert compared.rows[0].wins == 3
    assert ("less is better" in notes.title(compared)) == (better == "low")
    assert "to find" not in compared.power  # nobody knows which difference is a usual one
    panel = plots.forest(compared).panels[0]
    assert ("left is better" in panel.x.label) == (better == "low")


@pytest.mark.parametrize("damaged", [3, {"mine": "low"}, {"mine": {"params": 2}}])
def test_damaged_settings_say_nothing_of_it(finished, damaged):
    for seed in range(2):
        for name, weighting in (("a", "fixed"), ("b", "var")):
            last = finished(
                f"{name}{seed}", ERRORS, weighting, seed, metric="foreground.mine",
                scored={"own_metrics": damaged},
            )  # fmt: skip
    assert not compare([last.parent], metric="mine").lower


def test_undefined_is_never_0(finished):
    undefined = np.where(np.arange(12) == 3, np.nan, ERRORS)
    for seed in range(2):
        finished(f"a{seed}", undefined, "fixed", seed, metric="foreground.mine", scored=scored("low"))
        last = finished(f"b{seed}", ERRORS, "var", seed, metric="foreground.mine", scored=scored("low"))
    compared = compare([last.parent], metric="foreground.mine")
    assert "image 003" not in compared.images
    assert len(compared.images) == 11
    kept = np.delete(ERRORS, 3).mean()
    assert [row.mean.mean for row in compared.rows] == pytest.approx([kept, kept])


def test_other_parameters_are_another_metric(finished):
    for seed in range(2):
        for name, tolerance in (("a", 1), ("b", 2)):
            last = finished(
                f"{name}{seed}", ERRORS, "fixed", 10 * tolerance + seed, metric="foreground.mine",
                scored=scored("low", tolerance=tolerance),
            )  # fmt: skip
    with pytest.raises(ConfigError, match=r"mine with tolerance=1.*mine with tolerance=2"):
        compare([last.parent], metric="foreground.mine")


OTHERS = [
    (scored("low", "aaa"), scored("high", "aaa"), "better low and high"),
    (scored("low", "aaa"), scored("low", "bbb"), "hash of its plugin aaa and bbb"),
    (scored("low"), scored("high"), "better low and high"),
]


@pytest.mark.parametrize(("one", "other", "difference"), OTHERS)
def test_two_metrics_of_one_name_are_not_mixed(runs, one, other, difference):
    paths = runs(one, one, other, other)
    with raises(ConfigError) as caught:
        compare(paths, metric="mine")
    said = f"{paths[0]} and {paths[2]} were scored with different metrics 'mine' ({difference})"
    assert caught.value.what == said
    assert f"`dmf eval {paths[2]} metrics=default+mine plugins=FILE`" in caught.value.hint


@pytest.mark.parametrize(("one", "other", "difference"), OTHERS)
def test_the_larger_set_is_compared_whatever_comes_first(runs, one, other, difference):
    paths = runs(other, one, one)
    for given in itertools.permutations(paths):
        compared = compare(given, metric="mine")
        assert compared.lower
        assert len(compared.rows[0].group.runs) == 2
        (line,) = compared.skipped
        assert f"and {paths[0]} were scored with different metrics 'mine' ({difference})" in line
        assert f"`dmf eval {paths[0]} metrics=default+mine plugins=FILE`" in line


@pytest.mark.parametrize("vague", [scored("low"), scored("Ellipsis", "aaa"), scored(3), scored("low", 7)])
def test_what_a_summary_does_not_say_is_what_the_others_say(runs, vague):
    paths = runs(vague, scored("low", "aaa"), scored("low", "aaa"))
    for given in itertools.permutations(paths):
        compared = compare(given, metric="mine")
        assert (compared.lower, compared.skipped) == (True, ())


def test_a_summary_without_hash_is_not_compared_where_the_metric_has_changed(runs):
    paths = runs(scored("low"), *2 * [scored("low", "aaa")], scored("low", "bbb"))
    first, second = compare(paths, metric="mine").skipped
    assert "hash of its plugin aaa and unknown" in first
    assert "hash of its plugin aaa and bbb" in second


def test_metrics_that_are_not_compared_do_not_matter(runs, finished):
    other = {"own_metrics": {**scored("low", "aaa")["own_metrics"], "else": {"better": "high", "hash": "x"}}}
    paths = runs(scored("low", "aaa"), other)
    assert compare(paths, metric="mine").skipped == ()
    by_dice = [
        finished(f"dice{seed}", ERRORS / 10, "fixed", seed, scored=scored(better, hash))
        for seed, (better, hash) in enumerate([("low", "aaa"), ("high", "bbb")])
    ]
    assert compare(by_dice, metric=DICE).skipped == ()
