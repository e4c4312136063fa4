"""Which runs are compared with which, and what is said of them."""

import itertools
import json

import numpy as np
import pytest

from dmf_cli import metrics
from dmf_cli.comparison import plots, tables
from dmf_cli.comparison.compare import compare, lower_is_better
from dmf_cli.errors import ConfigError, RunFolderError, UnknownNameError

DICE = "foreground.dice"


def by_name(found):
    return {row.group.name: row for row in found.rows}


def test_settings_are_what_differs_and_seeds_repeat_them(sweep):
    found = compare([sweep(3, 0.1)], metric=DICE)
    rows = by_name(found)
    assert list(rows) == ["weighting=var", "weighting=fixed"]  # the best first
    assert found.baseline == "weighting=fixed"
    var = rows["weighting=var"]
    assert var.group.scores.shape == (3, 20)
    assert var.versus.paired
    assert var.versus.difference.mean == pytest.approx(0.1)
    assert var.wins == 3
    assert (var.rank, rows["weighting=fixed"].rank) == (1.0, 2.0)


def test_no_winner_before_the_seeds_can_tell(sweep):
    found = compare([sweep(3, 0.1)], metric=DICE)
    assert not by_name(found)["weighting=var"].versus.significant
    assert by_name(found)["weighting=var"].versus.smallest_p == 0.25
    assert found.verdict == "weighting=var was not shown to be better or worse than weighting=fixed"
    assert "with 3 seeds no difference, however large, could have been shown" in found.power
    assert "(p cannot fall below 0.25); it takes 6 paired seeds" in found.power


def test_a_winner_with_seeds_enough(sweep):
    found = compare([sweep(6, 0.1, noise=0.01)], metric=DICE)
    assert by_name(found)["weighting=var"].versus.p_seeds == pytest.approx(2 / 64)
    assert found.verdict.startswith(
        "weighting=var is better than weighting=fixed by 0.1 Dice (95 % interval "
    )
    assert found.verdict.endswith(", p = 0.031)")
    assert found.excluded == ""


def test_where_less_is_better_the_same_difference_is_worse(sweep):
    found = compare([sweep(6, 0.1, noise=0.01)], metric="foreground.fpr", baseline="weighting=var")
    assert [row.group.name for row in found.rows] == ["weighting=var", "weighting=fixed"]
    assert "weighting=fixed is worse than weighting=var" in found.verdict
    assert by_name(found)["weighting=var"].rank == 1.0
    assert compare([found.rows[0].group.runs[0][0].parent], metric="fpr").metric == "foreground.fpr"


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
        assert (value < seen["wrong"][name]) == lower_is_better(f"foreground.{name}"), name
        assert value != seen["wrong"][name], name


def test_every_figure_is_of_the_images_that_all_runs_can_score(finished):
    """A false alarm makes an image count for one setting alone: it is in no mean and no difference."""
    for seed in range(2):
        finished(f"a{seed}", [0.5, np.nan, 0.7], "fixed", seed)
        finished(f"b{seed}", [0.6, 0.0, 0.8], "var", seed)
    found = compare([finished("c", [0.6, 0.0, 0.8], "mad", 0).parent], metric=DICE)
    rows = by_name(found)
    assert rows["weighting=fixed"].mean.mean == pytest.approx(0.6)
    assert rows["weighting=var"].mean.mean == pytest.approx(0.7)
    assert rows["weighting=var"].own == pytest.approx(1.4 / 3)  # as in the runs' own tables
    assert rows["weighting=var"].versus.difference.mean == pytest.approx(0.1)
    assert rows["weighting=var"].versus.effect_images == 1.0
    assert found.images == ("image 000", "image 002")
    assert [(one.kind, one.images) for one in found.counted.excluded] == [("unscored", ("image 001",))]
    assert "2 of 3 test images count; not: 1 undefined in at least one run" in " ".join(tables.notes(found))
    (gaps,) = found.events
    assert {row.group.name: (row.mean, row.only, row.baseline_only) for row in gaps.rows} == {
        "weighting=var": (0.0, 0, 1),
        "weighting=mad": (0.0, 0, 1),
        "weighting=fixed": (1.0, 0, 0),
    }
    assert not rows["weighting=mad"].versus.paired


