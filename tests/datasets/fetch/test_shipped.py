"""Each shipped dataset in miniature, laid out as it is distributed, opened with its own YAML file."""

import dataclasses

import numpy as np
import pytest

from dmf_cli import conf_files, datasets
from dmf_cli import config as configs
from dmf_cli.config import composer
from dmf_cli.errors import ConfigError, DatasetError
from tests.datasets.fetch import layouts
from tests.datasets.fetch.layouts import EXPECTED, LESION, bus_bra, bus_uclm, coloured, save

OTHERS = ("folder", "oxford_pets", "phantom", "table", "tfds")
FOLDERS = [name for name in conf_files.options("dataset") if name not in OTHERS]


def opened(name, root, *overrides):
    config = configs.compose([f"dataset={name}", f"dataset.dir={root}", *overrides]).dataset
    return datasets.open_dataset(config)


def pixels(label):
    return {int(c): int((label == c).sum()) for c in np.unique(label) if c}


@pytest.mark.parametrize("name", EXPECTED)
def test_it_opens_as_it_is_distributed(name, tmp_path):
    getattr(layouts, name)(tmp_path)
    data = opened(name, tmp_path)
    samples = [data.load(i) for i in range(len(data))]
    assert (data.strata, [pixels(s.label) for s in samples], data.groups) == EXPECTED[name]
    assert all(s.image.shape == (20, 30, 1) for s in samples)
    assert data.name == name


def test_every_shipped_folder_has_a_miniature_and_says_where_it_comes_from():
    assert set(EXPECTED) == set(FOLDERS)
    for name in FOLDERS:
        download = composer.compose([f"dataset={name}"]).dataset.download
        assert download["homepage"].startswith("https://")
        assert download["licence"]
        assert len(download["urls"]) == len(download["sha256"])
        assert all(url.startswith("https://") for url in download["urls"])


@pytest.mark.parametrize("name", EXPECTED)
def test_one_that_is_not_there_names_the_command_that_gets_it(name, tmp_path, monkeypatch):
    monkeypatch.setenv("DMF_CACHE", str(tmp_path))
    config = configs.compose([f"dataset={name}"]).dataset
    with pytest.raises(DatasetError, match=f"get it by `dmf data prepare dataset={name}`"):
        datasets.open_dataset(config)
    with pytest.raises(DatasetError, match="get it by"):
        datasets.check_place(config)
    with pytest.raises(DatasetError, match=f"is not a folder: `dmf data prepare dataset={name}`"):
        opened(name, tmp_path / "nowhere")


def test_lesions_of_both_kinds_can_be_one_class(tmp_path):
    bus_uclm(tmp_path)
    data = opened("bus_uclm", tmp_path, "dataset.classes=[background,lesion]", "dataset.values={red:1}")
    assert [pixels(data.load(i).label) for i in range(3)] == [{1: 36}, {1: 36}, {}]


def test_images_with_another_size_than_their_mask_are_skipped_and_counted(tmp_path, caplog):
    bus_uclm(tmp_path)
    assert len(opened("bus_uclm", tmp_path)) == 3
    assert "1 of 4 images, first images/COPE_001" in caplog.text
    data = opened("bus_uclm", tmp_path, "dataset.size_mismatch=error")
    with pytest.raises(DatasetError, match="give both the same size"):
        data.load(data.ids.index("images/COPE_001"))
    with pytest.raises(ConfigError, match="did you mean 'skip'"):
        opened("bus_uclm", tmp_path, "dataset.size_mismatch=skp")


def test_a_smoothed_border_is_one_colour_or_the_other_and_a_foreign_colour_is_reported(tmp_path):
    bus_uclm(tmp_path)
    smooth = LESION[..., None] * np.array([0, 255, 0])
    smooth[4, 4:10], smooth[9, 4:10] = (0, 200, 30), (0, 60, 0)
    save(tmp_path / "masks/ALWI_000.png", smooth, "RGB")
    assert pixels(opened("bus_uclm", tmp_path).load(0).label) == {1: 30}
    coloured(tmp_path / "masks/ALWI_000.png", (0, 0, 255))
    with pytest.raises(
        DatasetError, match=r"ALWI_000\.png holds the colour 0x0000ff \(.* pixels\) and dataset.values has"
    ):
        opened("bus_uclm", tmp_path).load(0)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"#00ff0": 1}, "or colours by name"),
        ({"reed": 1}, "or colours by name"),
        (["red"], "or colours by name"),
        ({255: 1, "red": 1}, "or colours by name"),  # numbers beside the colours
        ({"#0000ff": 7}, "maps #0000ff to class 7 and dataset.classes has 3"),
    ],
)
def test_wrong_colours_are_told(values, says, tmp_path):
    config = configs.compose(["dataset=bus_uclm", f"dataset.dir={tmp_path}"]).dataset
    with pytest.raises(ConfigError, match=says):
        datasets.open_dataset(dataclasses.replace(config, values=values))


@pytest.mark.parametrize(
    ("override", "error", "says"),
    [
        ("dataset.table.patient=Cse", ConfigError, r"dataset\.table\.patient is 'Cse': did you mean 'Case'"),
        ("dataset.table.file=data.csv", DatasetError, "which dataset.table names, is not there"),
        ("dataset.table.key=Case", DatasetError, r"has two rows for '1'"),
        ("dataset.table.key=Pathology", DatasetError, "has two rows for 'malignant'"),
        ("dataset.table.key=null", ConfigError, "give file, key and fields"),
        ("dataset.table.class=3", ConfigError, "give file, key and fields"),
    ],
)
def test_a_wrong_table_is_reported(override, error, says, tmp_path):
    bus_bra(tmp_path)
    with pytest.raises(error, match=says):
        opened("bus_bra", tmp_path, override)


def test_a_table_that_lacks_an_image_or_is_damaged_is_reported(tmp_path):
    bus_bra(tmp_path)
    file, whole = tmp_path / "bus_data.csv", (tmp_path / "bus_data.csv").read_text()
    file.write_text(whole.replace("bus_0002-l", "bus_0003-l"))
    with pytest.raises(DatasetError, match=r"bus_0002-l\.png has no row in bus_data\.csv"):
        opened("bus_bra", tmp_path)
    file.write_bytes(b"\xff\xfe\x00bin")
    with pytest.raises(DatasetError, match="cannot be read as a table"):
        opened("bus_bra", tmp_path)
    file.write_text("")
    with pytest.raises(DatasetError, match="is empty"):
        opened("bus_bra", tmp_path)
    without = opened("bus_bra", tmp_path, "dataset.table=null")  # patients by file name
    assert (without.groups, set(without.strata)) == (("0001", "0001", "0002"), {"Images"})
