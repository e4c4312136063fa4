"""Folders and names of images: classes, patients, films, copies."""

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from dmf_cli import config as configs
from dmf_cli import datasets
from dmf_cli.datasets.inspect.check import as_json, check
from dmf_cli.datasets.sources.grouping import describe, group
from dmf_cli.datasets.sources.pairing import Pair
from dmf_cli.datasets.sources.survey import survey
from dmf_cli.datasets.splits.division import PARTS, make_split, save_split
from dmf_cli.datasets.splits.units import links_of
from dmf_cli.errors import ConfigError, DatasetError, UnknownNameError
from dmf_cli.report import run_page
from dmf_cli.report.reading import RunFacts
from dmf_cli.terminal import run_view
from tests.raised import raises


def pairs(*ids, patient="", stratum=None):
    """Pairs as ``find_pairs`` makes them: the stratum is the folder."""
    folders = [stratum or name.rpartition("/")[0] or "mine" for name in ids]
    return [Pair(n, f, Path(f"{n}.png"), (), patient) for n, f in zip(ids, folders, strict=True)]


def spread(folders, each):
    return [f"{folder}/img{i:03d}" for folder in folders for i in range(each)]


PATIENTS = [
    [f"p{i:02d}" for i in range(6)],
    [f"patient_{i}" for i in range(3)],
    ["sub-01", "sub-02", "sub-03"],
    [f"{i:04d}" for i in range(40)],
    [f"VIDEO {i}" for i in range(5)],
    [f"{name}_{other}" for name in "abcd" for other in "wxyz"],
]


@pytest.mark.parametrize("folders", PATIENTS)
def test_many_small_folders_are_patients_and_no_stratum(folders):
    found = group(pairs(*spread(folders, 5)), "mine")
    assert set(found.strata) == {"mine"}
    assert found.groups == tuple(folder for folder in folders for _ in range(5))
    assert found.words == f"{len(folders)} patients (a folder each)"


@pytest.mark.parametrize(
    ("folders", "each"),
    [
        (["benign", "malignant", "normal"], 2),
        (["grade1", "grade2", "grade3"], 4),
        (["BIRADS-2", "BIRADS-3"], 4),
        (["train", "val", "test"], 5),
        (["brain", "breast", "heart", "kidney", "liver", "lung"], 25),
    ],
)
def test_a_few_folders_with_the_names_of_classes_stay_strata(folders, each):
    found = group(pairs(*spread(folders, each)), "mine")
    assert (set(found.strata), found.groups, found.words) == (set(folders), None, "")


@pytest.mark.parametrize(
    ("folders", "each"),
    [(["0", "1"], 50), (["a1", "b2", "c3"], 4), (["brain", "breast", "heart", "lung", "liver"], 4)],
)
def test_what_could_be_either_is_asked_and_the_answer_holds(folders, each):
    found = pairs(*spread(folders, each))
    with pytest.raises(
        ConfigError, match=rf"in {len(folders)} folders \({folders[0]}, .*dataset\.folders=patients"
    ):
        group(found, "mine")
    owners = tuple(folder for folder in folders for _ in range(each))
    assert group(found, "mine", "patients")[:2] == (("mine",) * len(found), owners)
    assert group(found, "mine", "strata")[:2] == (owners, None)
    assert group(found, "mine", "none")[:2] == (("mine",) * len(found), None)
    with raises(UnknownNameError, key="dataset.folders"):
        group(found, "mine", "patient")


def test_a_folder_for_each_image_is_neither():
    found = group(pairs(*(f"stage1/{i:032x}/images/{i:032x}" for i in range(9))), "dsb")
    assert (set(found.strata), found.groups) == ({"dsb"}, None)
    found = group(pairs(*(f"{kind}/img{i}/image" for kind in ("benign", "malignant") for i in range(4))), "x")
    assert (set(found.strata), found.groups) == ({"benign", "malignant"}, None)


