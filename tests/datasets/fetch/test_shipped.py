"""Each shipped dataset in miniature, laid out as it is distributed, opened with its own YAML file."""

import csv

import numpy as np
import pytest
from PIL import Image

from dmf_cli import conf_files, datasets
from dmf_cli import config as configs
from dmf_cli.config import composer
from dmf_cli.errors import ConfigError, DatasetError

LESION = np.zeros((20, 30), bool)
LESION[4:10, 4:10] = True
OTHERS = ("folder", "oxford_pets", "phantom", "tfds")
FOLDERS = [name for name in conf_files.options("dataset") if name not in OTHERS]


def save(path, pixels, mode="L"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint8)).convert(mode).save(path)


def image(path, mode="L", size=(20, 30)):
    save(path, np.random.default_rng(len(str(path))).integers(1, 255, size), mode)


def mask(path, pixels=LESION, mode="L"):
    save(path, pixels * 255, mode)


def table(path, rows, delimiter=","):
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)


def coloured(path, colour):
    save(path, LESION[..., None] * np.array(colour), "RGB")


def busi(root):
    for stratum in ("benign", "malignant", "normal"):
        image(root / stratum / f"{stratum} (1).png", "RGB")
        mask(root / stratum / f"{stratum} (1)_mask.png", LESION & (stratum != "normal"))
    mask(root / "benign/benign (1)_mask_1.png", np.roll(LESION, 15, axis=1))


def bus_bra(root):
    rows = [["ID", "Case", "Histology", "Pathology", "BIRADS", "Device", "Width", "Height", "Side"]]
    for number, case, pathology in (
        ("0001-l", 1, "malignant"),
        ("0001-r", 1, "malignant"),
        ("0002-l", 2, "benign"),
    ):
        image(root / f"Images/bus_{number}.png")
        mask(root / f"Masks/mask_{number}.png", mode="1")
        rows.append([f"bus_{number}", case, "", pathology, 4, "", 30, 20, number[-1]])
    table(root / "bus_data.csv", rows)


def bus_uclm(root):
    colours = {"ALWI_000": (0, 255, 0), "ALWI_001": (255, 0, 0), "COPE_000": (0, 0, 0)}
    for name, colour in colours.items():
        image(root / f"images/{name}.png", "RGB")
        coloured(root / f"masks/{name}.png", colour)
    image(root / "images/COPE_001.png", size=(15, 30))  # cropped, its mask is not
    coloured(root / "masks/COPE_001.png", (0, 255, 0))
    labels = ["Benign", "Malignant", "Normal", "Benign"]
    rows = [
        [f"{name}.png", label, "No", "No"] for name, label in zip([*colours, "COPE_001"], labels, strict=True)
    ]
    table(root / "INFO.csv", [["Image", "Label", "Doppler", "Marks"], *rows], ";")


def udiat(root):
    for number in (1, 2):
        image(root / f"original/{number:06d}.png")
        mask(root / f"GT/{number:06d}.png")
    (root / "Thumbs.db").write_text("")


def breast(root):
    for case in (1, 2, 3):
        image(root / f"case{case:03d}.png", "RGBA")
    mask(root / "case001_tumor.png")
    mask(root / "case001_other1.png", np.ones_like(LESION))
    mask(root / "case002_tumor1.png")
    mask(root / "case002_tumor2.png", np.roll(LESION, 15, axis=1))


def buid(root):
    for stratum in ("Benign", "Malignant"):
        for number in (1, 11):
            image(root / f"{stratum}/{number} {stratum} Image.bmp", "RGB")
            image(root / f"{stratum}/{number} {stratum} Lesion.bmp", "RGB")
            mask(root / f"{stratum}/{number} {stratum} Mask.tif", mode="1")


def bus_synthetic(root):
    for number in (1, 2):
        image(root / f"images/{number}.png")
        mask(root / f"masks/{number}.png", LESION * (0.98 + 0.01 * number))


# What each miniature holds: strata, pixels of each class that is not the background, groups.
EXPECTED = {
    "busi": (("benign", "malignant"), [{1: 72}, {1: 36}], None),
    "bus_bra": (("malignant", "malignant", "benign"), [{1: 36}] * 3, ("1", "1", "2")),
    "bus_uclm": (("Benign", "Malignant", "Normal"), [{1: 36}, {2: 36}, {}], ("ALWI", "ALWI", "COPE")),
    "udiat": (("original",) * 2, [{1: 36}] * 2, None),
    "breast": (("breast",) * 3, [{1: 36}, {1: 72}, {}], ("case001", "case002", "case003")),
    "buid": (("Benign", "Benign", "Malignant", "Malignant"), [{1: 36}] * 4, None),
    "bus_synthetic": (("images",) * 2, [{1: 36}] * 2, None),
}


def opened(name, root, *overrides):
    config = configs.compose([f"dataset={name}", f"dataset.dir={root}", *overrides])["dataset"]
    return datasets.open_dataset(config)


def pixels(label):
    return {int(c): int((label == c).sum()) for c in np.unique(label) if c}


@pytest.mark.parametrize("name", EXPECTED)
def test_it_opens_as_it_is_distributed(name, tmp_path):
    globals()[name](tmp_path)
    data = opened(name, tmp_path)
    samples = [data.load(i) for i in range(len(data))]
    assert (data.strata, [pixels(s.label) for s in samples], data.groups) == EXPECTED[name]
    assert all(s.image.shape == (20, 30, 1) for s in samples)
    assert data.name == name


def test_every_shipped_folder_has_a_miniature_and_says_where_it_comes_from():
    assert set(EXPECTED) == set(FOLDERS)
    for name in FOLDERS:
        config = composer.compose([f"dataset={name}"])["dataset"]
        download = config["download"]
        assert download["homepage"].startswith("https://")
        assert download["licence"]
        assert len(download["urls"]) == len(download["sha256"])
        assert all(url.startswith("https://") for url in download["urls"])


@pytest.mark.parametrize("name", EXPECTED)
def test_one_that_is_not_there_names_the_command_that_gets_it(name, tmp_path, monkeypatch):
    monkeypatch.setenv("DMF_CACHE", str(tmp_path))
    config = configs.compose([f"dataset={name}"])["dataset"]
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


def test_images_with_another_size_than_their_mask_are_left_out_and_counted(tmp_path, caplog):
    bus_uclm(tmp_path)
    assert len(opened("bus_uclm", tmp_path)) == 3
    assert "1 of 4 images, first images/COPE_001" in caplog.text
    data = opened("bus_uclm", tmp_path, "dataset.size_mismatch=error")
    with pytest.raises(DatasetError, match="give both the same size"):
        data.load(data.ids.index("images/COPE_001"))
    with pytest.raises(ConfigError, match="did you mean 'skip'"):
        opened("bus_uclm", tmp_path, "dataset.size_mismatch=skp")


def test_a_smoothed_border_is_one_colour_or_the_other_and_a_foreign_colour_is_told(tmp_path):
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
    config = configs.compose(["dataset=bus_uclm", f"dataset.dir={tmp_path}"])["dataset"]
    with pytest.raises(ConfigError, match=says):
        datasets.open_dataset({**config, "values": values})


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
def test_a_wrong_table_is_told(override, error, says, tmp_path):
    bus_bra(tmp_path)
    with pytest.raises(error, match=says):
        opened("bus_bra", tmp_path, override)


def test_a_table_that_lacks_an_image_or_is_damaged_is_told(tmp_path):
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
