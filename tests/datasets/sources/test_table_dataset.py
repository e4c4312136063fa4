"""``dataset=table``: a CSV file that lists images, masks, patients, classes and parts."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dmf_cli import config as configs
from dmf_cli import datasets
from dmf_cli.cli.main import main
from dmf_cli.config import moving
from dmf_cli.datasets.input.run_data import make_split, open_data
from dmf_cli.datasets.sources.bad_files import BadFilesError
from dmf_cli.datasets.sources.case_table import TableDataset
from dmf_cli.errors import ConfigError, DatasetError, UnknownNameError
from dmf_cli.run_folder.identity import run_id
from tests.datasets.copies import images
from tests.raised import raises

COUNT = 12
HEADER = ("image", "mask", "patient", "class", "split", "spacing")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Images 0 to 11 of six patients, the first six benign; all that is in the table is in the columns."""
    monkeypatch.setenv("DMF_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "scans"
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    for index, pixels in enumerate(images(COUNT, size=64)):
        plane = np.zeros((64, 64), np.uint8)
        plane[5 : 13 + index, 5 : 13 + index] = 255
        Image.fromarray(pixels).save(root / f"images/{index}.png")
        Image.fromarray(plane).save(root / f"masks/{index}.png")
    return root


def row(index, **changes):
    kind, part = ("benign", "malignant")[index >= 6], ("train", "val", "test")[max(0, index // 2 - 3)]
    said = {"image": f"images/{index}.png", "mask": f"masks/{index}.png", "patient": f"P{index // 2}"}
    return {**said, "class": kind, "split": part, "spacing": "0.1", **changes}


def write(folder, rows=None, name="cases.csv", delimiter=","):
    rows = rows or [row(index) for index in range(COUNT)]
    with (folder / name).open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, [key for key in HEADER if key in rows[0]], delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return folder / name


def opened(table, **changes):
    return TableDataset(**{"name": "table", "table": table, **changes})


def config(table, *words):
    return configs.compose(["dataset=table", f"dataset.table={table}", "dataset.image_size=16", *words])


def id_of(table, *words):
    composed = config(table, *words)
    return run_id(composed, datasets.open_dataset(composed.dataset))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_every_column_is_used(folder, delimiter):
    data = opened(write(folder, delimiter=delimiter))
    by_id = dict(zip(data.ids, range(COUNT), strict=True))
    assert data.ids == tuple(sorted(f"images/{i}" for i in range(COUNT)))
    assert [data.strata[by_id[f"images/{i}"]] for i in (0, 5, 6, 11)] == ["benign"] * 2 + ["malignant"] * 2
    assert [data.groups[by_id[f"images/{i}"]] for i in (0, 1, 11)] == ["P0", "P0", "P5"]
    assert [data.parts[by_id[f"images/{i}"]] for i in (0, 8, 11)] == ["train", "val", "test"]
    assert data.pixel_size(0) == (0.1, 0.1)
    assert int(data.load(by_id["images/3"]).label.sum()) == 11**2
    assert data.grouping == "6 patients"
    assert (data.remarks(), data.mask_remarks()) == ([], [])


def test_its_own_split_is_used_and_can_be_pooled(folder):
    table = write(folder)
    own = config(table)
    split = make_split(own.split, datasets.open_dataset(own.dataset))
    assert tuple(map(len, (split.train, split.val, split.test))) == (8, 2, 2)
    with raises(DatasetError, key="split.folds", hint="dataset.parts=pool"):
        make_split(config(table, "split=kfold").split, datasets.open_dataset(own.dataset))
    assert datasets.open_dataset(config(table, "dataset.parts=pool").dataset).parts is None
    assert datasets.open_dataset(config(table, "dataset.columns.split=null").dataset).parts is None
    write(folder, [row(i, split="Training" if i < 10 else "TEST") for i in range(COUNT)])
    with raises(DatasetError, key="dataset.parts", what="no image in val", hint="dataset.parts=pool"):
        make_split(own.split, datasets.open_dataset(own.dataset))


def test_it_is_the_folder_that_it_lists(folder):
    """The same ids, strata, groups and so the same split, of the columns that a folder has too."""
    rows = [{k: row(i)[k] for k in ("image", "mask")} for i in range(COUNT)]
    table = config(write(folder, rows))
    other = configs.compose(["dataset=folder", f"dataset.dir={folder}", "dataset.image_size=16"])
    one, two = (datasets.open_dataset(each.dataset) for each in (table, other))
    assert (one.ids, one.groups, one.strata) == (two.ids, two.groups, two.strata)
    assert make_split(table.split, one) == make_split(other.split, two)
    assert [one.content(i) for i in range(COUNT)] == [two.content(i) for i in range(COUNT)]


def test_columns_may_be_called_otherwise_and_capitals_do_not_matter(folder):
    table = write(folder)
    text = table.read_text().replace("image,mask,patient,class", "File,MASK,Case,Class", 1)
    table.write_text(text)
    data = opened(table, columns={"image": "File", "patient": "Case"})
    assert (len(data), len(set(data.groups)), set(data.strata)) == (COUNT, 6, {"benign", "malignant"})
    assert opened(table, columns={"image": "File", "patient": None}).groups is None
    with raises(ConfigError, key="dataset.columns.image", value="Fil", allowed="File") as caught:
        config_ = config(table, "dataset.columns.image=Fil")
        datasets.open_dataset(config_.dataset)
    assert "did you mean 'File'" in str(caught.value)
    with raises(ConfigError, key="dataset.columns.image", value="image", reason="no column"):
        opened(table)
    with raises(UnknownNameError, value="patients"):
        opened(table, columns={"patients": "Case"})
    with raises(ConfigError, key="dataset.columns.mask", allowed="the name of a column, or auto"):
        config(table, "dataset.columns.mask=null")


@pytest.mark.parametrize("name", ["patient_id", "Patient ID", "pateint"])
def test_patients_in_a_column_that_nobody_would_read_are_asked_for(folder, name):
    table = write(folder)
    table.write_text(table.read_text().replace("patient", name, 1))
    with raises(ConfigError, key="dataset.columns.patient", hint=f"dataset.columns.patient={name}"):
        opened(table)
    assert len(set(opened(table, columns={"patient": name}).groups)) == 6
    assert opened(table, columns={"patient": None}).groups is None


def test_several_masks_are_united(folder):
    other = np.zeros((64, 64), np.uint8)
    other[50:60, 50:60] = 255
    Image.fromarray(other).save(folder / "masks/more.png")
    cell = write(folder, [row(0, mask="masks/0.png; masks/more.png"), row(2), row(4)], "cell.csv")
    rows = [row(0), row(0, mask="masks/more.png", patient=""), row(2), row(4)]
    for table in (cell, write(folder, rows, "rows.csv", delimiter=";")):
        assert int(opened(table, columns={"split": None}).load(0).label.sum()) == 64 + 100
    assert opened(cell).fingerprint() == opened(folder / "rows.csv").fingerprint()


def test_an_image_without_a_mask_is_an_error_or_has_no_lesion(folder):
    table = write(folder, [row(0, mask=""), *(row(i) for i in range(1, COUNT))])
    with raises(DatasetError, path="cases.csv", what="line 2, has no mask for 0.png (1 of 12"):
        opened(table)
    assert not opened(table, missing_mask="empty").load(0).label.any()
    with raises(DatasetError, reason="names no mask"):
        opened(write(folder, [row(i, mask="") for i in range(3)]), missing_mask="empty")


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([row(0), row(1), row(0)], r"cases.csv, line 4, says that images/0.png has the mask 0.png twice"),
        ([row(0), row(0, image="./images/../images\\0.png")], "line 3, .* has the mask 0.png twice .line 2"),
        ([row(0), row(0, mask="")], "line 3, has images/0.png again .line 2., without a mask: remove"),
        ([row(0), row(1, mask="masks/0.png")], "line 3, has 0.png as the mask of 1.png, also that of 0.png"),
        ([row(0), row(1, mask="images/0.png")], "line 3, has 0.png as the mask of 1.png, the image of"),
        ([row(0, mask="images/0.png")], "line 2, says that images/0.png is its own mask"),
        ([row(0), row(1, image="")], "line 3, names no image: fill the column 'image'"),
        ([row(0), row(1, split="trian")], "line 3, has 'trian' as the part of 1.png: write train, val or"),
        ([row(0), row(1, split="")], "line 3, has no part for 1.png: write train, val or test"),
        ([row(0), row(1, spacing="0.1 mm")], "line 3, has the spacing '0.1 mm' for 1.png: give millim"),
        ([row(0), row(1, spacing="-1")], "line 3, has the spacing '-1'"),
        ([row(0), row(0, mask="masks/1.png", patient="P9")],
         "has 'P0' in line 2 and 'P9' in line 3 as 'patient' of images/0.png: give all rows of an image"),
    ],
)  # fmt: skip
def test_a_wrong_row_is_one_line_with_its_number(folder, rows, says):
    with pytest.raises(DatasetError, match=says) as caught:
        opened(write(folder, rows))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("image,mask\n", "has no rows"),
        ("image,mask\n,\n,\n", "has no rows"),
        ("image,mask,mask\na,b,c\n", "has two columns 'mask'"),
        (b"\xff\xfe\x00", "cannot be read as a table"),
    ],
)
def test_a_file_that_is_no_table_is_one_line(folder, text, says):
    (folder / "cases.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DatasetError, match=f"cases.csv {says}"):
        opened(folder / "cases.csv")


def test_a_table_that_is_not_there_is_told_before_anything_slow(folder):
    write(folder)
    with raises(DatasetError, key="dataset.table", hint="did you mean") as caught:
        datasets.check_place(config(folder / "case.csv").dataset)
    assert str(folder / "cases.csv") in str(caught.value)
    with raises(ConfigError, key="dataset.table", reason="is missing"):
        configs.compose(["dataset=table"])
    with raises(ConfigError, key="dataset.table", hint="dataset=table"):
        configs.compose(["dataset=folder", "dataset.dir=/x", "dataset.table=cases.csv"])


def test_files_that_are_not_there_are_named_at_once_or_skipped(folder, caplog):
    (folder / "images/3.png").unlink()
    (folder / "masks/5.png").unlink()
    table = write(folder)
    with pytest.raises(BadFilesError) as caught:
        opened(table)
    lines = str(caught.value).splitlines()
    assert lines[0] == "2 images cannot be used:"
    assert "images/3.png (cases.csv, line 5), " in lines[1]
    assert "masks/5.png (cases.csv, line 7): each is not there: correct the path" in lines[1]
    data = opened(table, on_bad="skip")
    assert (len(data), sorted(data.unusable)) == (10, ["images/3", "images/5"])
    assert "2 of 12 images" in caplog.text
    with pytest.raises(BadFilesError, match="3 images cannot be used"):
        opened(write(folder, [row(i, image=f"gone/{i}.png") for i in range(3)]), on_bad="skip")


def test_paths_are_relative_to_the_folder_that_is_given_and_ids_to_what_holds_all_images(folder, tmp_path):
    table = write(folder, [row(i) for i in range(3)])
    moved = table.rename(tmp_path / "elsewhere.csv")
    assert opened(moved, dir=folder).ids == ("images/0", "images/1", "images/2")
    with pytest.raises(DatasetError, match=r"relative to dataset\.dir, else to the table"):
        opened(moved)
    absolute = [
        row(i, image=str(folder / f"images/{i}.png"), mask=str(folder / f"masks/{i}.png")) for i in range(3)
    ]
    (tmp_path / "far").mkdir()
    assert opened(write(tmp_path / "far", absolute)).ids == ("0", "1", "2")
    assert opened(tmp_path / "far/cases.csv").strata == ("benign",) * 3


def test_an_accent_may_be_written_in_either_form(folder):
    (folder / "images/0.png").rename(folder / "images/e\u0301.png")
    assert opened(write(folder, [row(0, image="images/\u00e9.png"), row(2)])).ids == (
        "images/2",
        "images/\u00e9",
    )


def test_strata_are_classes_and_the_others_are_left_out(folder):
    data = opened(write(folder), strata=["benign"])
    assert (len(data), dict(data.left_out)) == (6, {"malignant": 6})
    with raises(DatasetError, key="dataset.strata", value="bening"):
        opened(folder / "cases.csv", strata=["bening"])


def test_what_the_table_says_is_part_of_the_fingerprint_and_where_it_is_is_not(folder, tmp_path):
    table = write(folder)
    before, known = opened(table).fingerprint(), id_of(table)
    write(folder, [row(i, patient="P0") for i in range(COUNT)])
    assert opened(table).fingerprint() != before
    assert id_of(table) != known
    write(folder)
    moved = folder.rename(tmp_path / "moved") / "cases.csv"
    assert opened(moved).fingerprint() == before
    assert id_of(moved) == known
    assert id_of(moved, "dataset.columns.patient=null") != known


def test_a_run_finds_its_table_again_from_anywhere_and_it_may_move(folder, monkeypatch, tmp_path):
    write(folder)
    monkeypatch.chdir(folder)
    stored = configs.with_absolute_paths(config("cases.csv", "dataset.dir=."))
    assert (stored.dataset.table, stored.dataset.dir) == (str(folder / "cases.csv"), str(folder))
    moved = moving.changed(stored, [f"dataset.table={tmp_path}/new.csv"], moving.PLACES, "no")
    assert moved.dataset.table == f"{tmp_path}/new.csv"
    of_folder = configs.compose(["dataset=folder", "dataset.dir=/x"])
    with raises(ConfigError, key="dataset.table"):
        moving.changed(of_folder, ["dataset.table=x.csv"], moving.PLACES, "no")
    kept = configs.with_absolute_paths(
        configs.compose(["dataset=folder", "dataset.dir=/x", "dataset.table={file: i.csv, key: ID}"])
    )
    assert kept.dataset.table == {"file": "i.csv", "key": "ID"}


def test_patients_on_several_sides_of_its_split_are_an_error_of_the_check_and_a_warning_of_the_run(
    folder, tmp_path, caplog
):
    table = write(folder, [row(i, patient="P0") for i in range(COUNT)])
    words = ["trainer.batch_size=2"]
    said = (
        "1 of 1 groups, such as patients, are in several parts of the split of table (first P0, in train and"
    )
    assert said in open_data(config(table, *words)).note
    assert said in caplog.text
    code, report = check(table, tmp_path)
    assert code == 1
    assert ("leak", ["images/0", "images/8", "images/10"]) in [
        (f["kind"], f["where"]) for f in report["findings"]
    ]


def check(table, tmp_path, *words):
    out = tmp_path / "out"
    code = main(["data", "check", "dataset=table", f"dataset.table={table}", "-o", str(out), *words])
    return code, json.loads((out / "check.json").read_text())


def test_the_check_finds_what_it_finds_in_a_folder(folder, tmp_path):
    table = write(folder)
    code, report = check(table, tmp_path)
    assert (code, report["findings"], report["images"]) == (0, [], COUNT)
    assert set(report["statistics"]["strata"]) == {"benign", "malignant"}
    (folder / "images/3.png").write_text("no image")
    Image.new("L", (7, 9)).save(folder / "masks/4.png")
    Image.open(folder / "images/0.png").save(folder / "images/1.bmp")
    rows = [row(i, **{"image": "images/1.bmp"} if i == 1 else {}, mask="" if i == 7 else f"masks/{i}.png")
            for i in range(COUNT)]  # fmt: skip
    code, report = check(write(folder, rows), tmp_path, "dataset.parts=pool")
    assert code == 1
    assert [(f["kind"], f["where"]) for f in report["findings"]] == [
        ("unreadable", ["images/3"]),
        ("no mask", ["images/7"]),
        ("size", ["images/4"]),
        ("near-duplicate", ["images/0", "images/1"]),
    ]


def test_the_examples_are_drawn_and_counted(folder, tmp_path, capsys):
    picture = tmp_path / "show.png"
    words = ["dataset=table", f"dataset.table={write(folder)}", "count=4"]
    assert main(["data", "show", *words, "-o", str(picture)]) == 0
    assert picture.is_file()
    assert "groups: 6 patients, at most 2 images each, on one side of a split" in capsys.readouterr().out


@pytest.mark.busi
def test_a_table_of_the_real_images_gives_the_split_of_busi(tmp_path):
    root = Path(os.environ["DMF_BUSI_DIR"])
    files = [f for f in root.glob("*/*.png") if "_mask" not in f.name and f.parent.name != "normal"]
    rows = [
        {"image": str(f.relative_to(root)), "class": f.parent.name,
         "mask": ";".join(str(m.relative_to(root)) for m in sorted(f.parent.glob(f"{f.stem}_mask*.png")))}
        for f in files
    ]  # fmt: skip
    with (tmp_path / "busi.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["image", "mask", "class"])
        writer.writeheader()
        writer.writerows(rows)
    words = [f"dataset.table={tmp_path}/busi.csv", "dataset.name=busi", "dataset.folders=strata"]
    table = configs.compose(["dataset=table", f"dataset.dir={root}", *words])
    busi = configs.compose(["dataset=busi", f"dataset.dir={root}"])
    one, two = (datasets.open_dataset(each.dataset) for each in (table, busi))
    assert (one.ids, one.strata, one.groups) == (two.ids, two.strata, two.groups)
    assert make_split(table.split, one) == make_split(busi.split, two)
    for index in range(0, len(one), 40):
        np.testing.assert_array_equal(one.load(index).label, two.load(index).label)
        np.testing.assert_array_equal(one.load(index).image, two.load(index).image)
