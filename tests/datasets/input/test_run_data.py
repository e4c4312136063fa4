"""What must be found before a run begins, and before one is resumed."""

import numpy as np
import pytest
from PIL import Image

from dmf_cli import config as configs
from dmf_cli.datasets.input import run_data
from dmf_cli.datasets.splits.division import save_split
from dmf_cli.errors import DatasetError
from tests.raised import raises


@pytest.fixture
def folder(tmp_path):
    """Twelve images of 16x16 with a square lesion, and the config that reads them."""
    rng = np.random.default_rng(0)
    (tmp_path / "busi" / "benign").mkdir(parents=True)
    for i in range(12):
        stem = tmp_path / "busi" / "benign" / f"benign ({i})"
        Image.fromarray(rng.integers(0, 255, (16, 16), np.uint8)).save(f"{stem}.png")
        mask = np.zeros((16, 16), np.uint8)
        mask[4:9, 3:8] = 255
        Image.fromarray(mask).save(f"{stem}_mask.png")
    return tmp_path / "busi"


def _words(folder):
    return [
        "dataset=busi",
        "dataset.strata=[benign]",
        f"dataset.dir={folder}",
        "dataset.image_size=16",
        "trainer.batch_size=2",
    ]


def compose(folder):
    return configs.compose(_words(folder))


def image_of(opened, part):
    return f"{opened.dataset.ids[getattr(opened.split, part)[0]]}.png"


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_a_damaged_image_of_any_part_is_found_before_the_training(folder, part):
    bad = folder / image_of(run_data.open_data(compose(folder)), part)
    bad.write_bytes(bad.read_bytes()[:60])
    with pytest.raises(DatasetError, match=r"benign \(\d+\)\.png"):
        run_data.open_data(compose(folder))


def test_what_is_odd_about_files_is_in_the_log_of_the_run_too(folder):
    (folder / "benign" / "photo.heic").write_bytes(b"")
    note = run_data.open_data(compose(folder)).note
    assert f"not read in {folder}: 1 .heic (first benign/photo.heic)" in note


def test_a_run_is_resumed_with_the_images_that_it_was_started_with(folder, tmp_path):
    opened = run_data.open_data(compose(folder))
    saved = tmp_path / "split.json"
    save_split(saved, opened.dataset, opened.split)
    assert run_data.open_data(compose(folder), saved).split == opened.split
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(folder / image_of(opened, "train"))
    with raises(DatasetError, what="not the one that the run was started with", hint="start a new run"):
        run_data.open_data(compose(folder), saved)


def test_the_probe_holds_every_class(folder):
    opened = run_data.open_data(compose(folder))
    assert opened.probe().shape == (1, 16, 16, 2)
    assert opened.probe().sum(axis=(0, 1, 2)).tolist() == [256 - 25, 25]


@pytest.mark.parametrize(
    ("mode", "kind"), [("auto", "Prepared"), ("disk", "Stored"), ("none", "Decoded"), (None, "Prepared")]
)
def test_where_images_are_kept_is_said_by_the_config(folder, mode, kind):
    config = compose(folder)
    trainer = {k: v for k, v in config.plain["trainer"].items() if k != "cache"}  # a run of before the key
    opened = run_data.open_data(config.with_group("trainer", trainer | ({"cache": mode} if mode else {})))
    assert type(opened.train).__name__ == kind
    assert opened.note.startswith("images are ")


def test_small_lesions_are_weighed_by_the_training_images(folder):
    for name in sorted(folder.rglob("*_mask.png"))[:4]:
        mask = np.zeros((16, 16), np.uint8)
        mask[4:6, 4:6] = 255
        Image.fromarray(mask).save(name)
    opened = run_data.open_data(compose(folder))
    assert opened.weights(0.0) is None
    weights = opened.weights(1.0)
    sizes = np.array([label.sum() for label in opened.train.each_label()])
    assert set(sizes) == {4, 25}
    np.testing.assert_allclose(weights[sizes == 4].mean() / weights[sizes == 25].mean(), 2.0)


@pytest.mark.parametrize(("value", "says"), [(0, "are background and nothing else"), (255, "are lesion and")])
def test_masks_of_one_class_are_reported_before_training(folder, value, says):
    for file in (folder / "benign").glob("*_mask.png"):
        Image.fromarray(np.full((16, 16), value, np.uint8)).save(file)
    with raises(DatasetError, key="dataset.masks", what=says, hint="check dataset.masks"):
        run_data.open_data(compose(folder)).probe()


def test_what_is_odd_about_the_images_is_reported_before_the_training(folder, caplog):
    assert run_data.open_data(compose(folder))
    assert caplog.records == []
    exif = Image.Exif()
    exif[0x0112] = 3
    for i, file in enumerate(sorted(folder.glob("benign/benign (*).png"))):
        with Image.open(file) as image:
            pixels = np.asarray(image).astype(np.uint16) * 16  # 12 bits in 16
        if "_mask" not in file.name:
            Image.fromarray(pixels).save(file, **({"exif": exif} if i == 0 else {}))
    (folder / "benign/photo.heic").touch()
    run_data.open_data(compose(folder))
    said = [record.getMessage() for record in caplog.records]
    assert [
        any(words in line for line in said)
        for words in (
            "1 .heic (first benign/photo.heic)",
            "turns 1 of 12 images",
            "8 of 8 images use less than a quarter",
        )
    ] == [True] * 3
    caplog.clear()
    run_data.open_data(configs.compose([*_words(folder), "dataset.range=[0,4095]"]))
    assert not any("grey range" in record.getMessage() for record in caplog.records)
