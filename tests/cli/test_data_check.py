import json
import os

import numpy as np
import pytest
from PIL import Image

from dmf_cli import config as configs
from dmf_cli.cli.main import main
from dmf_cli.datasets.input import run_data as runs
from dmf_cli.errors import LabelError
from tests.datasets.copies import CHANGES, images

PIXELS = images(18, size=64)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """benign 0..11 and malignant 12..17 with a square lesion, as BUSI is laid out."""
    monkeypatch.setenv("DMF_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "busi"
    for index, pixels in enumerate(PIXELS):
        add(root, "benign" if index < 12 else "malignant", index, pixels, side=8 + index)
    return root


def add(root, stratum, name, pixels, *, side=9, mask=True, shape=None):
    (root / stratum).mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(root / stratum / f"{name}.png")
    if mask:
        plane = np.zeros(shape or pixels.shape, np.uint8)
        plane[5 : 5 + side, 5 : 5 + side] = 255
        Image.fromarray(plane).save(root / stratum / f"{name}_mask.png")


def check(folder, tmp_path, *overrides):
    """Exit code, and what was written."""
    code = main(
        ["data", "check", "dataset=busi", f"dataset.dir={folder}", "-o", str(tmp_path / "out"), *overrides]
    )
    return code, json.loads((tmp_path / "out" / "check.json").read_text())


def found(report):
    return [(finding["kind"], finding["where"]) for finding in report["findings"]]


def test_nothing_is_wrong_with_good_images(folder, tmp_path, capsys):
    code, report = check(folder, tmp_path)
    assert (code, report["findings"]) == (0, [])
    assert (report["images"], report["usable"], report["errors"], report["warnings"]) == (18, 18, 0, 0)
    facts = report["statistics"]
    assert facts["strata"]["benign"] == {
        "images": 12,
        "without lesion": 0,
        "lesion": {"min": 0.01562, "median": 0.04456, "max": 0.08813},
    }
    assert facts["height"] == {"min": 64, "median": 64, "max": 64}
    assert facts["classes"]["lesion"]["images"] == 18
    assert sum(c["pixels"] for c in facts["classes"].values()) == pytest.approx(1, abs=1e-4)
    assert report["leaks"]["as configured"]["test_images"] == 0
    assert not (tmp_path / "out" / "pairs.png").exists()
    assert "0 error(s), 0 warning(s)" in capsys.readouterr().out


def faults(root):
    """What is planted -> what must be found."""
    (root / "benign" / "0.png").write_bytes((root / "benign" / "0.png").read_bytes()[:400])
    (root / "benign" / "1_mask.png").write_text("no image")
    (root / "benign" / "2_mask.png").unlink()
    (root / "benign" / "3.png").unlink()
    add(root, "benign", 4, PIXELS[4], shape=(64, 60))
    add(root, "benign", 5, PIXELS[5], side=0)
    add(root, "malignant", 12, PIXELS[12], side=100, shape=(64, 64))
    Image.new("L", (64, 64), 255).save(root / "malignant" / "12_mask.png")
    add(root, "malignant", "twin", PIXELS[13], side=20)
    add(root, "malignant", "other", CHANGES["smaller"](PIXELS[6]), side=20)
    return [
        ("unreadable", ["benign/0"]),
        ("unreadable", ["benign/1"]),
        ("no mask", ["benign/2"]),
        ("no image", [str(root / "benign" / "3_mask.png")]),
        ("size", ["benign/4"]),
        ("contradiction", ["benign/6", "malignant/other"]),
        ("copy", ["malignant/13", "malignant/twin"]),
        ("near-duplicate", ["malignant/13", "malignant/twin"]),
        ("empty", ["benign/5"]),
        ("full", ["malignant/12"]),
    ]


def test_everything_that_is_wrong_is_reported_at_once(folder, tmp_path, capsys):
    wanted = faults(folder)
    code, report = check(folder, tmp_path)
    assert code == 1
    assert found(report) == wanted
    assert (report["images"], report["usable"], report["errors"], report["warnings"]) == (19, 15, 6, 4)
    assert report["statistics"]["strata"]["benign"]["without lesion"] == 1  # of benign/2 nobody knows
    out = capsys.readouterr().out
    assert "benign/6 ~ malignant/other" in out
    with Image.open(tmp_path / "out" / "pairs.png") as picture:
        assert min(picture.size) > 250
    mend = [folder / "malignant" / name for name in ("twin.png", "other.png")]
    for file in mend:
        file.unlink()
    check(folder, tmp_path)
    assert not (tmp_path / "out" / "pairs.png").exists()  # it showed what is gone


def test_soft_inverted_and_vanishing_masks_are_warnings(folder, tmp_path):
    """In the check and in the first lines of a training."""
    soft = Image.new("L", (64, 64))
    soft.paste(255, (10, 10, 30, 30))
    soft.resize((40, 40)).resize((64, 64)).save(folder / "benign" / "1_mask.png")
    Image.eval(soft, lambda value: 255 - value).save(folder / "benign" / "2_mask.png")
    add(folder, "benign", 3, PIXELS[3], side=1)
    code, report = check(folder, tmp_path, "dataset.image_size=16")
    kinds = [kind for kind, _ in found(report)]
    assert (code, kinds) == (0, ["soft masks", "inverted", "vanishing"])


def test_a_training_says_what_the_check_says(folder, caplog):
    add(folder, "benign", 3, PIXELS[3], side=1)
    words = ["dataset=busi", f"dataset.dir={folder}", "trainer.batch_size=2", "dataset.image_size=16"]
    assert "busi: lesions of 1" in runs.open_data(configs.compose(words)).note
    assert "busi: lesions of 1 of 18 images vanish at 16x16 (benign/3)" in caplog.text
    three = np.zeros((64, 64), np.uint8)
    three[10:30, 10:30], three[40:60, 10:30] = 128, 255
    Image.fromarray(three).save(folder / "benign" / "3_mask.png")
    with pytest.raises(LabelError, match=r"busi: 1 of 18 masks hold several values, as .*: 0 128 255"):
        runs.open_data(configs.compose(words))


def test_labels_that_no_class_has(folder, tmp_path):
    values = np.full((64, 64), 7, np.uint8)
    Image.fromarray(values).save(folder / "benign" / "3_mask.png")
    code, report = check(folder, tmp_path, "dataset.values={0:0,255:1}")
    assert (code, found(report)) == (1, [("label", ["benign/3"])])
    assert "holds the value 7" in report["findings"][0]["text"]


def test_images_without_masks_may_be_meant(folder, tmp_path):
    (folder / "benign" / "2_mask.png").unlink()
    code, report = check(folder, tmp_path, "dataset.missing_mask=empty")
    assert (code, found(report)) == (0, [("empty", ["benign/2"])])


def planted(folder):
    """Copies of six images; the ids that belong together."""
    changes = [*CHANGES.items(), *list(CHANGES.items())[:2]]
    for index, (name, change) in enumerate(changes):
        add(folder, "benign", f"{index}_{name}", change(PIXELS[index]))
    return [{f"benign/{index}", f"benign/{index}_{name}"} for index, (name, _) in enumerate(changes)]


def test_a_plain_split_leaks_and_ours_does_not(folder, tmp_path):
    planted(folder)
    code, report = check(folder, tmp_path)
    assert (code, {kind for kind, _ in found(report)}) == (0, {"near-duplicate"})
    assert report["leaks"]["as configured"]["pairs"] == 0
    assert report["leaks"]["plain random, 20 seeds"]["pairs"] > 1
    code, report = check(folder, tmp_path, "split.leak_free=false", "split.seed=1")
    leaking = [names for kind, names in found(report) if kind == "leak"]
    assert code == 1
    assert (
        len(leaking) == report["leaks"]["as configured"]["pairs"] == report["leaks"]["plain random"]["pairs"]
    )
    assert leaking
    code, report = check(folder, tmp_path, "split.similarity=null")
    assert (code, report["near_duplicates"]) == (0, [])


@pytest.mark.parametrize("overrides", [[], *(["split=kfold", f"split.fold={fold}"] for fold in range(5))])
def test_copies_train_and_test_on_one_side_only(folder, overrides):
    together = planted(folder)
    config = configs.compose(["dataset=busi", f"dataset.dir={folder}", "trainer.batch_size=2", *overrides])
    opened = runs.open_data(config)
    names = opened.dataset.ids
    sides = [{names[i] for i in opened.part(part)} for part in ("train", "val", "test")]
    for pair in together:
        assert any(pair <= side for side in sides)
    assert sorted(map(len, opened.split.how["together"])) == [2] * 6


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["split.folds=1"], "a whole number of 2 or above, or null"),
        (["split.folds=5", "split.fold=5"], "split.fold is 5, and split.folds is 5: use 0 to 4"),
        (["split.fold=2"], "split.folds is null: give the number of folds too"),
        (["split.folds=5", "split.file=a.json"], "a division already: set one of them"),
        (["split.similarity=0.3"], "a number from 0.5 to 1, or null"),
        (["split.similarty=0.6"], "did you mean 'similarity'?"),
        (["split.file=nowhere.json"], "does not exist"),
    ],
)
def test_a_wrong_setting_is_one_line(folder, tmp_path, capsys, overrides, says):
    command = ["data", "check", "dataset=busi", f"dataset.dir={folder}", "-o", str(tmp_path / "out")]
    assert main([*command, *overrides]) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1


