"""What makes a setting, what repeats it, and which baseline it has."""

import itertools
import json

import numpy as np
import pytest

from dmf_cli import config as configs
from dmf_cli.comparison import loading, plots, settings, tables
from dmf_cli.comparison.compare import compare
from dmf_cli.errors import ConfigError, RunFolderError, UnknownNameError
from tests.comparison.conftest import DICE, by_name
from tests.raised import raises


def test_a_parameter_and_a_group_make_settings_by_their_names(finished):
    finished("a", [0.5, 0.6], "fixed", trainer__epochs=4)
    finished("b", [0.5, 0.7], "var", trainer__epochs=4)
    folder = finished("c", [0.6, 0.7], "var", trainer__epochs=8).parent
    compared = compare([folder], metric=DICE)
    assert sorted(by_name(compared)) == [
        "weighting=fixed, trainer.epochs=4",
        "weighting=var, trainer.epochs=4",
        "weighting=var, trainer.epochs=8",
    ]


def test_a_recipe_stands_for_the_keys_that_it_decides(finished):
    for recipe, epochs, filters in (("quick", 4, 8), ("strong", 8, 16)):
        for seed in range(2):
            changes = {"recipe": recipe, "trainer__epochs": epochs, "model__filters": filters}
            folder = finished(f"{recipe}{seed}", [0.5, 0.6], "fixed", seed, **changes).parent
    for by in (None, ["recipe"]):
        assert sorted(by_name(compare([folder], metric=DICE, by=by))) == ["recipe=quick", "recipe=strong"]
    finished("longer", [0.5, 0.6], "fixed", 0, **{**changes, "trainer__epochs": 9})
    assert sorted(by_name(compare([folder], metric=DICE))) == [
        "recipe=quick, trainer.epochs=4",
        "recipe=strong, trainer.epochs=8",
        "recipe=strong, trainer.epochs=9",
    ]
    finished("plain", [0.5, 0.6], "fixed", 0, trainer__epochs=4, model__filters=8)
    names = by_name(compare([folder], metric=DICE))
    assert "model.filters=8, trainer.epochs=4" in names
    assert not any("recipe" in name for name in names)


@pytest.mark.parametrize(
    ("words", "key", "value", "off"),
    [
        ([], "trainer.foreground", 0.5, "0.0"),
        ([], "trainer.deep_supervision", 1, "0"),
        ([], "trainer.oversample", 1.0, "0.0"),
        ([], "trainer.on_diverge", "rollback", "stop"),
        ([], "optimizer.ema", 0.9, "0.0"),
        ([], "optimizer.encoder_rate", 0.1, "1.0"),
        ([], "optimizer.frozen", 0.5, "0.0"),
        (["optimizer=sgd"], "optimizer.weight_decay", 0.1, "0.0"),
        ([], "dataset.patch", 32, "null"),
        (["augment=strong"], "augment.cutmix", 0.5, "0.0"),
        (["augment=nnunet"], "augment.cutmix", 0.5, "0.0"),
        (["model=unet"], "model.activation", "leaky_relu", "relu"),
    ],
)
def test_an_option_that_came_later_makes_a_setting(finished, words, key, value, off):
    """Runs from before it have no such key, and are as if it were off."""
    group, leaf = key.split(".")
    config = configs.compose(words)
    old = {k: v for k, v in config.plain[group].items() if k != leaf}
    for name, values in {"old": old, "off": config.plain[group], "on": {**old, leaf: value}}.items():
        folder = finished(name, [0.5, 0.6], seed=int(name == "off"))
        (folder / "config.yaml").write_text(
            configs.to_yaml(config.with_group(group, values).with_root(seed=int(name == "off")))
        )
    placed = settings.place([loading.load(folder.parent / name, DICE) for name in ("old", "off", "on")])
    assert [one.setting for one in placed] == [((key, off),), ((key, off),), ((key, str(value)),)]


