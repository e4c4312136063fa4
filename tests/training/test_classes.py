"""Runs with several classes, and with classes that a part of the images lacks."""

import csv
import json
import math

import numpy as np
import pytest
from PIL import Image

from dmf_cli import config as configs
from dmf_cli.datasets.input import run_data
from dmf_cli.datasets.sources.folder import FolderDataset
from dmf_cli.errors import ConfigError
from dmf_cli.inference import tables
from dmf_cli.report import reading, run_page
from dmf_cli.run_folder import identity, stored_config
from dmf_cli.training import trackers, trainer
from dmf_cli.training.session import Session
from tests.raised import raises
from tests.tables import rows
from tests.training.conftest import TINY

SMALL = [word for word in TINY if not word.startswith("dataset.")]


def folder(path, labels):
    """Images of noise, each with a bright square of the class in ``labels``; 0 for none."""
    for kind in ("images", "masks"):
        (path / kind).mkdir(parents=True)
    for number, label in enumerate(labels):
        noise = np.random.default_rng(number).integers(0, 120, (32, 32)).astype(np.uint8)
        mask = np.zeros((32, 32), np.uint8)
        mask[8:20, 6 + number % 8 : 18 + number % 8] = label
        Image.fromarray(noise + np.uint8(100) * (mask > 0).astype(np.uint8)).save(
            path / f"images/{number:03}.png"
        )
        Image.fromarray(mask).save(path / f"masks/{number:03}.png")
    return path


def opened(place, classes=("background", "lesion")):
    return FolderDataset(
        name="folder", dir=place, images="images/*", masks="masks/{stem}.png", classes=classes
    )


def config(path, place, *more, classes="[background,benign,malignant]"):
    words = [f"dataset.dir={place}", f"dataset.classes={classes}", "dataset.image_size=32", f"run_dir={path}"]
    return configs.compose(["dataset=folder", *words, *SMALL, f"output_root={path}-out", *more])


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """A run with a class of which there are four images, none of which is predicted."""
    path = tmp_path_factory.mktemp("three")
    place = folder(path / "data", [1] * 20 + [2] * 4)
    words = ("weighting=fixed", "trainer.patience=1", "metrics=full", "optimizer.learning_rate=1e-9")
    return trainer.train(config(path / "run", place, *words, "trainer.epochs=4"))


def test_the_mean_over_classes_chooses_the_best_epoch(three):
    status = json.loads((three / "status.json").read_text())
    epochs = rows(three / "epochs.csv")
    assert list(status["best"]) == ["epoch", "val_mean_dice"]
    best = max(float(row["val_mean_dice"]) for row in epochs)
    assert status["best"]["val_mean_dice"] == pytest.approx(best)
    assert stored_config.load_run(three).plain["trainer"]["monitor"] == "val_mean_dice"


def test_each_epoch_has_the_dice_of_each_class(three):
    epochs = rows(three / "epochs.csv")
    assert list(epochs[0])[-2:] == ["val_dice.benign", "val_dice.malignant"]
    for row in epochs:
        each = [float(row[f"val_dice.{name}"]) for name in ("benign", "malignant")]
        assert float(row["val_mean_dice"]) == pytest.approx(np.mean(each))
    charts = {one.panel.key: one for one in run_page.groups(reading.read(three))["Over epochs"]}
    assert "Dice of malignant" in charts["metrics"].panel.words


def test_each_part_has_every_class(three):
    split = json.loads((three / "split.json").read_text())
    for part in ("train", "val", "test"):
        assert any(int(name.rpartition("/")[2]) >= 20 for name in split[part])


def test_the_tables_have_the_mean_and_the_confusion(three):
    summary = json.loads((three / "metrics/test_summary.json").read_text())
    per_image = rows(three / "metrics/test_per_image.csv")
    for statistic in ("mean", "median", "std", "pooled"):
        for metric in ("dice", "iou", "hd95", "lesion_fp"):
            each = [summary["classes"][name][metric][statistic] for name in ("benign", "malignant")]
            known = [value for value in each if value is not None]
            found = summary["mean"][metric][statistic]
            assert found == (pytest.approx(np.mean(known)) if known else None)
    assert summary["mean"]["dice"]["n"] == sum(bool(row["mean.dice"]) for row in per_image)
    for row in per_image:
        each = [float(row[f"class.{name}.dice"] or "nan") for name in ("benign", "malignant")]
        assert float(row["mean.dice"] or "nan") == pytest.approx(np.nanmean(each), nan_ok=True)
        distances = [float(row[f"class.{name}.hd95"] or "nan") for name in ("benign", "malignant")]
        known = [value for value in distances if not math.isnan(value)]
        assert float(row["mean.hd95"] or "nan") == pytest.approx(
            np.mean(known) if known else math.nan, nan_ok=True
        )
    assert summary["mean"]["hd95"]["n"] == sum(bool(row["mean.hd95"]) for row in per_image)
    lesions = [row for row in rows(three / "metrics/test_confusion.csv") if row["counted"] == "lesions"]
    assert sum(int(row["count"]) for row in lesions if row["truth"] != "no lesion") == len(per_image)
    assert "Confusion of lesions" in (three / "metrics/test_summary.md").read_text()


