"""Which runs are compared with which, and what is said of them."""

import json

import numpy as np
import pytest

from dmf_cli.errors import ConfigError, RunFolderError, UnknownNameError
from dmf_cli.results.comparison.compare import compare

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
    assert "no setting differs" in found.verdict
    assert "p cannot fall below 0.25: it takes 6 paired seeds" in found.verdict


def test_a_winner_with_seeds_enough(sweep):
    found = compare([sweep(6, 0.1, noise=0.01)], metric=DICE)
    assert by_name(found)["weighting=var"].versus.p_seeds == pytest.approx(2 / 64)
    assert found.verdict == "weighting=var is better than weighting=fixed (p = 0.0312)"


def test_where_less_is_better_the_same_difference_is_worse(sweep):
    found = compare([sweep(6, 0.1, noise=0.01)], metric="foreground.fpr", baseline="weighting=var")
    assert [row.group.name for row in found.rows] == ["weighting=var", "weighting=fixed"]
    assert "weighting=fixed is worse than weighting=var" in found.verdict


def test_images_that_do_not_count_are_left_out_of_means_and_pairs(finished):
    for seed in range(2):
        finished(f"a{seed}", [0.5, np.nan, 0.7], "fixed", seed)
        finished(f"b{seed}", [0.6, 0.0, 0.8], "var", seed)
    found = compare([finished("c", [0.6, 0.0, 0.8], "mad", 0).parent], metric=DICE)
    rows = by_name(found)
    assert rows["weighting=fixed"].mean.mean == pytest.approx(0.6)
    assert rows["weighting=var"].mean.mean == pytest.approx(1.4 / 3)
    # The false alarm is in the difference of the means, though no image stands against it.
    assert rows["weighting=var"].versus.difference.mean == pytest.approx(1.4 / 3 - 0.6)
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
    grouped = by_name(compare([folder], metric=DICE, by=["weighting"]))
    assert len(grouped["weighting=var"].group.repetitions) == 2


def test_folds_of_one_split_are_pooled_and_other_images_left_out(finished):
    for fold in range(2):
        images = {f"image {fold}{i}": 0.5 + 0.1 * i for i in range(3)}
        finished(f"f{fold}", images, "fixed", split__fold=fold)
        finished(f"v{fold}", images, "var", split__fold=fold)
    finished("other", [0.1, 0.2], "var", dataset="busi", fingerprint="else", split__fold=0)
    found = compare([finished("m", {"image 00": 0.4}, "mad", split__fold=0).parent], metric=DICE)
    assert {name: row.group.scores.shape for name, row in by_name(found).items()} == {
        "weighting=fixed": (1, 6),
        "weighting=var": (1, 6),
    }
    assert any("other test images (busi" in line for line in found.left_out)
    assert any("folds are missing (1 of 6 images)" in line for line in found.left_out)


def test_what_cannot_be_compared_is_one_line_and_the_rest_is_compared(sweep, finished):
    folder = sweep(2, 0.1)
    broken = {name: finished(name, [0.5] * 20, "var", 7) for name in ("failed", "corrupt", "empty", "twice")}
    (broken["failed"] / "status.json").write_text(json.dumps({"state": "failed"}))
    (broken["corrupt"] / "metrics/test_summary.json").write_text("{")
    (broken["empty"] / "metrics/test_per_image.csv").write_text("")
    finished("twice2", [0.5] * 20, "var", 7)
    found = compare([folder], metric=DICE)
    said = "\n".join(found.left_out)
    assert "failed is failed, not completed: `dmf resume" in said
    assert "test_summary.json cannot be read" in said
    assert "test_per_image.csv has no rows" in said
    assert "twice: the same setting and seed as" in said
    assert len(found.left_out) == 4
    assert len(found.rows) == 2


def test_wrong_input_is_one_line(sweep, finished, tmp_path):
    folder = sweep(2, 0.1)
    (tmp_path / "nothing").mkdir()
    for paths, options, error, says in (
        ([tmp_path / "gone"], {}, RunFolderError, "does not exist"),
        ([tmp_path / "nothing"], {}, RunFolderError, "no run in"),
        ([folder / "var0"], {}, RunFolderError, "two or more are needed"),
        ([folder / "var0", folder / "var1"], {}, ConfigError, "one setting, nothing to compare"),
        ([folder], {"metric": "foreground.dise"}, UnknownNameError, "did you mean 'foreground.dice'"),
        (
            [folder],
            {"baseline": "weighting=mad"},
            ConfigError,
            "no setting has that; give one of: weighting=",
        ),
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
