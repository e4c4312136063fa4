"""Runs that cannot be compared: excluded in one line each, or an error where none is left."""

import itertools
import json
import os

import pytest
import yaml

from dmf_cli.comparison import loading
from dmf_cli.comparison.compare import compare
from dmf_cli.errors import ConfigError, RunFolderError, UnknownNameError
from tests.comparison.conftest import DICE
from tests.raised import raises


def test_missing_folds_and_other_splits_are_reported(finished):
    for fold, strategy in itertools.product(range(2), ("fixed", "var")):
        images = {f"image {fold}{i}": 0.5 + 0.1 * i for i in range(3)}
        finished(f"{strategy}{fold}", images, strategy, split__folds=2, split__fold=fold)
    finished("other division", images, "mad", split__folds=2, split__fold=1, split__seed=9)
    finished("holdout", images, "mad", split__folds=None)
    finished("other data", [0.1, 0.2], "var", dataset="busi", fingerprint="else")
    folder = finished("half", images, "mad", split__folds=2, split__fold=1).parent
    compared = compare([folder], metric=DICE)
    assert [row.group.name for row in compared.rows] == ["weighting=fixed", "weighting=var"]
    said = "\n".join(compared.skipped)
    assert "half: fold 0 of its 2 missing, and others have it" in said
    for name in ("other division", "holdout", "other data"):
        assert f"{name}: scored on other test images" in said
    assert len(compared.skipped) == 4


def test_folds_that_no_setting_was_run_with_are_left_out_of_all(finished):
    for fold, strategy in itertools.product((0, 2), ("fixed", "var")):
        images = {f"image {fold}{i}": 0.5 + 0.1 * i for i in range(3)}
        folder = finished(f"{strategy}{fold}", images, strategy, split__folds=4, split__fold=fold).parent
    compared = compare([folder], metric=DICE)
    assert [row.group.scores.shape for row in compared.rows] == [(1, 6), (1, 6)]
    assert compared.skipped == ("the images of folds 1, 3 of 4: no setting was run with it",)


def test_what_cannot_be_compared_is_one_line_and_the_rest_is_compared(sweep, finished, tmp_path):
    folder = sweep(2, 0.1)
    names = ("failed", "killed", "corrupt", "empty", "twice", "undefined", "infinite", "text", "lacks", "cut")
    broken = {name: finished(name, [0.5] * 20, "var", 7) for name in (*names, "half", "folder")}
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
    summary = broken["cut"] / "metrics/test_summary.json"
    summary.write_text(json.dumps({**json.loads(summary.read_text()), "counts": {"images": 21}}))
    finished("twice2", [0.5] * 20, "var", 7)
    (tmp_path / "nothing").mkdir()
    compared = compare([folder, tmp_path / "nothing", folder / "var0"], metric=DICE)
    assert all("\n" not in line for line in compared.skipped)
    said = "\n".join(compared.skipped)
    for line in (
        "nothing holds no run",
        "failed is failed, not completed: `dmf resume",
        "killed broke off, not completed: `dmf resume",
        "corrupt/metrics/test_summary.json cannot be read",
        "half is not a run folder (no config.yaml)",
        "folder/config.yaml cannot be read",
        "empty/metrics/test_per_image.csv has no rows",
        "cut/metrics/test_per_image.csv has 20 of 21 images: `dmf eval",
        "lacks has no foreground.dice: `dmf eval RUN metrics=full`",
        "foreground.dice is undefined on every test image of ",
        "infinite/metrics/test_per_image.csv cannot be read",
        "text/metrics/test_per_image.csv cannot be read",
        "twice: the same setting and seed as",
    ):
        assert line in said, said
    assert len(compared.skipped) == 13
    assert len(compared.rows) == 2


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
    compared = compare([folder.parent], metric="foreground.hd95")
    assert any("var1: scored on other test images or in another way" in line for line in compared.skipped)
    assert "missed nan" in compared.skipped[0]


