"""Each setting compared with its baseline: differences, tests, and what is said of them."""

import json

import numpy as np
import pytest

from dmf_cli import metrics
from dmf_cli.comparison import tables
from dmf_cli.comparison.compare import compare
from dmf_cli.comparison.loading import lower_is_better
from dmf_cli.comparison.notes import notes
from tests.comparison.conftest import DICE, by_name


def test_settings_are_what_differs_and_seeds_repeat_them(sweep):
    compared = compare([sweep(3, 0.1)], metric=DICE)
    rows = by_name(compared)
    assert list(rows) == ["weighting=var", "weighting=fixed"]  # the best first
    assert compared.baseline == "weighting=fixed"
    var = rows["weighting=var"]
    assert var.group.scores.shape == (3, 20)
    assert var.versus.paired
    assert var.versus.difference.mean == pytest.approx(0.1)
    assert var.wins == 3
    assert (var.rank, rows["weighting=fixed"].rank) == (1.0, 2.0)


def test_runs_that_were_rolled_back_are_counted_for_each_setting(sweep):
    folder = sweep(3, 0.1)
    assert compare([folder], metric=DICE).rolled_back == ""
    for name in ("var0", "var2"):
        status = {"state": "completed", "rollback": {"epoch": 1, "factor": 0.1}}
        (folder / name / "status.json").write_text(json.dumps(status))
    compared = compare([folder], metric=DICE)
    assert compared.rolled_back == "weighting=var: 2 of 3 runs"
    assert any(compared.rolled_back in line for line in notes(compared))


def test_no_winner_before_the_seeds_can_show_one(sweep):
    compared = compare([sweep(3, 0.1)], metric=DICE)
    assert not by_name(compared)["weighting=var"].versus.significant
    assert by_name(compared)["weighting=var"].versus.smallest_p == 0.25
    assert compared.verdict == "weighting=var was not shown to be better or worse than weighting=fixed"
    assert "with 3 seeds no difference, however large, could have been shown" in compared.power
    assert "(p cannot fall below 0.25); it takes 6 paired seeds" in compared.power


def test_a_winner_with_seeds_enough(sweep):
    compared = compare([sweep(6, 0.1, noise=0.01)], metric=DICE)
    assert by_name(compared)["weighting=var"].versus.p_seeds == pytest.approx(2 / 64)
    assert compared.verdict.startswith(
        "weighting=var is better than weighting=fixed by 0.1 Dice (95 % interval "
    )
    assert compared.verdict.endswith(", p = 0.031)")
    assert compared.excluded == ""


def test_where_less_is_better_the_same_difference_is_worse(sweep):
    compared = compare([sweep(6, 0.1, noise=0.01)], metric="foreground.fpr", baseline="weighting=var")
    assert [row.group.name for row in compared.rows] == ["weighting=var", "weighting=fixed"]
    assert "weighting=fixed is worse than weighting=var" in compared.verdict
    assert by_name(compared)["weighting=var"].rank == 1.0
    assert compare([compared.rows[0].group.runs[0][0].parent], metric="fpr").metric == "foreground.fpr"


def test_the_direction_of_every_metric_is_known():
    """A perfect mask scores better than one that is partly wrong, in the direction that is said."""
    truth, wrong = np.zeros((2, 16, 16), bool)
    truth[4:9, 4:9] = True
    wrong[6:12, 4:9] = wrong[0, 14] = True
    seen = {}
    for name, mask in (("right", truth), ("wrong", wrong)):
        counts = metrics.foreground_counts(metrics.confusion(truth.astype(int), mask.astype(int), 2))
        histogram = metrics.reliability(truth, np.where(mask, 0.99, 0.01), bins=5)
        seen[name] = {
            **{key: float(value) for key, value in metrics.values(counts).items()},
            **metrics.measure(truth, mask, metrics.Full(), spacing=(1.0, 1.0)),
            "ece": float(metrics.ece(histogram)),
        }
    assert set(metrics.__registry__) <= set(seen["right"])
    for name, value in seen["right"].items():
        if name in ("lesions", "lesions_found", "lesion_sensitivity"):
            continue  # counts; and the wrong mask touches the lesion
        assert (value < seen["wrong"][name]) == lower_is_better(f"foreground.{name}", {}), name
        assert value != seen["wrong"][name], name