def test_classes_above_patients_and_visits_below_them():
    ids = [f"{kind}/p{i}/visit{v}/x" for kind in ("benign", "normal") for i in range(4) for v in range(2)]
    found = group(pairs(*ids), "mine")
    assert found.strata == ("benign",) * 8 + ("normal",) * 8
    assert found.groups == tuple(name.split("/")[1] for name in ids)
    one_level = group(pairs(*(name.rpartition("/")[0] for name in ids)), "mine")
    assert one_level.groups == found.groups


def test_a_class_that_is_given_and_a_patient_that_is_given_come_first():
    ids = spread([f"p{i}" for i in range(4)], 2)
    found = group(pairs(*ids, stratum="benign"), "mine")
    assert (set(found.strata), len(set(found.groups))) == ({"benign"}, 4)
    found = group(pairs(*ids, patient="anna"), "mine")
    assert (set(found.groups), found.words) == ({"anna"}, "1 patients")


@pytest.mark.parametrize(
    ("copy", "original"),
    [
        ("x_aug", "x"),
        ("x-aug12", "x"),
        ("x_flip", "x"),
        ("x_hflip_aug2", "x"),
        ("x_rot90", "x"),
        ("x_rotated_180", "x"),
        ("x - Copy", "x"),
        ("x - Copy (2)", "x"),
        ("x (1)", "x"),
        ("flip_x", "x"),
        ("x_jpg.rf.0123456789abcdef0123456789abcdef", "x"),
        ("aug/x_aug", "x"),
    ],
)
def test_augmented_copies_are_of_one_group_with_their_original(copy, original):
    found = group(pairs(original, copy, "other", "third"), "mine", "none")
    assert found.groups == (original, original, "other", "third")
    assert found.words == "1 images with copies (by name)"


@pytest.mark.parametrize(
    "names",
    [
        ("benign (1)", "benign (2)", "benign (3)"),  # BUSI numbers its images so
        ("x_1", "x_2", "x_3"),
        ("flipper", "augusta", "rotterdam"),
        ("frame_001", "frame_002", "frame_003"),  # of what film nobody says
        ("left", "right", "flip_side"),
    ],
)
def test_what_only_looks_like_a_copy_is_an_image_of_its_own(names):
    assert group(pairs(*names), "mine").groups is None


def test_frames_of_one_film_and_slices_of_one_volume_are_groups():
    ids = ["clip1_frame001", "clip1_frame002_flip", "clip2-frame9", "clip2-frame10", "vol3_slice_4", "photo"]
    found = group(pairs(*ids), "mine")
    assert found.groups == ("clip1", "clip1", "clip2", "clip2", "vol3", "photo")
    assert found.words == "3 films or volumes (frames by name)"


def test_frames_that_have_no_more_than_a_number_are_of_the_film_that_has_one_too():
    ids = ["vid0_0001", "vid0_0002_flip", "Video 12-001", "Video 12-002", "cine_3_7", "video_1", "video_2"]
    found = group(pairs(*ids), "mine")
    assert found.groups == ("vid0", "vid0", "Video 12", "Video 12", "cine_3", "video_1", "video_2")
    assert found.words == "3 films or volumes (frames by name)"


def test_images_that_are_named_after_their_patient_are_groups_in_all_folders_and_films():
    ids = ["benign/PAT001_L_1", "malignant/PAT001_R_1", "benign/PAT002", "malignant/pat002-clip1_frame3"]
    found = group(pairs(*ids, "benign/subject_3.a", "benign/other_1"), "mine")
    assert found.groups == ("pat001", "pat001", "pat002", "pat002", "subject_3", "benign/other_1")
    assert found.words == "3 patients (by name)"
    assert set(found.strata) == {"benign", "malignant"}


@pytest.mark.parametrize(
    "names",
    [("patient1_1", "patient1_2", "patient2_1", "x"), ("pattern_1_2", "ptx3_1", "sub1_2", "sub1_3")],
)
def test_too_few_patients_to_divide_and_other_words_are_no_patients(names):
    assert group(pairs(*names), "mine").groups is None


