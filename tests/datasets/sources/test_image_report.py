"""What the names and headers of image files say: some are skipped, some turned, some dark."""

import unicodedata

import numpy as np
import pytest
from PIL import Image

from dmf_cli.datasets.sources.folder import FolderDataset
from dmf_cli.datasets.sources.image_facts import grey_range
from dmf_cli.datasets.sources.image_report import dark, turned
from dmf_cli.datasets.sources.pairing import unclaimed_masks
from dmf_cli.datasets.sources.patterns import Patterns
from dmf_cli.datasets.sources.survey import survey
from dmf_cli.errors import DatasetError

DATA = {"name": "set", "masks": "masks/{stem}.*"}


def picture(*files, **options):
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((6, 5), 200, np.uint8)).save(file, **options)


def opened(root, images="images/*.png", **options):
    return FolderDataset(**{**DATA, **options}, dir=root, images=images)


def test_image_files_that_a_pattern_or_a_suffix_skips_are_counted(tmp_path):
    picture(*(tmp_path / f"{folder}/a.png" for folder in ("images", "masks")))
    assert opened(tmp_path).remarks() == []
    picture(tmp_path / "images/b.PNG", tmp_path / "images/deep/c.png", tmp_path / "overlays/a.png")
    for name in ("d.heic", "e.dcm", "f.txt", "._g.png", ".ipynb_checkpoints/h.png"):
        (tmp_path / "images" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "images" / name).touch()
    (remark,) = opened(tmp_path).remarks()
    assert remark.kind == "skipped"
    assert len(remark.where) == 4
    assert (
        f"not read in {tmp_path / 'images'}: 1 .PNG, 1 .dcm, 1 .heic, 1 .png (first images/b.PNG)"
        in remark.text
    )
    (remark,) = opened(tmp_path, exclude="images/*.[hd]*").remarks()
    assert "1 .PNG, 1 .png" in remark.text


def test_masks_beside_their_images_are_not_counted(tmp_path):
    picture(*(tmp_path / f"benign/{name}.png" for name in ("a", "a_mask", "a_mask_1", "b_mask")))
    data = opened(tmp_path, "*/?.png", masks="{folder}/{stem}_mask*.png")
    assert data.remarks() == []


def test_checkpoints_of_jupyter_are_neither_images_nor_masks(tmp_path):
    for folder in ("images", "masks"):
        picture(tmp_path / folder / "a.png", tmp_path / folder / ".ipynb_checkpoints/a.png")
    assert opened(tmp_path, "images/**/*.png").ids == ("images/a",)
    assert unclaimed_masks(tmp_path, Patterns("images/*", "masks/**/{stem}*.png"), "set") == []


def test_turned_photographs_are_told_and_their_stored_masks_refused(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(tmp_path / "images/a.jpg", exif=exif)
    picture(tmp_path / "images/b.jpg")
    for name in "ab":
        Image.fromarray(np.zeros((6, 5), np.uint8)).save(tmp_path / "images" / f"{name}_mask.png")
    data = opened(tmp_path, "images/*.jpg", masks="images/{stem}_mask.png")
    (remark,) = turned(data.ids, survey(data).facts)
    assert remark[:2] == ("turned", ("images/a",))
    assert "turns 1 of 2 images (first images/a)" in remark.text
    with pytest.raises(
        DatasetError, match=r"image images/a\.jpg 6x5: it was drawn on the pixels as they are stored"
    ):
        data.load(0)
    Image.fromarray(np.zeros((5, 6), np.uint8)).save(tmp_path / "images/a_mask.png")
    assert data.load(0).image.shape == (5, 6, 1)


def test_dark_images_are_told_unless_they_are_stretched():
    pixels = np.linspace(0, 4095 / 257, 400, dtype=np.float32).reshape(20, 20, 1)
    bright = np.linspace(0, 255, 400).astype(np.uint8).reshape(20, 20, 1)
    ranges = [grey_range(bright), grey_range(pixels)]
    (remark,) = dark(["a", "b"], ranges, "unit")
    assert remark.where == ("b",)
    assert (
        "1 of 2 images use less than a quarter of the grey range (first b: 0.159 to 15.8 of 255)"
        in remark.text
    )
    assert dark(["a", "b"], ranges, "minmax") == dark(["a"], ranges[:1], "unit") == []


def forms(name):
    return [unicodedata.normalize(form, name) for form in ("NFC", "NFD")]


def test_names_that_differ_in_the_form_of_an_accent_are_told_apart(tmp_path):
    one, two = forms("\u00e9")
    picture(*(tmp_path / "images" / f"{name}.png" for name in (one, two)), tmp_path / "masks" / f"{one}.png")
    with pytest.raises(DatasetError) as caught:
        opened(tmp_path)
    both = [f"images/{name}.png ({form})" for name, form in ((one, "NFC"), (two, "NFD"))]
    short = (
        str(caught.value)
        .replace("accents as one character, ", "")
        .replace("accents as a letter and a mark, ", "")
    )
    assert short.startswith(" and ".join(sorted(both)))
    assert "twice: keep one of the files" in short


@pytest.mark.parametrize("missing", ["error", "empty"])
@pytest.mark.parametrize("others", ["none", "with a mask", "without a mask"])
def test_a_mask_that_differs_in_the_form_of_an_accent_is_named(tmp_path, missing, others):
    one, two = forms("\u00e9")
    picture(tmp_path / "images" / f"{one}.png", tmp_path / "masks" / f"{two}.png")
    if others != "none":
        picture(*(tmp_path / folder / "b.png" for folder in ("images", "masks")))
    if others == "without a mask":
        picture(tmp_path / "images/a.png")
    with pytest.raises(DatasetError) as caught:
        opened(tmp_path, missing_mask=missing)
    assert f"masks/{two}.png (accents as a letter and a mark, NFD) has the name that was looked for" in str(
        caught.value
    )