def test_a_parameter_and_a_group_make_settings_by_their_names(finished):
    finished("a", [0.5, 0.6], "fixed", trainer__epochs=4)
    finished("b", [0.5, 0.7], "var", trainer__epochs=4)
    folder = finished("c", [0.6, 0.7], "var", trainer__epochs=8).parent
    found = compare([folder], metric=DICE)
    assert sorted(by_name(found)) == [
        "weighting=fixed, trainer.epochs=4",
        "weighting=var, trainer.epochs=4",
        "weighting=var, trainer.epochs=8",
    ]


def test_runs_of_one_seed_are_one_repetition(finished):
    """Six runs of a seed share its chance: with two seeds no p is below one half, however many runs."""
    rng = np.random.default_rng(0)
    for seed, strategy in itertools.product(range(2), ("fixed", "var")):
        chance = rng.normal(0, 0.02)
        for epochs in range(3, 9):
            scores = 0.5 + chance + 0.01 * epochs + rng.normal(0, 0.001, 20)
            folder = finished(f"{strategy}{seed}{epochs}", scores, strategy, seed, trainer__epochs=epochs)
    found = compare([folder.parent], metric=DICE, by=["weighting"])
    row = by_name(found)["weighting=var"]
    assert (row.group.scores.shape, row.versus.smallest_p) == ((2, 20), 0.5)
    assert "not shown to be better or worse" in found.verdict
    notes = " ".join(tables.notes(found))
    assert "repetitions (seeds), each the mean of 6 runs that differ in trainer.epochs" in notes
    assert "exact permutation of 2 pairs of repetitions, 0.5 at least" in notes


def test_settings_are_compared_in_what_all_were_run_with(finished):
    """The mean of a setting must not be over runs that have no counterpart."""
    for seed in range(3):
        finished(f"a{seed}", [0.5, 0.6], "fixed", seed, trainer__epochs=4)
        finished(f"b{seed}", [0.7, 0.8], "fixed", seed, trainer__epochs=8)
        folder = finished(f"c{seed}", [0.6, 0.7], "var", seed, trainer__epochs=4)
    found = compare([folder.parent], metric=DICE, by=["weighting"])
    rows = by_name(found)
    assert rows["weighting=fixed"].mean.mean == pytest.approx(0.55)
    assert rows["weighting=var"].versus.difference.mean == pytest.approx(0.1)
    assert len(found.left_out) == 3
    assert "b2: not every setting was run with trainer.epochs=8" in found.left_out[0]
    alone = [finished("mad", [0.6, 0.7], "mad", 0, trainer__epochs=16), folder]
    with pytest.raises(ConfigError, match=r"nothing in common.*weighting=mad with trainer\.epochs=16"):
        compare(alone, metric=DICE, by=["weighting"])


def test_a_seed_that_lacks_what_others_were_run_with_is_left_out(finished):
    for seed, strategy, epochs in itertools.product(range(3), ("fixed", "var"), (4, 8)):
        if (seed, strategy, epochs) != (2, "var", 8):
            folder = finished(f"{strategy}{seed}{epochs}", [0.5, 0.6], strategy, seed, trainer__epochs=epochs)
    found = compare([folder.parent], metric=DICE, by=["weighting"])
    assert by_name(found)["weighting=var"].group.scores.shape == (2, 2)
    assert [line.split("/")[-1] for line in found.left_out] == [
        "var24: its seed was not run with trainer.epochs=8, and a seed is the mean of all"
    ]


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