@pytest.fixture
def folder(tmp_path):
    for p in range(6):
        for i in range(4):
            image = tmp_path / "images" / f"p{p:02d}" / f"{i}.png"
            mask = tmp_path / "masks" / f"p{p:02d}" / f"{i}.png"
            for file in (image, mask):
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.new("L", (8, 8), 40 * p + i).save(file)
    return tmp_path


def opened(folder, *more):
    words = ["dataset=folder", f"dataset.dir={folder}", "dataset.images='images/*/*.png'"]
    # The folder of an image is that of its mask, one level up and down again.
    words += ["dataset.parse='images/(?P<where>.+)'", "dataset.masks='masks/{where}.png'"]
    return datasets.open_dataset(configs.compose([*words, *more]).dataset)


def test_no_patient_of_a_folder_each_is_on_two_sides(folder):
    data = opened(folder)
    split = make_split(data, links=links_of(data))
    sides = {part: {data.groups[i] for i in getattr(split, part)} for part in PARTS}
    assert sum(map(len, sides.values())) == 6
    # What the same folder gave when each patient was a stratum: whoever is tested is trained on as well.
    plain = make_split(opened(folder, "dataset.folders=strata"))
    assert {data.groups[i] for i in plain.test} < {data.groups[i] for i in plain.train}
    assert describe(data) == {
        "groups": "6 patients (a folder each), at most 4 images each, on one side of a split"
    }


def test_masks_in_the_same_folders_are_one_suggestion_away(folder):
    words = ["dataset=folder", f"dataset.dir={folder}"]
    with pytest.raises(DatasetError, match=r"did you mean 'dataset\.images=\"images/\*\*/\*\"'\?") as caught:
        datasets.open_dataset(configs.compose(words).dataset)
    words += re.findall(r"'([^']+)'\?", str(caught.value))
    with pytest.raises(DatasetError, match=r"did you mean 'dataset\.parse=") as caught:
        datasets.open_dataset(configs.compose(words).dataset)
    words += re.findall(r"'(dataset[^']+)'", str(caught.value).partition("did you mean")[2])
    data = datasets.open_dataset(configs.compose(words).dataset)
    assert len(data) == 24
    assert [data.masks(i)[0].parent.name for i in range(24)] == list(data.groups)


def test_strata_that_are_left_out_are_counted(folder):
    data = opened(folder, "dataset.strata=[images/p00,images/p01]")
    found = describe(data)
    assert found["strata"] == "images/p00 4, images/p01 4"
    assert found["excluded"] == "images/p02 4, images/p03 4, images/p04 4, images/p05 4 (dataset.strata)"
    assert data.groups is None  # whoever chooses folders as strata has said what they are


def test_split_json_and_the_first_lines_of_a_training_say_it(folder, tmp_path):
    data = opened(folder, "dataset.strata=null")
    save_split(tmp_path / "split.json", data, make_split(data, links=links_of(data)))
    kept = json.loads((tmp_path / "split.json").read_text())
    assert kept["grouping"] == "6 patients (a folder each)"
    assert kept["groups"]["p03"] == [f"images/p03/{i}" for i in range(4)]
    assert (kept["strata"], kept["left_out"]) == ({"folder": 24}, {})
    shown = dict(run_page._data(RunFacts(tmp_path, split=kept)))
    assert shown["Groups"] == "6 patients (a folder each)"
    assert "Strata" not in shown  # one is none
    lines = dict(run_view.banner({"dataset": "mine", "grouping": describe(data)}))
    assert lines["groups"].startswith("6 patients (a folder each), at most 4 images each")


def test_groups_that_a_split_parts_are_errors_of_the_check(folder):
    data = opened(folder)

    def divide(images, found, seed=0, **changes):
        return make_split(images, seed=seed)  # without links, as a file written by hand may be

    report = check(data, survey(data), divide, similarity=None)
    parted = [finding for finding in report.findings if finding.kind == "leak"]
    assert parted
    assert parted[0].is_error
    assert re.fullmatch(r"p0\d is in (train|val)( and val)?( and test)?", parted[0].text)
    assert as_json(report)["grouping"] == describe(data)
