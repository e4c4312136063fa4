"""Which mask belongs to which image."""

import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from dmf_cli.datasets.sources.folder import FolderDataset
from dmf_cli.datasets.sources.pairing import unclaimed_masks
from dmf_cli.datasets.sources.patterns import Patterns
from dmf_cli.errors import ConfigError, DatasetError, UnknownNameError
from tests.datasets.sources.test_folder import open_busi
from tests.raised import raises


def make(root, *files):
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (3, 2)).save(root / file)
    return root


def pairs(root, images="images/*", masks="masks/{stem}.*", **changes):
    data = FolderDataset(name="x", dir=root, images=images, masks=masks, **changes)
    return {pair.id: [p.relative_to(root).as_posix() for p in pair.masks] for pair in data._pairs}


def test_an_image_without_its_mask_is_an_error_or_free_of_lesions(busi):
    (busi / "benign/benign (1)_mask.png").unlink()
    with raises(DatasetError, path="benign (1).png", reason="has no mask"):
        open_busi(busi)
    assert not open_busi(busi, missing_mask="empty").load(0).label.any()


def test_no_mask_at_all_is_an_error_even_if_masks_may_be_missing(busi):
    for mask in busi.glob("*/*_mask*.png"):
        mask.unlink()
    with raises(DatasetError, what="no mask in"):
        open_busi(busi, missing_mask="empty")


def test_two_files_of_one_name_are_told(busi):
    Image.new("L", (30, 20)).save(busi / "benign/benign (1).jpg")
    with pytest.raises(DatasetError, match=r"are one image 'benign/benign \(1\)' twice"):
        open_busi(busi, images="*/*.*")


def test_the_number_of_images_without_a_mask_is_told(busi):
    for number in (1, 2):
        (busi / f"benign/benign ({number})_mask.png").unlink()
    with raises(DatasetError, reason="2 of 6 images have none", hint="add it"):
        open_busi(busi)


def test_a_wrong_pattern_is_told_as_such_and_not_as_a_missing_mask(busi):
    with pytest.raises(DatasetError, match=r"no mask in .*looked for masks/benign \(1\)\.png"):
        open_busi(busi, masks="masks/{stem}.png")


def test_a_name_that_is_a_pattern_stands_for_itself(tmp_path):
    stems = ("a", "a[1]", "a1", "b*", "bc", "d?", "de")
    make(tmp_path, *(f"{part}/{s}.png" for s in stems for part in ("images", "masks")))
    assert pairs(tmp_path) == {f"images/{s}": [f"masks/{s}.png"] for s in stems}


def test_patterns_may_cross_folders(tmp_path):
    make(tmp_path, "p1/scan/a.png", "p1/truth/left/a.png", "p2/scan/b.png", "p2/truth/right/b.png")
    found = pairs(tmp_path, "**/scan/*", "{folder}/../truth/*/{stem}.png")
    assert [len(masks) for masks in found.values()] == [1, 1]


def test_names_are_taken_apart_by_a_regular_expression(tmp_path):
    """Layouts in which the mask is not named after the image, as in BUS-BRA; the class is in the name."""
    make(tmp_path, "Images/bus_0001-l.png", "Masks/mask_0001-l.png")
    make(tmp_path, "Images/bus_0002-r.png", "Masks/mask_0002-r.png")
    parse = r"Images/bus_(?P<number>\d+)-(?P<class>[lr])"
    options = {"images": "Images/*", "masks": "Masks/mask_{number}-{class}.png", "parse": parse}
    assert pairs(tmp_path, **options)["Images/bus_0002-r"] == ["Masks/mask_0002-r.png"]
    data = FolderDataset(name="x", dir=tmp_path, **options)
    assert data.strata == ("l", "r")
    assert FolderDataset(name="x", dir=tmp_path, strata=["r"], **options).ids == ("Images/bus_0002-r",)
    with raises(DatasetError, path="bus_0001-l.png", reason="does not match dataset.parse"):
        pairs(tmp_path, **{**options, "parse": "no"})
    with raises(ConfigError, key="dataset.parse", reason="no regular expression"):
        pairs(tmp_path, **{**options, "parse": "("})


def test_files_that_are_no_images_are_passed_over(tmp_path):
    make(tmp_path, "images/a.png", "masks/a.png")
    for other in ("images/Thumbs.db", "images/._a.png", "masks/a.txt", "masks/.a.png"):
        (tmp_path / other).write_text("x")
    assert pairs(tmp_path) == {"images/a": ["masks/a.png"]}
    (tmp_path / "images/a.png").unlink()
    with pytest.raises(DatasetError, match=r"is an image \(\._a\.png, \.\.\.\): convert"):
        pairs(tmp_path)