def test_folds_of_one_split_are_pooled(finished):
    for seed, fold in itertools.product(range(3), range(2)):
        images = {f"image {fold}{i}": 0.5 + 0.1 * i + 0.01 * seed for i in range(3)}
        for strategy in ("fixed", "var"):
            name = f"{strategy}{seed}{fold}"
            folder = finished(name, images, strategy, seed, split__folds=2, split__fold=fold)
    found = compare([folder.parent], metric=DICE)
    assert {name: row.group.scores.shape for name, row in by_name(found).items()} == {
        "weighting=fixed": (3, 6),
        "weighting=var": (3, 6),
    }
    assert all(len(folds) == 2 for row in found.rows for folds in row.group.runs)
    assert found.left_out == ()
    assert "2 folds" in found.described


def test_folds_whose_automatic_epochs_differ_are_one_setting(finished):
    """A fold with one image less may take more epochs to make as many steps."""
    for strategy, fold in itertools.product(("fixed", "var"), range(2)):
        images = {f"image {fold}{i}": 0.5 + 0.1 * i for i in range(3)}
        changes = {"split__folds": 2, "split__fold": fold, "trainer__epochs": 38 + fold}
        folder = finished(f"{strategy}{fold}", images, strategy, auto=["trainer.epochs"], **changes)
    found = compare([folder.parent], metric=DICE)
    assert set(by_name(found)) == {"weighting=fixed", "weighting=var"}
    assert found.left_out == ()


def test_the_folds_and_seeds_of_one_setting_are_pooled(finished, tmp_path):
    """What a cross-validation ends in; there is nothing to hold it against."""
    for seed, fold in itertools.product(range(2), range(2)):
        images = {f"image {fold}{i}": 0.5 + 0.1 * i + 0.02 * seed for i in range(3)}
        folder = finished(f"{seed}{fold}", images, "var", seed, split__folds=2, split__fold=fold)
    found = compare([folder.parent], metric=DICE)
    (row,) = found.rows
    assert (row.group.scores.shape, row.mean.mean) == ((2, 6), pytest.approx(0.61))
    assert (row.versus, found.baseline, found.power) == (None, "", "")
    assert "nothing to compare" in found.verdict
    tables.write(tmp_path, found)
    plots.write(tmp_path, found)
    assert sorted(file.name for file in tmp_path.glob("*.*")) == [
        "comparison.csv", "comparison.json", "comparison.md", "comparison.tex", "comparison_methods.tex",
        "curves.png", "images.png"
    ]  # fmt: skip
    assert "baseline" not in (tmp_path / "comparison.md").read_text()
    with pytest.raises(ConfigError, match="no setting has that"):
        compare([folder.parent], metric=DICE, baseline="weighting=fixed")


def test_folds_that_are_missing_and_other_splits_are_told(finished):
    for fold, strategy in itertools.product(range(2), ("fixed", "var")):
        images = {f"image {fold}{i}": 0.5 + 0.1 * i for i in range(3)}
        finished(f"{strategy}{fold}", images, strategy, split__folds=2, split__fold=fold)
    finished("other division", images, "mad", split__folds=2, split__fold=1, split__seed=9)
    finished("holdout", images, "mad", split__folds=None)
    finished("other data", [0.1, 0.2], "var", dataset="busi", fingerprint="else")
    folder = finished("half", images, "mad", split__folds=2, split__fold=1).parent
    found = compare([folder], metric=DICE)
    assert [row.group.name for row in found.rows] == ["weighting=fixed", "weighting=var"]
    said = "\n".join(found.left_out)
    assert "half: fold 0 of its 2 missing, and it takes all" in said
    for name in ("other division", "holdout", "other data"):
        assert f"{name}: scored on other test images" in said
    assert len(found.left_out) == 4


