import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dmf_cli import config as configs
from dmf_cli import datasets
from dmf_cli.config import typed
from dmf_cli.datasets.sources.folder import FolderDataset
from dmf_cli.errors import ConfigError, DatasetError
from tests.datasets.conftest import BUSI, blob
from tests.raised import raises


def open_busi(root, **changes):
    return FolderDataset(**{**BUSI, "dir": root, **changes})


def test_busi_as_it_is_distributed(busi):
    data = open_busi(busi)
    assert data.ids == (
        "benign/benign (1)",
        "benign/benign (2)",
        "benign/benign (3)",
        "malignant/malignant (1)",
        "malignant/malignant (2)",
        "normal/normal (1)",
    )
    assert data.strata == ("benign",) * 3 + ("malignant",) * 2 + ("normal",)
    pixels = [int(data.load(i).label.sum()) for i in range(6)]
    assert pixels == [36, 36, 72, 36, 36, 0]  # two masks are united, 254 is foreground, RGBA and RGB are read
    assert data.load(4).image.shape == (25, 17, 1)
    np.testing.assert_array_equal(data.load(1).label, blob(20, 30, 4, 4))


def test_the_shipped_config_opens_it_without_the_normal_images(busi):
    config = configs.compose(["dataset=busi", f"dataset.dir={busi}"]).dataset
    assert set(datasets.open_dataset(config).strata) == {"benign", "malignant"}
    config = configs.compose(["dataset=busi", f"dataset.dir={busi}", "dataset.strata=null"]).dataset
    assert len(datasets.open_dataset(config)) == 6


def test_images_are_read_as_grey_or_rgb(busi):
    assert open_busi(busi, channels=3).load(0).image.shape == (20, 30, 3)
    with raises(ConfigError, key="dataset.channels"):
        open_busi(busi, channels=2)


def test_spacing_is_millimetres_per_row_and_column(busi):
    assert open_busi(busi).spacing is None
    assert open_busi(busi, spacing=[0.1, 1]).spacing == (0.1, 1.0)
    for wrong in ([0.1], [0.1, 0], [0.1, float("inf")], ["a", 1], 0.1, [], [1, 1, 1]):
        with raises(ConfigError, key="dataset.spacing", allowed="millimetres per pixel"):
            open_busi(busi, spacing=wrong)


def test_sixteen_bits_keep_their_range(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    Image.fromarray(np.array([[0, 65535], [32896, 257]], np.uint16)).save(tmp_path / "images/a.png")
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(tmp_path / "masks/a.png")
    data = FolderDataset(name="x", dir=tmp_path, images="images/*", masks="masks/{stem}.png")
    assert data.load(0).image[..., 0].tolist() == [[0, 255], [128, 1]]


@pytest.fixture
def maps(tmp_path):
    """One image with a label map of the values 0, 128, 255."""
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    Image.fromarray(np.zeros((2, 3), np.uint8)).save(tmp_path / "images/a.png")
    Image.fromarray(np.array([[0, 128, 255], [0, 0, 255]], np.uint8)).save(tmp_path / "masks/a.png")
    return {"name": "x", "dir": tmp_path, "images": "images/*", "masks": "masks/{stem}.png"}


def test_label_maps_by_value(maps):
    classes = ["background", "benign", "malignant"]
    data = FolderDataset(**maps, classes=classes, values={0: 0, 128: 1, 255: 2})
    assert data.load(0).label.tolist() == [[0, 1, 2], [0, 0, 2]]


def test_a_label_above_the_class_count_is_named(maps):
    data = FolderDataset(**maps, classes=["background", "a", "b"])
    with raises(DatasetError, path="a.png", reason="holds the value 128 and the dataset has 3 classes"):
        data.load(0)


def test_the_threshold_of_a_binary_mask_is_an_option(maps):
    assert FolderDataset(**maps).load(0).label.tolist() == [[0, 1, 1], [0, 0, 1]]
    assert FolderDataset(**maps, threshold=200).load(0).label.tolist() == [[0, 0, 1], [0, 0, 1]]


def test_the_fingerprint_follows_the_content_and_not_the_place(busi, tmp_path):
    before = open_busi(busi).fingerprint()
    moved = busi.rename(tmp_path / "elsewhere")
    assert open_busi(moved).fingerprint() == before
    Image.fromarray(np.ones((20, 30), np.uint8)).save(moved / "benign/benign (1).png")
    assert open_busi(moved).fingerprint() != before


def damage_half_written(root):
    path = root / "benign/benign (1).png"
    path.write_bytes(path.read_bytes()[:200])


def damage_no_image(root):
    (root / "benign/benign (1).png").write_text("not a picture")


def damage_empty_file(root):
    (root / "benign/benign (1)_mask.png").write_bytes(b"")


def damage_size(root):
    Image.new("L", (7, 9)).save(root / "benign/benign (1)_mask.png")


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (damage_half_written, r"benign \(1\)\.png cannot be read as an image"),
        (damage_no_image, r"benign \(1\)\.png cannot be read as an image"),
        (damage_empty_file, r"benign \(1\)_mask\.png cannot be read as an image"),
        (damage_size, r"_mask\.png is 7x9 pixels and its image benign/benign \(1\)\.png 30x20"),
    ],
)
def test_a_bad_file_is_named_in_one_line(busi, damage, text):
    damage(busi)
    with pytest.raises(DatasetError, match=text) as caught:
        open_busi(busi).load(0)
    assert "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_used_is_told(busi, tmp_path):
    with pytest.raises(DatasetError, match=r"did you mean .*Dataset_BUSI_with_GT\?"):
        open_busi(tmp_path / "Dataset_BUSI_with_G")
    with raises(DatasetError, key="dataset.dir", hint="add dataset.dir=PATH"):
        open_busi(None)
    with pytest.raises(DatasetError, match=r"no image in .* matches"):
        open_busi(tmp_path, images="*.png")
    with raises(DatasetError, key="dataset.strata", allowed="benign"):
        open_busi(busi, strata=["bening"])
    with raises(ConfigError, key="dataset.masks", hint="only {folder}, {stem} and the named"):
        open_busi(busi, masks="{name}.png")