def test_runs_of_one_seed_are_one_repetition(finished):
    """Six runs of a seed share its chance: with two seeds no p is below one half, however many runs."""
    rng = np.random.default_rng(0)
    for seed, strategy in itertools.product(range(2), ("fixed", "var")):
        chance = rng.normal(0, 0.02)
        for epochs in range(3, 9):
            scores = 0.5 + chance + 0.01 * epochs + rng.normal(0, 0.001, 20)
            folder = finished(f"{strategy}{seed}{epochs}", scores, strategy, seed, trainer__epochs=epochs)
    compared = compare([folder.parent], metric=DICE, by=["weighting"])
    row = by_name(compared)["weighting=var"]
    assert (row.group.scores.shape, row.versus.smallest_p) == ((2, 20), 0.5)
    assert "not shown to be better or worse" in compared.verdict
    notes = " ".join(tables.notes(compared))
    assert "repetitions (seeds), each the mean of 6 runs that differ in trainer.epochs" in notes
    assert "exact permutation of 2 pairs of repetitions, 0.5 at least" in notes


def test_settings_are_compared_in_what_all_were_run_with(finished):
    """The mean of a setting must not be over runs that have no counterpart."""
    for seed in range(3):
        finished(f"a{seed}", [0.5, 0.6], "fixed", seed, trainer__epochs=4)
        finished(f"b{seed}", [0.7, 0.8], "fixed", seed, trainer__epochs=8)
        folder = finished(f"c{seed}", [0.6, 0.7], "var", seed, trainer__epochs=4)
    compared = compare([folder.parent], metric=DICE, by=["weighting"])
    rows = by_name(compared)
    assert rows["weighting=fixed"].mean.mean == pytest.approx(0.55)
    assert rows["weighting=var"].versus.difference.mean == pytest.approx(0.1)
    assert len(compared.skipped) == 3
    assert "b2: not every setting was run with trainer.epochs=8" in compared.skipped[0]
    alone = [finished("mad", [0.6, 0.7], "mad", 0, trainer__epochs=16), folder]
    with raises(ConfigError, key="--by", what="weighting=mad with trainer.epochs=16", hint="omit --by"):
        compare(alone, metric=DICE, by=["weighting"])


def test_a_seed_that_lacks_what_others_were_run_with_is_excluded(finished):
    for seed, strategy, epochs in itertools.product(range(3), ("fixed", "var"), (4, 8)):
        if (seed, strategy, epochs) != (2, "var", 8):
            folder = finished(f"{strategy}{seed}{epochs}", [0.5, 0.6], strategy, seed, trainer__epochs=epochs)
    compared = compare([folder.parent], metric=DICE, by=["weighting"])
    assert by_name(compared)["weighting=var"].group.scores.shape == (2, 2)
    assert [line.split("/")[-1] for line in compared.skipped] == [
        "var24: its seed was not run with trainer.epochs=8, and a seed is the mean of all"
    ]


def test_folds_of_one_split_are_pooled(finished):
    for seed, fold in itertools.product(range(3), range(2)):
        images = {f"image {fold}{i}": 0.5 + 0.1 * i + 0.01 * seed for i in range(3)}
        for strategy in ("fixed", "var"):
            name = f"{strategy}{seed}{fold}"
            folder = finished(name, images, strategy, seed, split__folds=2, split__fold=fold)
    compared = compare([folder.parent], metric=DICE)
    assert {name: row.group.scores.shape for name, row in by_name(compared).items()} == {
        "weighting=fixed": (3, 6),
        "weighting=var": (3, 6),
    }
    assert all(len(folds) == 2 for row in compared.rows for folds in row.group.runs)
    assert compared.skipped == ()
    assert "2 folds" in compared.described


def test_settings_are_chosen_by_the_validation_images(finished):
    """An image that validates in two folds has the mean of its two scores."""
    for fold, (strategy, gain) in itertools.product(range(2), (("fixed", 0.0), ("var", 0.1))):
        images = {"shared": 0.4 + 0.2 * fold + gain, f"own {fold}": 0.5 + gain}
        how = {"split__folds": 2, "split__fold": fold, "part": "val"}
        folder = finished(f"{strategy}{fold}", images, strategy, **how)
    compared = compare([folder.parent], metric=DICE, part="val")
    rows = by_name(compared)
    np.testing.assert_allclose(rows["weighting=var"].group.scores, [[0.6, 0.6, 0.6]])
    assert "2 folds, val images" in compared.described
    with raises(RunFolderError, reason="is missing", hint=f"`dmf eval {folder} split=val` writes it"):
        (folder / "metrics/val_summary.json").unlink()
        loading.load(folder, DICE, "val")


def test_a_part_that_no_split_has_is_said(tmp_path):
    with raises(UnknownNameError, value="vall", allowed=["test", "train", "val"]):
        compare([tmp_path], metric=DICE, part="vall")