def test_each_loss_is_held_against_its_own_baseline(finished, composed):
    for seed, (strategy, loss) in itertools.product(
        range(2), itertools.product(("fixed", "var"), ("bce", "dice"))
    ):
        score = 0.5 + 0.1 * (strategy == "var") + 0.2 * (loss == "dice")
        folder = finished(
            f"{strategy}{loss}{seed}", [score, score + 0.1], strategy, seed, loss__expression=loss
        )
    found = compare([folder.parent], metric=DICE, baseline="weighting=fixed")
    assert found.baseline == "the weighting=fixed of the same loss"
    against = {row.group.name: row.versus for row in found.rows if row.versus}
    assert {name: one.baseline.name for name, one in against.items()} == {
        "loss=bce, weighting=var": "loss=bce, weighting=fixed",
        "loss=dice, weighting=var": "loss=dice, weighting=fixed",
    }
    assert all(one.difference.mean == pytest.approx(0.1) for one in against.values())
    pooled = compare([folder.parent], metric=DICE, by=["weighting"])
    assert by_name(pooled)["weighting=var"].group.scores.shape == (2, 2)


@pytest.mark.parametrize(
    "places",
    [
        {"dataset__dir": "/here"},
        {"dataset__data_dir": "/cache"},
        {"split__file": "/a.json", "split__folds": 5},
    ],
)
def test_the_place_of_the_same_images_and_the_same_split_is_no_setting(finished, places):
    for seed, strategy in itertools.product((0, 1), ("fixed", "var")):
        [key, first], *rest = places.items()
        typed = {key: f"{first}/copy{seed}" if seed else first, **dict(rest)}
        folder = finished(f"{strategy}{seed}", [0.4, 0.5, 0.6], strategy, seed, **typed)
    found = compare([folder.parent], metric=DICE)
    assert sorted(by_name(found)) == ["weighting=fixed", "weighting=var"]
    assert {row.group.scores.shape for row in found.rows} == {(2, 3)}
    assert found.left_out == ()


def test_two_divisions_with_one_test_split_are_two_settings(finished):
    for name in "ab":
        folder = finished(name, [0.4, 0.5, 0.6], split__file=f"/{name}.json")
        split = json.loads((folder / "split.json").read_text())
        (folder / "split.json").write_text(json.dumps({**split, "train": [name], "val": ["c"]}))
    found = compare([folder.parent], metric=DICE)
    assert sorted(by_name(found)) == ["split.file=/a.json", "split.file=/b.json"]


def test_only_some_of_the_runs(sweep, finished):
    folder = sweep(2, 0.1)
    for i, strategy in enumerate(("fixed", "mad")):
        finished(f"x{i}", [0.5, 0.6], strategy, dataset__name="busi", fingerprint="else")
    found = compare([folder], metric=DICE, only=[("dataset", "busi")])
    assert sorted(by_name(found)) == ["weighting=fixed", "weighting=mad"]
    assert found.left_out == ()
    with pytest.raises(ConfigError, match="no run has that; there are busi, phantom"):
        compare([folder], metric=DICE, only=[("dataset", "tcga")])
    with pytest.raises(UnknownNameError, match=r"did you mean 'dataset\.name'"):
        compare([folder], metric=DICE, only=[("dataset.nane", "busi")])


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