def test_wrong_input(sweep, finished, tmp_path):
    folder = sweep(2, 0.1)
    (tmp_path / "nothing").mkdir()
    few = {"hint": "give more runs, or train them"}
    wanted = {"key": "--baseline", "value": "weighting=mad", "allowed": "one of: weighting="}
    for paths, options, error, fields in (
        ([tmp_path / "gone"], {}, RunFolderError, {"path": "gone", "reason": "does not exist"}),
        ([tmp_path / "nothing"], {}, RunFolderError, {"path": "nothing", "hint": "`dmf train` makes one"}),
        ([folder / "var0" / "config.yaml"], {}, RunFolderError, {"path": "var0", "reason": "is a file"}),
        ([folder / "var0"], {}, RunFolderError, few),
        ([folder / "var0"] * 2, {}, RunFolderError, {"what": "1 completed run", **few}),
        ([folder], {"by": ["seed"]}, ConfigError, {"key": "--by", "value": "seed"}),
        ([folder], {"metric": "foreground.dise"}, UnknownNameError, {"value": "foreground.dise"}),
        ([folder], {"baseline": "weighting=mad"}, ConfigError, wanted),
        ([folder], {"metric": "foreground.hd95"}, UnknownNameError, {"hint": "metrics=full` adds distances"}),
        ([folder], {"by": ["weigthing"]}, UnknownNameError, {"key": "key of --by", "value": "weigthing"}),
        ([folder], {"by": ["model"]}, ConfigError, {"value": "model", "hint": "what differs is weighting"}),
    ):
        with raises(error, **fields) as caught:
            compare(paths, **{"metric": DICE, **options})
        assert "\n" not in str(caught.value)
    assert str(caught.value) == ("--by is 'model', which is the same in all runs: what differs is weighting")
    finished("x0", [0.5], "var", 0, fingerprint="else")
    finished("x1", [0.5], "fixed", 0, fingerprint="else")
    with raises(ConfigError, what="different test images", hint="compare each separately"):
        compare([folder / "var0", folder / "fixed0", folder / "x0", folder / "x1"], metric=DICE)


FILES = (
    "config.yaml",
    "status.json",
    "split.json",
    "metrics/test_summary.json",
    "metrics/test_per_image.csv",
)


def test_a_pipe_in_place_of_any_file_is_not_waited_for(sweep, finished):
    folder = sweep(2, 0.1)
    for name in (*FILES, "epochs.csv", "steps.csv", "train.log", "environment.json"):
        run = finished(f"pipe in {name.replace('/', '-')}", [0.5] * 20, "mad", 7)
        (run / name).unlink(missing_ok=True)
        os.mkfifo(run / name)
    compared = compare([folder], metric=DICE)
    said = "\n".join(compared.skipped)
    for name in FILES:
        assert f"pipe in {name.replace('/', '-')}" in said
    assert len(compared.rows) >= 2


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.yaml", {"split": {"folds": "x"}}),
        ("config.yaml", {"trainer": {"epochs": []}}),
        ("config.yaml", {"loss": {"coefficients": 5}}),
        ("status.json", [1]),
        ("status.json", {"state": "completed", "auto": 5, "config": 7}),
        ("split.json", "text"),
        ("split.json", {"train": 5, "test": {"a": 1}, "fingerprint": []}),
        ("metrics/test_summary.json", [1]),
        ("metrics/test_summary.json", {"settings": 5}),
        ("metrics/test_summary.json", {"settings": [], "classes": 5}),
        ("metrics/test_summary.json", {"settings": {"own_metrics": {"dice": {"better": []}}}}),
    ],
)
def test_a_run_with_wrong_types_never_ends_a_comparison(sweep, finished, name, content):
    folder = sweep(2, 0.1)
    file = finished("odd", [0.5] * 20, "var", 7) / name
    if name == "config.yaml":
        ((group, keys),) = content.items()
        plain = yaml.safe_load(file.read_text())
        content = {**plain, group: {**plain[group], **keys}}
    file.write_text(json.dumps(content) + "\n")
    compared = compare([folder], metric=DICE)
    assert len(compared.rows) == 2
    assert not any("DMF_DEBUG" in line or "\n" in line for line in compared.skipped)
    if name != "status.json":
        assert "odd" in "".join(compared.skipped)


def test_what_nobody_has_thought_of_costs_one_run(sweep, monkeypatch):
    folder, load = sweep(3, 0.1), loading.load

    def broken(path, metric, part):
        if path.name == "var1":
            raise ZeroDivisionError("of\nsomething")
        return load(path, metric)

    monkeypatch.setattr(loading, "load", broken)
    compared = compare([folder], metric=DICE)
    assert compared.skipped[0].endswith(
        "var1 cannot be read (ZeroDivisionError of something); DMF_DEBUG=1 shows where"
    )
    assert len(compared.rows) == 2