@pytest.mark.busi
def test_busi_leaks_in_a_plain_split_only(tmp_path, monkeypatch):
    """The dataset holds pictures twice, some of them as benign and as malignant."""
    monkeypatch.setenv("DMF_CACHE", str(tmp_path / "cache"))
    code, report = check(os.environ["DMF_BUSI_DIR"], tmp_path)
    assert code == 1
    kinds = [kind for kind, _ in found(report)]
    assert kinds.count("contradiction") >= 5
    assert kinds.count("near-duplicate") >= 50
    assert set(kinds) == {"contradiction", "near-duplicate"}  # of its masks there is nothing to say
    assert report["leaks"]["as configured"] == {"pairs": 0, "patients": 0, "test_images": 0, "test_share": 0}
    assert report["leaks"]["plain random"]["pairs"] >= 20
    assert report["leaks"]["plain random, 20 seeds"]["test_share"] > 0.1


def test_masks_without_any_lesion_are_an_error(folder, tmp_path):
    for file in folder.rglob("*_mask.png"):
        Image.fromarray(np.zeros((64, 64), np.uint8)).save(file)
    code, found = check(folder, tmp_path)
    assert code == 1
    assert "no lesion" in {finding["kind"] for finding in found["findings"]}


def test_of_images_that_cannot_be_read_nothing_else_is_said(folder, tmp_path):
    images = [file for file in folder.rglob("*.png") if "_mask" not in file.name]
    for file in images:
        file.write_bytes(b"no image")
    code, report = check(folder, tmp_path)
    assert (code, report["errors"]) == (1, len(images))
    assert {kind for kind, _ in found(report)} == {"unreadable"}