def test_a_mask_of_two_images_is_an_error(tmp_path):
    """A star too many would unite the lesions of 1.png and 10.png."""
    make(tmp_path, *(f"{part}/{s}.png" for s in ("1", "10", "2") for part in ("images", "masks")))
    with raises(DatasetError, path="10.png", reason="a mask of two images, images/1.png and images/10.png"):
        pairs(tmp_path, masks="masks/{stem}*.png")


def test_a_mask_of_an_image_that_is_excluded_is_not_taken_either(tmp_path):
    names = ("case1", "case10", "case11")
    make(tmp_path, *(f"images/a/{s}.png" for s in names[:1]), *(f"images/b/{s}.png" for s in names[1:]))
    make(tmp_path, *(f"masks/{s}.png" for s in names))
    options = {"images": "images/*/*", "masks": "masks/{stem}*.png"}
    for left_out in ({"strata": ["images/a"]}, {"exclude": "case1?.png"}):
        with pytest.raises(
            DatasetError, match=r"of two images, .*case1\.png and .*case10\.png \(excluded by"
        ):
            pairs(tmp_path, **options, **left_out)
        exact = {**options, "masks": "masks/{stem}.png"}
        assert pairs(tmp_path, **exact, **left_out) == {"images/a/case1": ["masks/case1.png"]}


def test_a_smaller_copy_that_is_left_out_claims_nothing(tmp_path):
    make(tmp_path, "full/a.png", "thumbs/a.png", "masks/a.png", "masks/a_1.png", "full/odd.png")
    options = {"images": "*s*/*", "masks": "masks/{stem}*.png", "exclude": "masks/*"}
    (tmp_path / "full").rename(tmp_path / "scans")
    make(tmp_path, "masks/odd.png")
    parse = r"(?P<part>scans|thumbs)/(?P<name>a|odd)"
    both = ["masks/a.png", "masks/a_1.png"]
    found = pairs(tmp_path, **{**options, "parse": parse, "strata": ["scans"]})
    assert found == {"scans/a": both, "scans/odd": ["masks/odd.png"]}


def test_a_field_beside_a_star_finds_masks_without_an_image(tmp_path):
    """The two of them would be ``**``, which stands for folders."""
    make(tmp_path, "images/a.png", "masks/a_1.png", "masks/b_1.png", "masks/a/c_2.png")
    for pattern in ("masks/{stem}*.png", "masks/*{stem}*.png", "masks/{stem}*{stem}*.png"):
        patterns = Patterns("images/*", pattern, missing_mask="empty")
        if "{stem}*{" in pattern:
            make(tmp_path, "masks/a_a.png")
        names = [file.name for file in unclaimed_masks(tmp_path, patterns, "x")]
        assert names == ["b_1.png"] if "{stem}*{" not in pattern else ["a_1.png", "b_1.png"]


def test_the_folder_above_is_recognised(busi):
    with pytest.raises(DatasetError, match=r"did you mean dataset\.dir=.*Dataset_BUSI_with_GT\?"):
        open_busi(busi.parent)


def test_ids_are_sorted_and_the_same_on_every_file_system(tmp_path):
    accents = unicodedata.normalize("NFD", "\u00e9")
    make(tmp_path, *(f"{part}/{s}.png" for s in ("a-b", "a", accents) for part in ("images", "masks")))
    assert list(pairs(tmp_path)) == ["images/a", "images/a-b", "images/\u00e9"]


@pytest.mark.parametrize(
    "change",
    [{"images": ""}, {"images": "/a/*"}, {"masks": ""}, {"masks": "/a/{stem}"}, {"exclude": "a/**.png"}],
)
def test_patterns_that_can_match_nothing_are_told(busi, change):
    with raises(ConfigError, key=f"dataset.{next(iter(change))}", what="is no pattern"):
        open_busi(busi, **change)


def test_choices_are_checked(busi):
    with raises(UnknownNameError, key="dataset.missing_mask"):
        open_busi(busi, missing_mask="emtpy")
    with raises(ConfigError, key="dataset.strata", value=[]):
        open_busi(busi, strata=[])


def test_a_folder_of_masks_is_read_once(tmp_path, monkeypatch):
    make(tmp_path, *(f"{part}/{i}.png" for i in range(20) for part in ("images", "masks")))
    listed, iterdir = [], Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda path: listed.append(path.name) or iterdir(path))
    assert len(pairs(tmp_path)) == 20
    assert listed.count("masks") == 1