def test_folds_whose_automatic_epochs_differ_are_one_setting(finished):
    """A fold with one image less may take more epochs to make as many steps."""
    for strategy, fold in itertools.product(("fixed", "var"), range(2)):
        images = {f"image {fold}{i}": 0.5 + 0.1 * i for i in range(3)}
        changes = {"split__folds": 2, "split__fold": fold, "trainer__epochs": 38 + fold}
        folder = finished(f"{strategy}{fold}", images, strategy, auto=["trainer.epochs"], **changes)
    compared = compare([folder.parent], metric=DICE)
    assert set(by_name(compared)) == {"weighting=fixed", "weighting=var"}
    assert compared.skipped == ()


def test_the_folds_and_seeds_of_one_setting_are_pooled(finished, tmp_path):
    """What a cross-validation ends in; there is nothing to compare it with."""
    for seed, fold in itertools.product(range(2), range(2)):
        images = {f"image {fold}{i}": 0.5 + 0.1 * i + 0.02 * seed for i in range(3)}
        folder = finished(f"{seed}{fold}", images, "var", seed, split__folds=2, split__fold=fold)
    compared = compare([folder.parent], metric=DICE)
    (row,) = compared.rows
    assert (row.group.scores.shape, row.mean.mean) == ((2, 6), pytest.approx(0.61))
    assert (row.versus, compared.baseline, compared.power) == (None, "", "")
    assert "nothing to compare" in compared.verdict
    tables.write(tmp_path, compared)
    plots.write(tmp_path, compared)
    assert sorted(file.name for file in tmp_path.glob("*.*")) == [
        "comparison.csv", "comparison.json", "comparison.md", "comparison.tex", "comparison_methods.tex",
        "curves.png", "images.png"
    ]  # fmt: skip
    assert "baseline" not in (tmp_path / "comparison.md").read_text()
    with raises(ConfigError, key="--baseline", value="weighting=fixed", reason="no setting has") as caught:
        compare([folder.parent], metric=DICE, baseline="weighting=fixed")
    assert caught.value.allowed is None  # there is none to give


def test_each_loss_is_compared_with_its_own_baseline(finished, composed):
    for seed, (strategy, loss) in itertools.product(
        range(2), itertools.product(("fixed", "var"), ("bce", "dice"))
    ):
        score = 0.5 + 0.1 * (strategy == "var") + 0.2 * (loss == "dice")
        folder = finished(
            f"{strategy}{loss}{seed}", [score, score + 0.1], strategy, seed, loss__expression=loss
        )
    compared = compare([folder.parent], metric=DICE, baseline="weighting=fixed")
    assert compared.baseline == "the weighting=fixed of the same loss"
    against = {row.group.name: row.versus for row in compared.rows if row.versus}
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
    compared = compare([folder.parent], metric=DICE)
    assert sorted(by_name(compared)) == ["weighting=fixed", "weighting=var"]
    assert {row.group.scores.shape for row in compared.rows} == {(2, 3)}
    assert compared.skipped == ()


def test_two_divisions_with_one_test_split_are_two_settings(finished):
    for name in "ab":
        folder = finished(name, [0.4, 0.5, 0.6], split__file=f"/{name}.json")
        split = json.loads((folder / "split.json").read_text())
        (folder / "split.json").write_text(json.dumps({**split, "train": [name], "val": ["c"]}))
    compared = compare([folder.parent], metric=DICE)
    assert sorted(by_name(compared)) == ["split.file=/a.json", "split.file=/b.json"]


def test_only_some_of_the_runs(sweep, finished):
    folder = sweep(2, 0.1)
    for i, strategy in enumerate(("fixed", "mad")):
        finished(f"x{i}", [0.5, 0.6], strategy, dataset__name="busi", fingerprint="else")
    compared = compare([folder], metric=DICE, only=[("dataset", "busi")])
    assert sorted(by_name(compared)) == ["weighting=fixed", "weighting=mad"]
    assert compared.skipped == ()
    with raises(ConfigError, value="dataset=tcga", allowed="['dataset=busi', 'dataset=phantom']"):
        compare([folder], metric=DICE, only=[("dataset", "tcga")])
    with raises(UnknownNameError, key="key of --only", value="dataset.nane"):
        compare([folder], metric=DICE, only=[("dataset.nane", "busi")])