def test_every_figure_is_of_the_images_that_all_runs_can_score(finished):
    """A false alarm makes an image count for one setting alone: it is in no mean and no difference."""
    for seed in range(2):
        finished(f"a{seed}", [0.5, np.nan, 0.7], "fixed", seed)
        finished(f"b{seed}", [0.6, 0.0, 0.8], "var", seed)
    compared = compare([finished("c", [0.6, 0.0, 0.8], "mad", 0).parent], metric=DICE)
    rows = by_name(compared)
    assert rows["weighting=fixed"].mean.mean == pytest.approx(0.6)
    assert rows["weighting=var"].mean.mean == pytest.approx(0.7)
    assert rows["weighting=var"].own == pytest.approx(1.4 / 3)  # as in the runs' own tables
    assert rows["weighting=var"].versus.difference.mean == pytest.approx(0.1)
    assert rows["weighting=var"].versus.effect_images == 1.0
    assert compared.images == ("image 000", "image 002")
    assert [(one.kind, one.images) for one in compared.counted.excluded] == [("unscored", ("image 001",))]
    assert "2 of 3 images count; not: 1 undefined in at least one run" in " ".join(tables.notes(compared))
    (gaps,) = compared.events
    assert {row.group.name: (row.mean, row.only, row.baseline_only) for row in gaps.rows} == {
        "weighting=var": (0.0, 0, 1),
        "weighting=mad": (0.0, 0, 1),
        "weighting=fixed": (1.0, 0, 0),
    }
    assert not rows["weighting=mad"].versus.paired


def test_the_least_p_of_settings_with_unequal_seeds(finished):
    rng = np.random.default_rng(0)
    for seed in range(6):
        for strategy in ("fixed", "var", *(["mad"] if seed == 0 else [])):
            folder = finished(f"{strategy}{seed}", rng.uniform(0.4, 0.6, 9), strategy, seed)
    notes = " ".join(tables.notes(compare([folder.parent], metric=DICE)))
    assert "exact permutation of 6 pairs of repetitions or unpaired repetitions, 0.062 to 1 at least" in notes
    assert "p both: for new seeds and images" in notes


@pytest.mark.parametrize(
    ("seeds", "said"),
    [
        ((14, 14), "p seeds: exact permutation of 14 pairs of repetitions, 0.00024 at least"),
        ((15, 15), "p seeds: permutation (20,000 random ways) of 15 pairs of repetitions, 0.0001 at least"),
        (
            (15, 2),
            "permutation (exact, or 20,000 random ways where there are more) of 15 pairs of repetitions or",
        ),
    ],
)
def test_permutations_that_are_drawn_are_not_called_exact(finished, seeds, said):
    rng = np.random.default_rng(0)
    for strategy, repeated in zip(("fixed", "mad", "var"), (max(seeds), *seeds), strict=True):
        for seed in range(repeated):
            folder = finished(f"{strategy}{seed}", rng.uniform(0.4, 0.6, 5), strategy, seed)
    assert said in " ".join(tables.notes(compare([folder.parent], metric=DICE)))


def test_a_difference_is_that_of_the_means_beside_it(finished):
    """Ten seeds against ten with two in common: all runs count, not the two pairs."""
    rng = np.random.default_rng(0)
    for seed in range(10):
        finished(f"f{seed}", 0.78 + rng.normal(0, 0.01, 10), "fixed", seed)
        gain = -0.03 if seed < 2 else 0.03
        folder = finished(f"v{seed}", 0.78 + gain + rng.normal(0, 0.01, 10), "var", seed + 8).parent
    rows = by_name(compare([folder], metric=DICE))
    one = rows["weighting=var"].versus
    assert (one.paired, one.shared, len(one.by_seed)) == (False, 2, 0)
    means = [rows[f"weighting={name}"].mean.mean for name in ("var", "fixed")]
    assert one.difference.mean == pytest.approx(means[0] - means[1])
    assert one.difference.mean > 0