def test_turned_dark_and_skipped_images_are_warnings(folder, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.fromarray(PIXELS[0]).save(folder / "benign/0.png", exif=exif)
    Image.fromarray(PIXELS[1].astype(np.uint16) * 16).save(folder / "benign/1.png")
    (folder / "benign/18.heic").touch()
    code, report = check(folder, tmp_path)
    assert (code, report["warnings"]) == (0, 3)
    assert found(report) == [
        ("dark", ["benign/1"]),
        ("turned", ["benign/0"]),
        ("skipped", [str(folder / "benign/18.heic")]),
    ]
    assert {kind for kind, _ in found(check(folder, tmp_path, "dataset.normalize=minmax")[1])} == {
        "turned",
        "skipped",
    }


def test_what_a_run_leaves_out_is_a_warning(folder, tmp_path, capsys):
    (folder / "benign/3.png").write_text("no image")
    add(folder, "benign", 4, PIXELS[4], shape=(64, 60))
    code, report = check(folder, tmp_path)
    assert (code, found(report)) == (1, [("unreadable", ["benign/3"]), ("size", ["benign/4"])])
    code, report = check(folder, tmp_path, "dataset.on_bad=skip")
    assert (code, found(report)) == (0, [("excluded", ["benign/3"]), ("excluded", ["benign/4"])])
    assert "excluded: " in report["findings"][0]["text"]
    assert "benign/3.png cannot be read" in report["findings"][0]["text"]
    assert (report["images"], report["usable"], report["errors"], report["warnings"]) == (18, 16, 0, 2)
    assert report["grouping"]["unusable"] == "2 images (benign/3, benign/4), excluded"
    assert "unusable: 2 images (benign/3, benign/4), excluded" in capsys.readouterr().out
    code, report = check(folder, tmp_path, "dataset.size_mismatch=skip")
    assert (code, found(report)) == (1, [("unreadable", ["benign/3"]), ("excluded", ["benign/4"])])


@pytest.mark.parametrize("choice", ["on_bad=error", "on_bad=skip"])
def test_nothing_is_said_of_a_rest_that_there_is_not(folder, tmp_path, capsys, choice):
    images = [file for file in folder.glob("*/*.png") if "mask" not in file.name]
    for file in images:
        file.write_text("no image")
    code, report = check(folder, tmp_path, f"dataset.{choice}", "dataset.parse='(?P<patient>.+)'")
    assert code == 1
    assert {kind for kind, _ in found(report)} == {"unreadable"}
    assert (report["images"], report["usable"], report["errors"]) == (18, 0, 18)
    assert "no image could be read" in capsys.readouterr().out


def test_too_small_a_rest_is_said_where_it_is_what_a_run_gets(folder, tmp_path):
    for index in range(16):
        (folder / ("benign" if index < 12 else "malignant") / f"{index}.png").write_text("no image")
    code, report = check(folder, tmp_path)
    assert (code, {kind for kind, _ in found(report)}) == (1, {"unreadable"})
    code, report = check(folder, tmp_path, "dataset.on_bad=skip")
    assert (code, found(report)[0]) == (1, ("other", ["busi"]))
    assert "has 2 image(s) and a split needs at least 3" in report["findings"][0]["text"]


def test_an_own_config_without_the_keys_is_checked_as_it_is_trained(folder, tmp_path):
    (folder / "benign" / "2_mask.png").unlink()
    own = tmp_path / "conf" / "dataset"
    own.mkdir(parents=True)
    keys = {"name": "mine", "kind": "folder", "dir": str(folder), "images": "*/*[0-9].png"}
    keys |= {"masks": "{folder}/{stem}_mask.png", "image_size": 32, "resize": "stretch", "normalize": "unit"}
    (own / "mine.yaml").write_text(json.dumps(keys))
    command = ["data", "check", "dataset=mine", "--config-dir", str(own.parent), "-o", str(tmp_path / "out")]
    assert main(command) == 1
    report = json.loads((tmp_path / "out" / "check.json").read_text())
    assert found(report) == [("no mask", ["benign/2"])]


def test_a_value_of_ignore_that_no_mask_holds(folder, tmp_path, capsys, caplog):
    code, report = check(folder, tmp_path, "dataset.ignore=128")
    assert (code, found(report)) == (0, [("nothing ignored", ["busi"])])
    said = "no mask holds dataset.ignore=128, so that every pixel counts"
    assert said in report["findings"][0]["text"]
    assert report["statistics"]["ignored"] == {"images": 0, "pixels": 0.0}
    words = ["dataset=busi", f"dataset.dir={folder}", "trainer.batch_size=2", "dataset.ignore=128"]
    assert said in runs.open_data(configs.compose(words)).note
    assert said in caplog.text
    values = np.zeros((64, 64), np.uint8)
    values[10:30, 10:30], values[:32, 40:] = 255, 128
    Image.fromarray(values).save(folder / "benign/3_mask.png")
    capsys.readouterr()
    code, report = check(folder, tmp_path, "dataset.ignore=128")
    assert (code, found(report)) == (0, [])
    assert report["statistics"]["ignored"] == {"images": 1, "pixels": round(32 * 24 / 64**2 / 18, 5)}
    assert "(dataset.ignore; of all pixels)" in capsys.readouterr().out
    assert "ignored" not in check(folder, tmp_path, "dataset.exclude=benign/3.png")[1]["statistics"]


def test_colours_that_differ_from_file_to_file_are_in_the_first_lines_of_a_training(folder, caplog):
    """It cannot be certain: two people may have drawn lesions of one class in two colours."""
    for index in range(12):
        plane = np.zeros((64, 64, 3), np.uint8)
        plane[5:20, 5:20, index % 2] = 255
        Image.fromarray(plane).save(folder / f"benign/{index}_mask.png")
    words = ["dataset=busi", f"dataset.dir={folder}", "trainer.batch_size=2", "dataset.strata=[benign]"]
    said = "masks say foreground by different values (0xff0000 in 6, 0x00ff00 in 6, as "
    assert said in runs.open_data(configs.compose(words)).note
    assert said in caplog.text