def test_the_report_is_headed_by_the_mean(three):
    page = run_page.context(reading.read(three))
    assert page["tiles"][0][0] == "Dice, test, mean over 2 classes"
    assert [name for name, _ in page["legend"]] == ["benign", "malignant"]
    assert any("Confusion of lesions" in table.caption for table in page["scores"][0]["tables"])
    assert "Lesions of another class" in [name for name, _, _ in page["tiles"]]
    assert "Dice of the union" in page["images"][0]["table"].columns


def test_trackers_get_both_under_names_that_cannot_be_mistaken(three):
    summary = reading.read(three).summaries["test"]
    scores = trackers.scores(summary)
    assert scores["mean_dice"] == summary["mean"]["dice"]["mean"]
    assert scores["foreground_dice"] == summary["foreground"]["dice"]["mean"]
    assert "dice" not in scores


def test_a_summary_and_a_table_of_version_0_1_are_read(three, tmp_path):
    import shutil

    old = shutil.copytree(three, tmp_path / "old")
    summary = json.loads((old / "metrics/test_summary.json").read_text())
    for key in ("mean", "confusion"):
        del summary[key]
    (old / "metrics/test_summary.json").write_text(json.dumps(summary))
    per_image = rows(old / "metrics/test_per_image.csv")
    kept = [key for key in per_image[0] if not key.startswith("mean.")]
    with (old / "metrics/test_per_image.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, kept, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(per_image)
    (old / "metrics/test_confusion.csv").unlink()
    epochs = [
        {k: v for k, v in row.items() if not k.startswith("val_dice.")} for row in rows(old / "epochs.csv")
    ]
    with (old / "epochs.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(epochs[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(epochs)
    facts = reading.read(old)
    page = run_page.context(facts)
    assert not facts.problems
    assert page["tiles"][0][0] == "Dice, test"
    assert [row["mean.dice"] for row in facts.per_image["test"]]
    assert tables.sections(facts.summaries["test"])


def test_a_class_that_is_never_predicted_is_named(tmp_path, monkeypatch, caplog, capsys):
    place = folder(tmp_path / "data", [1] * 20 + [2] * 4)
    monkeypatch.setattr(Session, "unpredicted", lambda self: ["malignant"])
    path = trainer.train(config(tmp_path / "run", place, "weighting=fixed", "trainer.epochs=1"))
    said = "epoch 1, which is kept, never predicts malignant in the validation images"
    assert said in (path / "train.log").read_text()
    assert said in capsys.readouterr().out
    assert json.loads((path / "status.json").read_text())["never_predicted"] == ["malignant"]
    found = run_page.context(reading.read(path))["warnings"]
    assert "validation: malignant is never predicted in epoch 1, which is kept" in found


def test_no_lesion_in_the_validation_leaves_the_choice_to_the_objective(tmp_path, capsys):
    """The images of the validation are given by a split file, so that nothing could be done about it."""
    place = folder(tmp_path / "data", [1] * 16 + [0] * 4)
    ids = sorted(opened(place).ids)
    split = {"dataset": "folder", "train": ids[:12], "val": ids[16:], "test": ids[12:16]}
    (tmp_path / "split.json").write_text(json.dumps(split))
    words = ("weighting=fixed", f"split.file={tmp_path / 'split.json'}", "trainer.epochs=4")
    stopped = ("trainer.patience=3", "schedule=plateau", "schedule.patience=3", "seed=3")
    path = trainer.train(config(tmp_path / "run", place, *words, *stopped, classes="[background,lesion]"))
    epochs = rows(path / "epochs.csv")
    assert {row["val_foreground_dice"] for row in epochs} == {"nan"}
    assert not any(column.startswith("val_dice.") for column in epochs[0])
    objectives = [float(row["val_objective"]) for row in epochs]
    status = json.loads((path / "status.json").read_text())
    best = status["best"]
    assert best["epoch"] == 1 + int(np.argmin(objectives))
    assert best["val_foreground_dice"] is None
    assert best["val_objective"] == pytest.approx(min(objectives))
    # Each epoch improved the objective: neither early stopping nor the plateau took NaN for no improvement.
    assert len(epochs) == 4
    out = capsys.readouterr().out
    assert "no validation image holds lesion: its validation Dice is undefined" in out
    assert "val_objective chooses the best epoch" in out
    assert "val Dice nan" in out
    assert "0.0000" not in out.partition("epoch 1/4")[2].partition("scoring")[0]
    facts = reading.read(path)
    tiles = {name: (figure, of) for name, figure, of in run_page.context(facts)["tiles"]}
    assert tiles["Epoch kept"][0] == str(best["epoch"])
    assert "objective" in tiles["Epoch kept"][1]


def test_the_mean_is_no_monitor_of_one_class(tmp_path):
    place = folder(tmp_path / "data", [1] * 12)
    wrong = config(tmp_path / "run", place, "trainer.monitor=val_mean_dice", classes="[background,lesion]")
    with raises(ConfigError, key="trainer.monitor", value="val_mean_dice"):
        trainer.train(wrong)
    assert not (tmp_path / "run").exists()


def test_the_default_monitor_is_the_same_run_and_setting_as_what_it_stands_for():
    asked, said = configs.compose([]), configs.compose(["trainer.monitor=val_foreground_dice"])
    assert identity.run_id(asked) == identity.run_id(said)
    assert identity.as_asked(said.plain, {})["trainer"]["monitor"] == "auto"
    other = configs.compose(["trainer.monitor=val_objective"])
    assert identity.run_id(asked) != identity.run_id(other)
    assert identity.as_asked(other.plain, {})["trainer"]["monitor"] == "val_objective"
    several = (
        configs.compose(["dataset.task=type"]),
        configs.compose(["dataset.task=type", "trainer.monitor=val_foreground_dice"]),
    )
    assert identity.run_id(several[0]) != identity.run_id(several[1])


def test_the_split_of_a_folder_knows_the_classes_of_its_masks(tmp_path):
    place = folder(tmp_path / "data", [1] * 37 + [2] * 3)
    dataset = opened(place, ("background", "benign", "malignant"))
    for seed in range(10):
        asked = configs.compose([f"split.seed={seed}", "split.similarity=null", "split.sizes=1"]).split
        split = run_data.make_split(asked, dataset)
        for part in (split.train, split.val, split.test):
            assert {int(dataset.load(i).label.max()) for i in part} == {1, 2}


def test_what_was_never_predicted_is_what_the_validation_held_and_never_got():
    import types

    from dmf_cli.metrics import MeanDice

    metric = MeanDice(4)
    truth, predicted = np.eye(4)[[[[1, 2, 0, 0]]]], np.eye(4)[[[[1, 0, 0, 0]]]]
    metric.update_state(truth, predicted)
    dataset = types.SimpleNamespace(classes=("background", "a", "b", "c"))
    session = types.SimpleNamespace(mean=metric, data=types.SimpleNamespace(dataset=dataset))
    assert Session.unpredicted(session) == ["b"]
    assert Session.unpredicted(types.SimpleNamespace(mean=None)) == []
    dice = Session.of_classes(session)
    assert dice == pytest.approx({"val_dice.a": 1.0, "val_dice.b": 0.0, "val_dice.c": math.nan}, nan_ok=True)
    assert Session.of_classes(types.SimpleNamespace(mean=None)) == {}


def test_each_part_that_lacks_a_class_is_named(tmp_path):
    place = folder(tmp_path / "data", [1] * 9 + [2] * 3)
    dataset = opened(place, ("background", "benign", "malignant"))
    ids = sorted(dataset.ids)
    split = {"dataset": "folder", "train": ids[3:6], "val": [ids[0], *ids[9:]], "test": ids[6:8]}
    (tmp_path / "split.json").write_text(json.dumps(split))
    made = run_data.open_data(
        config(tmp_path / "run", place, f"split.file={tmp_path / 'split.json'}", "trainer.batch_size=3")
    )
    assert made.warnings("val_mean_dice") == [
        "no training image holds malignant: that cannot be learned",
        "no test image holds malignant: its scores are undefined",
    ]