def test_values_and_keys_that_mean_nothing_are_told(maps):
    with raises(ConfigError, key="dataset.values", reason="maps 255 to class 5", hint="use 0 to 1"):
        FolderDataset(**maps, values={0: 0, 255: 5})
    with raises(ConfigError, key="dataset.values", allowed="pixel value and class index"):
        FolderDataset(**maps, values={"a": 1})
    with pytest.raises(ConfigError, match="name the background and at least one class"):
        FolderDataset(**maps, classes=["background"])
    with pytest.raises(ConfigError, match="did you mean 'threshold'"):
        typed.dataset({**maps, "kind": "folder", "treshold": 1})


def test_masks_of_fractions_keep_their_foreground(maps):
    path = maps["dir"] / "masks/a.png"
    path.unlink()
    Image.fromarray(np.array([[0, 0.7, 1], [0, 0.2, 0]], np.float32)).save(path.with_suffix(".tif"))
    maps["masks"] = "masks/{stem}.*"
    assert FolderDataset(**maps).load(0).label.tolist() == [[0, 1, 1], [0, 0, 0]]  # above half
    assert FolderDataset(**maps, threshold=0).load(0).label.tolist() == [[0, 1, 1], [0, 1, 0]]
    with raises(DatasetError, reason="holds the value 0.2"):
        FolderDataset(**maps, classes=["background", "a", "b"]).load(0)


def test_images_of_unknown_range_are_refused_instead_of_clipped(maps):
    (maps["dir"] / "images/a.png").unlink()
    Image.fromarray(np.full((2, 3), 0.5, np.float32)).save(maps["dir"] / "images/a.tif")
    with raises(DatasetError, path="a.tif", reason="holds 32-bit values"):
        FolderDataset(**maps).load(0)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "GIF", "BMP"])
def test_a_file_cut_anywhere_is_read_or_told(maps, format):
    path = maps["dir"] / "images/a.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (2, 3), np.uint8)).save(path, format)
    data, whole = FolderDataset(**maps), path.read_bytes()
    for length in range(0, len(whole), 1 + len(whole) // 60):
        path.write_bytes(whole[:length])
        told = None
        try:
            data.load(0)
        except DatasetError as error:
            told = str(error)
        assert told is None or (f"{path} cannot be read as an image" in told and "\n" not in told)


@pytest.mark.busi
def test_the_real_images_open():
    config = configs.compose(["dataset=busi", f"dataset.dir={os.environ['DMF_BUSI_DIR']}"]).dataset
    data = datasets.open_dataset(dataclasses.replace(config, strata=None))
    assert set(data.strata) == {"benign", "malignant", "normal"}
    labels = {stratum: data.load(data.strata.index(stratum)).label for stratum in set(data.strata)}
    assert labels["benign"].any()
    assert labels["malignant"].any()
    assert not labels["normal"].any()
    united = sum(
        len(list(Path(os.environ["DMF_BUSI_DIR"]).glob(f"*/{Path(i).name}_mask*"))) > 1 for i in data.ids
    )
    assert united > 0


def test_exclude_is_a_path_or_a_name(busi):
    assert open_busi(busi, exclude="*_mask*.png").ids == open_busi(busi).ids
    assert len(open_busi(busi, exclude="[!m]*/*", images="*/*).png").ids) == 2
    with raises(
        DatasetError,
        key="dataset.exclude",
        value="*",
        reason="leaves none of the 13 files",
        hint="make it narrower",
    ):
        open_busi(busi, exclude="*")