def test_what_cannot_be_compared_is_one_line_and_the_rest_is_compared(sweep, finished, tmp_path):
    folder = sweep(2, 0.1)
    names = (
        "failed",
        "killed",
        "corrupt",
        "empty",
        "twice",
        "undefined",
        "infinite",
        "text",
        "lacks",
        "half",
        "folder",
    )
    broken = {name: finished(name, [0.5] * 20, "var", 7) for name in names}
    (broken["failed"] / "status.json").write_text(json.dumps({"state": "failed"}))
    (broken["killed"] / "status.json").write_text(json.dumps({"state": "running"}))
    (broken["corrupt"] / "metrics/test_summary.json").write_text("{")
    (broken["half"] / "config.yaml").unlink()
    (broken["folder"] / "config.yaml").write_text(": [")
    table = "metrics/test_per_image.csv"
    (broken["empty"] / table).write_text("")
    (broken["lacks"] / table).write_text("id,foreground.fpr\na,0.5\n")
    for name, value in (("undefined", ""), ("infinite", "inf"), ("text", "good")):
        (broken[name] / table).write_text(f"id,foreground.dice\na,{value}\n")
    finished("twice2", [0.5] * 20, "var", 7)
    (tmp_path / "nothing").mkdir()
    found = compare([folder, tmp_path / "nothing", folder / "var0"], metric=DICE)
    assert all("\n" not in line for line in found.left_out)
    said = "\n".join(found.left_out)
    for line in (
        "nothing holds no run",
        "failed is failed, not completed: `dmf resume",
        "killed broke off, not completed: `dmf resume",
        "corrupt/metrics/test_summary.json cannot be read",
        "half is not a run folder (no config.yaml)",
        "folder/config.yaml cannot be read",
        "empty/metrics/test_per_image.csv has no rows",
        "lacks has no foreground.dice: `dmf eval RUN metrics=full`",
        "undefined: foreground.dice is undefined on every test image",
        "infinite/metrics/test_per_image.csv cannot be read",
        "text/metrics/test_per_image.csv cannot be read",
        "twice: the same setting and seed as",
    ):
        assert line in said, said
    assert len(found.left_out) == 12
    assert len(found.rows) == 2


def test_scores_of_metrics_full_are_compared_with_their_like_only(finished):
    for seed in range(2):
        for strategy in ("fixed", "var"):
            folder = finished(
                f"{strategy}{seed}", [3.0 + seed, 4.0], strategy, seed, metric="foreground.hd95"
            )
    path = folder / "metrics/test_summary.json"
    content = json.loads(path.read_text())
    content["settings"]["missed"] = "nan"
    path.write_text(json.dumps(content))
    found = compare([folder.parent], metric="foreground.hd95")
    assert any("var1: scored on other test images or in another way" in line for line in found.left_out)
    assert "missed nan" in found.left_out[0]


def test_wrong_input_is_one_line(sweep, finished, tmp_path):
    folder = sweep(2, 0.1)
    (tmp_path / "nothing").mkdir()
    for paths, options, error, says in (
        ([tmp_path / "gone"], {}, RunFolderError, "does not exist"),
        ([tmp_path / "nothing"], {}, RunFolderError, "no run in"),
        ([folder / "var0" / "config.yaml"], {}, RunFolderError, "is a file: give run folders"),
        ([folder / "var0"], {}, RunFolderError, "two or more are needed: give more runs, or train them"),
        ([folder / "var0"] * 2, {}, RunFolderError, "1 completed run"),
        ([folder], {"by": ["seed"]}, ConfigError, "seeds repeat a setting"),
        ([folder], {"metric": "foreground.dise"}, UnknownNameError, "did you mean 'foreground.dice'"),
        (
            [folder],
            {"baseline": "weighting=mad"},
            ConfigError,
            "no setting has that; give one of: weighting=",
        ),
        ([folder], {"metric": "foreground.hd95"}, UnknownNameError, "metrics=full` adds distances"),
        ([folder], {"by": ["weigthing"]}, UnknownNameError, "did you mean 'weighting'"),
        ([folder], {"by": ["model"]}, ConfigError, "the same in all runs; what differs is weighting"),
    ):
        with pytest.raises(error, match=says) as caught:
            compare(paths, **{"metric": DICE, **options})
        assert "\n" not in str(caught.value)
    finished("x0", [0.5], "var", 0, fingerprint="else")
    finished("x1", [0.5], "fixed", 0, fingerprint="else")
    with pytest.raises(ConfigError, match="different test images"):
        compare([folder / "var0", folder / "fixed0", folder / "x0", folder / "x1"], metric=DICE)
